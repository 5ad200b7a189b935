"""Chapters 8 to 10: risk class and duties under the EU AI Act, documentation after its Annex IV, record of processing after the GDPR."""

from collections.abc import Callable
from dataclasses import replace

from flows.dossier.content import Block, Cell, Section
from flows.dossier.facts import Facts
from flows.dossier.names import column_name
from flows.dossier.telling import Teller
from leitstand.law import Letter, Point, Regulation, law
from leitstand.privacy import Privacy
from leitstand.risk import Risk

ASKED = (
    "role",
    "prohibited_practice",
    "safety_component",
    "third_party_assessment",
    "annex_iii",
    "narrow_task",
    "profiling",
    "interacts_with_people",
    "generates_content",
    "recognises_emotions",
    "workplace",
)
KINDS = {"prohibited": "bad", "high": "bad", "transparency": "neutral", "minimal": "good", "unclassified": "neutral"}


def ai_act(facts: Facts, tell: Teller) -> list[Section]:
    """Return the risk class with its reasons, and the articles that follow."""
    found, risk = facts.classification, facts.spec.risk or Risk()
    kind = KINDS[found.risk_class]
    blocks: list[Block] = [
        tell.note(kind, "class_is", name=tell(f"risk.class_{found.risk_class}")),
        *(tell.say(f"risk.reason_{reason}") for reason in found.reasons),
        tell.table(("question", "answer"), [_answer(name, risk, tell) for name in ASKED], (0.65, 0.35)),
        tell.facts([("own_reason", tell.both(risk.reason)), ("assessed", _assessed(risk, tell))]),
        legal_note(law().regulations["ai_act"], tell),
    ]
    rows = [
        (
            Cell(duty.article.in_language(tell.language), strong=True),
            Cell(duty.what.in_language(tell.language)),
            Cell(", ".join(tell(f"role_{role}") for role in duty.roles)),
            Cell(tell.day(start)),
        )
        for duty, start in facts.duties
    ]
    days = [(Cell(tell.day(day.date), strong=True), Cell(day.what.in_language(tell.language))) for day in law().calendar]
    follow = tell.table(("article", "duty", "has_duty", "applies_from"), rows, (0.18, 0.5, 0.17, 0.15))
    return [
        Section("ai_act", tell("ai_act"), blocks),
        Section("duties", tell("duties_title"), [follow], level=2),
        Section("calendar", tell("calendar_title"), [tell.table(("from_date", "what_applies"), days, (0.18, 0.82))], level=2),
    ]


def legal_note(regulation: Regulation, tell: Teller) -> Block:
    """Return that this is no legal advice, and where the facts come from."""
    source = f"{regulation.title.in_language(tell.language)}, {regulation.source}"
    return tell.note("neutral", "legal_note", source=source, date=tell.day(regulation.as_of))


def _answer(name: str, risk: Risk, tell: Teller) -> tuple[Cell, Cell]:
    given, question = getattr(risk, name), Cell(tell(f"risk.ask_{name}"))
    if given is not None:
        return question, Cell(tell(f"risk.answer_{given}"))
    return question, Cell(tell("annex_not_needed")) if _idle(name, risk) else tell.missing()


def _idle(name: str, risk: Risk) -> bool:
    """Return whether a question does not matter after the answers to others."""
    if name == "third_party_assessment":
        return risk.safety_component == "no"
    return name in ("narrow_task", "profiling") and risk.annex_iii == "none"


def _assessed(risk: Risk, tell: Teller) -> Cell:
    if risk.answered_by is None and risk.answered_on is None:
        return tell.missing()
    return Cell(f"{risk.answered_by or tell('missing')}, {tell.day(risk.answered_on)}")


def annex(facts: Facts, tell: Teller) -> Section:
    """Return the points of Annex IV with the evidence there is and the gaps."""
    duty = {"high": "annex_duty", "unclassified": "annex_open"}.get(facts.classification.risk_class, "annex_voluntary")
    there = proofs(facts)
    states = {point.point: state_of(point, there, facts) for point in law().annex_iv}
    rows = [
        (
            Cell(point.point),
            Cell(point.what.in_language(tell.language)),
            Cell(
                tell(f"annex_{states[point.point]}"), strong=states[point.point] == "whole", missing=states[point.point] == "gap"
            ),
            Cell("–") if states[point.point] == "not_needed" else _told(point, there, tell),
        )
        for point in law().annex_iv
    ]
    counted = {name: sum(state == name for state in states.values()) for name in ("whole", "partly", "gap")}
    needed = sum(state != "not_needed" for state in states.values())
    count = tell.say(
        "annex_count", facts.pilot, whole=counted["whole"], all=needed, partly=counted["partly"], gaps=counted["gap"]
    )
    table = tell.table(("point", "demanded", "there_is", "shown_by"), rows, (0.09, 0.4, 0.14, 0.37))
    table = replace(table, columns=(*table.columns[:3], tell("evidence")))
    return Section("annex", tell("annex"), [tell.say(duty), count, table])


def state_of(point: Point, there: set[str], facts: Facts) -> str:
    """Return whether evidence for a point is there: ``whole``, ``partly``, ``gap``, or ``not_needed``."""
    if point.condition == "product" and facts.spec.risk is not None and facts.spec.risk.safety_component == "no":
        return "not_needed"
    found = [name for name in point.evidence if name in there]
    if not found:
        return "gap"
    return "whole" if len(found) == len(point.evidence) and not point.people else "partly"


def _told(point: Point, there: set[str], tell: Teller) -> Cell:
    found = [tell(f"proof_{name}") for name in point.evidence if name in there]
    lacking = [tell(f"proof_{name}") for name in point.evidence if name not in there]
    told = [", ".join(found)] if found else []
    told += [tell("lacks", names=", ".join(lacking))] if lacking else []
    told += [tell("people_add")] if point.people or not point.evidence else []
    return Cell("; ".join(told))


def proofs(facts: Facts) -> set[str]:
    """Return the names of all evidence that Annex IV is looked through for."""
    spec, model, record = facts.spec, facts.model, facts.newest.get("M5")
    tried = bool(record and (record.details.get("service") or {}).get("rows"))
    checks: dict[str, Callable[[], object]] = {
        "purpose": lambda: spec.key_figure.today is not None,
        "owner": lambda: spec.owner.name,
        "model_version": lambda: model,
        "service": lambda: tried,
        "interface": lambda: tried,
        "sbom": lambda: facts.bom,
        "code_version": lambda: model and model["code_version"] != "none",
        "platform": lambda: facts.run and facts.run.tags.get("platform"),
        "procedure": lambda: spec.when_it_errs.procedure,
        "candidates": lambda: model and model["candidates"],
        "metric": lambda: model,
        "success": lambda: spec.success,
        "sourcing": lambda: spec.sourcing,
        "data_version": lambda: model,
        "contract": lambda: model,
        "provenance": lambda: facts.deliveries,
        "fallback": lambda: True,
        "contact": lambda: spec.when_it_errs.contact,
        "maintenance": lambda: facts.in_charge,
        "gates": lambda: facts.gates,
        "holdout": lambda: model,
        "sha256": lambda: model and model["sha256"],
        "slices": lambda: model and model["slices"],
        "ranges": lambda: facts.card and facts.card.ranges,
        "history": lambda: facts.history,
        "monitoring": lambda: facts.monitoring,
    }
    return {name for name, check in checks.items() if check()}


def gdpr(facts: Facts, tell: Teller) -> Section:
    """Return the record of processing activities, from the contract's classification and what people have entered."""
    note = legal_note(law().regulations["gdpr"], tell)
    if not facts.personal:
        return Section("gdpr", tell("gdpr"), [tell.say("gdpr_none"), note])
    columns = [column for column in facts.contract.columns if column.personal_data != "none"]
    rows = [
        (
            Cell(column_name(column, tell)),
            Cell(tell(f"class_{column.personal_data}")),
            Cell(tell("flows.no" if column.name in facts.spec.not_learned else "flows.yes")),
            Cell(tell("pseudonym" if column.is_pseudonymised else "as_it_is")),
        )
        for column in columns
    ]
    letters = [
        (Cell(letter.point, strong=True), Cell(letter.what.in_language(tell.language)), _letter(letter, facts, tell))
        for letter in law().record_of_processing
    ]
    privacy = facts.spec.privacy or Privacy()
    return Section(
        "gdpr",
        tell("gdpr"),
        [
            tell.say("gdpr_some"),
            tell.table(("column", "gdpr_class", "learned", "pseudonymised"), rows, (0.3, 0.3, 0.2, 0.2)),
            tell.table(("point", "demanded", "there_is"), letters, (0.09, 0.36, 0.55)),
            tell.facts([("impact_assessment", tell.both(privacy.impact_assessment))]),
            tell.say("gdpr_exempt"),
            note,
        ],
    )


def _letter(letter: Letter, facts: Facts, tell: Teller) -> tuple[Cell, ...]:
    told: list[Cell] = []
    for key in letter.keys:
        name = tell(f"key_{key}")
        told += [*([Cell("·")] if told else []), Cell(f"{name[0].upper()}{name[1:]}:"), _known(key, facts, tell)]
    return tuple(told)


def _known(key: str, facts: Facts, tell: Teller) -> Cell:
    if key == "columns":
        return Cell(", ".join(facts.personal))
    if key == "log_days":
        days = facts.spec.serving.log_days
        return Cell(tell("log_days_none"), missing=True) if days is None else Cell(tell("log_days_value", days=days))
    if key == "pseudonyms":
        names = ", ".join(facts.contract.pseudonymised)
        return Cell(tell("pseudonyms_value", names=names) if names else tell("pseudonyms_none"))
    given = getattr(facts.spec.privacy or Privacy(), key)
    return tell.given(given) if given is None or isinstance(given, str) else tell.both(given)
