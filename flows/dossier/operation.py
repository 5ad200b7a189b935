"""Chapters 7 and 11: operation, fallback and incident path; approvals and signatures."""

from flows.dossier.content import Block, Cell, Paragraph, Section, Signatures
from flows.dossier.facts import Facts
from flows.dossier.telling import Teller
from infra.history import Promotion


def operation(facts: Facts, tell: Teller) -> list[Section]:
    """Return how the model is run and what happens when it errs."""
    errs, contact = facts.spec.when_it_errs, facts.spec.when_it_errs.contact
    steps = tell("incident_steps", contact=contact or tell("nobody_named"), project=facts.spec.project)
    incident: list[Block] = [Paragraph((Cell(line.strip()),)) for line in _lines(steps)]
    return [
        Section("operation", tell("operation"), [tell.facts(_rules(facts, tell))]),
        Section("incident", tell("incident_title"), [*([Paragraph((tell.both(errs.procedure),))]), *incident], level=2),
        Section("monitoring", tell("monitoring_title"), [_watched(facts, tell)], level=2),
    ]


def _lines(steps: str) -> list[str]:
    """Return numbered steps one by one."""
    lines: list[str] = []
    for number in range(1, 10):
        before, sign, rest = steps.partition(f"{number}. ")
        if not sign:
            break
        if lines:
            lines[-1] += before
        lines.append(sign)
        steps = rest
    return [*lines[:-1], lines[-1] + steps] if lines else [steps]


def _rules(facts: Facts, tell: Teller) -> list[tuple[str, Cell]]:
    spec = facts.spec
    errs, care, days = spec.when_it_errs, spec.maintenance, spec.serving.log_days
    schedule = care.schedule
    told = tell("schedule_none") if schedule is None else tell("schedule_value", cron=schedule.cron, zone=schedule.time_zone)
    return [
        ("fallback", Cell(tell(f"fallback_{errs.fallback}"))),
        ("ev_contact", tell.given(errs.contact)),
        ("notify", Cell(tell("notify_count", count=len(errs.notify))) if errs.notify else tell.missing()),
        ("promote", Cell(tell(f"promote_{care.promote}"))),
        ("on_drift", Cell(tell(f"do_{care.on_drift}"))),
        ("on_decay", Cell(tell(f"do_{care.on_decay}"))),
        ("on_broken_input", Cell(tell(f"do_{care.on_broken_input}"))),
        ("schedule", Cell(told, missing=schedule is None)),
        ("log_days", Cell(tell("log_days_none"), missing=True) if days is None else Cell(tell("log_days_value", days=days))),
    ]


def _watched(facts: Facts, tell: Teller) -> Block:
    found = facts.monitoring
    if found is None:
        return tell.note("neutral", "monitoring_none")
    kind = "good" if found.calm else "neutral"
    told = {"time": tell.time(found.time), "version": found.model_version, "found": found.summary(tell.language)}
    return tell.note(kind, "monitoring_when", **told)


def _what(one: Promotion, tell: Teller) -> str:
    """Return what an entry of the history did."""
    key = f"kind_{one.kind}"
    return tell(key, version=one.to_version) if tell.knows(key) else f"{one.kind} {one.to_version}"


def _why(told: str, tell: Teller) -> str:
    """Return why a model was let in; in the dossier's language where the software itself gave the reason."""
    return tell.either(f"why_{told.replace(' ', '_')}", told)


def approvals(facts: Facts, tell: Teller) -> list[Section]:
    """Return who let which model in, and lines to sign on."""
    blocks: list[Block] = [tell.note("neutral", "approvals_none")]
    if facts.history:
        rows = [
            (
                Cell(tell.time(one.time)),
                Cell(one.who),
                Cell(_what(one, tell)),
                Cell(_why(one.why, tell)),
            )
            for one in facts.history
        ]
        blocks = [
            tell.say("approvals_intro", count=len(facts.history)),
            tell.table(("when", "who", "what", "why"), rows, (0.22, 0.18, 0.25, 0.35)),
        ]
    people = (
        (tell("sign_owner"), facts.spec.owner.name),
        (tell("sign_management"), ""),
        (tell("sign_data_protection"), (facts.spec.privacy.data_protection_officer or "") if facts.spec.privacy else ""),
        (tell("sign_works_council"), ""),
    )
    signing = Signatures(people, tell("sign_date"), tell("sign_signature"))
    return [
        Section("approvals", tell("approvals"), blocks),
        Section("signatures", tell("signatures_title"), [tell.say("signatures_intro"), signing], level=2),
    ]
