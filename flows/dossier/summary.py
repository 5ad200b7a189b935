"""Chapter 1: what a managing director has to know, on one page."""

from flows.dossier.content import Block, Cell, Note, Section
from flows.dossier.facts import Facts
from flows.dossier.names import listed, metric_name, reasons, rule_name, unit_of
from flows.dossier.telling import Teller, numbers
from leitstand.roadmap import next_step


def summary(facts: Facts, tell: Teller) -> Section:
    """Return the summary for management."""
    blocks: list[Block] = [_verdict(facts, tell)]
    if facts.synthetic:
        blocks.append(tell.note("bad", "synthetic", facts.pilot))
    blocks += [tell.facts(_rows(facts, tell)), _milestones(facts, tell), tell.say("how_to_read")]
    return Section("summary", tell("summary"), blocks)


def _verdict(facts: Facts, tell: Teller) -> Note:
    waiting = [one for one in facts.standings if not one.closed]
    if not waiting:
        return tell.note("good", "closed_all")
    first = waiting[0]
    step = tell(f"roadmap.next_{next_step(first)}", project=facts.spec.project, version=first.model_version or "")
    told = (
        f"{first.id} {tell(f'roadmap.{first.name}')}: {reasons(first, tell) or tell(f'roadmap.status_{first.status}')} → {step}"
    )
    return tell.note("neutral", "closed_some", closed=5 - len(waiting), next=told)


def _rows(facts: Facts, tell: Teller) -> list[tuple[str, Cell]]:
    spec = facts.spec
    erring = [tell(f"fallback_{spec.when_it_errs.fallback}")]
    erring += [spec.when_it_errs.contact] if spec.when_it_errs.contact else []
    return [
        ("purpose", Cell(spec.title.in_language(tell.language))),
        ("key_figure", _key_figure(facts, tell)),
        ("result", _result(facts, tell)),
        ("earns", _earns(facts, tell)),
        ("paid_back", _paid_back(facts, tell)),
        ("in_charge", _in_charge(facts, tell)),
        ("responsible", Cell(tell("responsible_value", name=spec.owner.name, deputy=spec.owner.deputy or tell("missing")))),
        ("when_it_errs", Cell("; ".join(erring), section="operation")),
        ("personal", personal(facts, tell)),
        ("risk_class", Cell(tell(f"risk.class_{facts.classification.risk_class}"), section="ai_act")),
    ]


def _key_figure(facts: Facts, tell: Teller) -> Cell:
    figure = facts.spec.key_figure
    if figure.today is None:
        return tell.missing()
    today, source = tell.number(figure.today).text, figure.source or tell("missing")
    told = tell("key_figure_value", name=figure.name.in_language(tell.language), today=today, unit=figure.unit, source=source)
    return Cell(told, numbers(facts.newest.get("M1")))


def _result(facts: Facts, tell: Teller) -> Cell:
    model = facts.model
    if not model:
        return tell.no_evidence()
    metric, unit = model["metric"], unit_of(model["metric"], facts)
    told = tell(
        "result_value",
        metric=metric_name(metric, tell),
        value=tell.number(model["metrics"][metric], unit=unit).text,
        rows=tell.grouped(model["holdout_rows"]),
        rule=rule_name(model["baseline"], tell),
        baseline=tell.number(model["baseline_metrics"].get(metric), unit=unit).text,
    )
    passed = tell("gates_value", passed=sum(one["passed"] for one in facts.gates), all=len(facts.gates))
    return Cell(f"{told}. {passed}.", numbers(facts.pilot))


def _earns(facts: Facts, tell: Teller) -> Cell:
    if facts.analysis is None:
        return tell.missing()
    promised, measured = facts.analysis.promised, facts.analysis.measured
    shown = tell.eur(measured.savings_eur_per_year) if measured else tell.no_evidence()
    told = tell("earns_value", promised=tell.eur(promised.savings_eur_per_year).text, measured=shown.text)
    return Cell(told, numbers(facts.newest.get("M2"), facts.pilot if measured else None))


def _paid_back(facts: Facts, tell: Teller) -> Cell:
    if facts.analysis is None:
        return tell.missing()
    promised, measured = facts.analysis.promised, facts.analysis.measured
    told = tell(
        "paid_back_value",
        promised=months(promised.payback_months, tell),
        measured=months(measured.payback_months, tell) if measured else tell("no_evidence"),
        limit=tell.number(facts.analysis.benefit.max_payback_months).text,
    )
    return Cell(told, numbers(facts.newest.get("M2"), facts.pilot if measured else None))


def months(value: float | None, tell: Teller) -> str:
    """Return a payback in words."""
    return tell("never") if value is None else tell("months", months=tell.number(value).text)


def _in_charge(facts: Facts, tell: Teller) -> Cell:
    if facts.today.champion is None:
        return Cell(tell("in_charge_none"), missing=True)
    return Cell(tell("in_charge_value", version=facts.today.champion), numbers(facts.newest.get("M5")), section="approvals")


def personal(facts: Facts, tell: Teller) -> Cell:
    """Return which columns hold personal data, as the contract says."""
    if not facts.personal:
        return Cell(tell("personal_none"), section="gdpr")
    names = listed(facts.personal, tell)
    told = tell("personal_some", count=len(facts.personal), all=len(facts.contract.columns), names=names)
    return Cell(told, section="gdpr")


def _milestones(facts: Facts, tell: Teller) -> Block:
    rows = [
        (
            Cell(f"{one.id} {tell(f'roadmap.{one.name}')}", section=one.id, strong=True),
            Cell(tell(f"roadmap.status_{one.status}"), strong=one.closed, missing=not one.closed),
            Cell(reasons(one, tell) or "–"),
            Cell(tell.time(one.time), (one.record,) if one.record else ()),
        )
        for one in facts.standings
    ]
    return tell.table(("milestone", "status", "why", "shown_by"), rows, (0.24, 0.2, 0.32, 0.24))
