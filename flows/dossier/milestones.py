"""Chapter 2: the five milestones, each with the evidence that closes it or what is missing."""

from dataclasses import replace
from typing import Any, Literal

from flows.dossier.content import Block, Cell, Note, Picture, Section
from flows.dossier.facts import Facts
from flows.dossier.names import gate_name, listed, reasons, unit_of
from flows.dossier.pictures import tornado
from flows.dossier.summary import months
from flows.dossier.telling import Teller, numbers
from leitstand.roadmap import Record, Standing

Rows = list[tuple[str, Cell]]


def milestones(facts: Facts, tell: Teller) -> list[Section]:
    """Return the chapter, and one part for each milestone."""
    chapter = Section("milestones", tell("milestones"), [tell.say("milestones_intro")])
    told = {"M1": _status_quo, "M2": _benefit, "M3": _strategy, "M4": _practice, "M5": _introduction}
    parts = []
    for one in facts.standings:
        record = facts.newest.get(one.id)
        blocks: list[Block] = [tell.say(f"question_{one.id}"), _status(one, tell)]
        blocks += told[one.id](facts, record, tell) if record else [tell.say("no_run")]
        parts.append(Section(one.id, f"{one.id} {tell(f'roadmap.{one.name}')}", blocks, level=2))
    return [chapter, *parts]


def _status(one: Standing, tell: Teller) -> Block:
    status = tell(f"roadmap.status_{one.status}")
    told = reasons(one, tell)
    if one.status == "stale":
        return tell.note("bad", "stale_because", reasons=told)
    told_as: Literal["good", "neutral"] = "good" if one.closed else "neutral"
    text = f"{tell('status')}: {status}" + (f" ({told})" if told else "")
    return Note(told_as, (Cell(text, (one.record,) if one.record else (), strong=True),))


def _status_quo(facts: Facts, record: Record, tell: Teller) -> list[Block]:
    found = record.evidence
    rows: Rows = [
        ("ev_rows", tell.number(found.get("rows"), record)),
        ("ev_columns", tell.number(found.get("columns"), record)),
        ("ev_missing_share", tell.share(found.get("missing_share"), record)),
        ("ev_synthetic", Cell(_yes(bool((record.details.get("data") or {}).get("synthetic")), tell), numbers(record))),
        ("ev_personal_data", Cell(listed(found.get("personal_data") or [], tell) or tell("class_none"), numbers(record))),
        ("ev_guesses", tell.number(found.get("guesses"), record)),
        ("ev_key_figure_today", tell.number(found.get("key_figure_today"), record, facts.spec.key_figure.unit)),
        ("ev_key_figure_source", tell.given(found.get("key_figure_source"), record)),
        ("ev_readiness", readiness(facts, tell)),
    ]
    return [tell.facts(rows)]


def readiness(facts: Facts, tell: Teller) -> Cell:
    """Return how ready the company is, by the questionnaire."""
    if facts.readiness is None:
        return Cell(tell("readiness_none"), missing=True)
    strategy = tell(f"strategy_{facts.readiness.strategy}")
    return Cell(tell("readiness_value", total=tell.number(facts.readiness.total).text, strategy=strategy))


def _benefit(facts: Facts, record: Record, tell: Teller) -> list[Block]:
    if facts.analysis is None or "savings_eur_per_year" not in record.evidence:
        return [tell.note("neutral", "no_case")]
    found, measured = record.evidence, (facts.pilot.details.get("benefit") or {}).get("measured") if facts.pilot else None
    years, limit = found.get("horizon_years"), found.get("max_payback_months", 24)
    rows = [
        _promised(tell("ev_savings_eur_per_year"), "savings_eur_per_year", found, measured, record, facts, tell),
        _promised(tell("ev_net_eur_per_year"), "net_eur_per_year", found, measured, record, facts, tell),
        _promised(tell("ev_payback_months"), "payback_months", found, measured, record, facts, tell),
        _promised(tell("ev_net_present_value_eur", years=years), "net_present_value_eur", found, measured, record, facts, tell),
    ]
    band = found.get("payback_months_interval") or {}
    spread = " … ".join(months(band.get(end), tell) for end in ("low", "high"))
    table = tell.table(("figure", "promised", "measured"), rows, (0.4, 0.3, 0.3))
    more: Rows = [
        ("ev_investment_eur", tell.eur(facts.analysis.benefit.investment_eur, record)),
        ("ev_band", Cell(spread, numbers(record))),
        ("ev_break_even", _break_even(found.get("break_even"), record, tell)),
        ("ev_source", tell.given(found.get("source"), record)),
    ]
    chance = (
        Cell(tell("ev_probability", months=tell.number(limit).text), strong=True),
        tell.share(found.get("probability_within_limit"), record),
    )
    facts_table = tell.facts(more)
    facts_table = replace(facts_table, rows=(*facts_table.rows[:1], chance, *facts_table.rows[1:]))
    picture = Picture(tornado(facts.analysis, tell), Cell(tell("tornado_caption"), numbers(record)))
    return [table, facts_table, picture]


def _break_even(found: Any, record: Record, tell: Teller) -> Cell:
    if not found:
        return tell.no_evidence()
    largest = found.get("error")
    return Cell(tell("break_even_none"), numbers(record)) if largest is None else tell.number(largest, record)


def _promised(name: str, key: str, found: Any, measured: Any, record: Record, facts: Facts, tell: Teller) -> tuple[Cell, ...]:
    def shown(case: Any, source: Record | None) -> Cell:
        if case is None:
            return tell.no_evidence()
        if key == "payback_months":
            return Cell(months(case.get(key), tell), numbers(source))
        return tell.eur(case.get(key), source)

    return Cell(name, strong=True), shown(found, record), shown(measured, facts.pilot)


def _strategy(facts: Facts, record: Record, tell: Teller) -> list[Block]:
    found = record.evidence
    decision, strategy = found.get("decision"), found.get("strategy")
    rows: Rows = [
        ("ev_decision", Cell(tell(f"decision_{decision}"), numbers(record)) if decision else tell.missing()),
        ("ev_reason", tell.given(found.get(f"reason_{tell.language}"), record)),
        ("ev_path", _path(found, record, tell)),
        ("ev_strategy", Cell(tell(f"strategy_{strategy}"), numbers(record)) if strategy else tell.missing()),
        ("ev_readiness", readiness(facts, tell)),
        ("ev_owner", tell.given(found.get("owner"), record)),
    ]
    return [tell.facts(rows)]


def _path(found: Any, record: Record, tell: Teller) -> Cell:
    if "path_result" not in found:
        return Cell(tell("path_unanswered"), missing=True)
    told = found.get(f"path_reasons_{tell.language}", "")
    key = "path_agrees" if found.get("path_agrees") else "path_differs"
    return Cell(tell(key, reasons=told, result=tell(f"decision_{found['path_result']}")), numbers(record))


def _practice(facts: Facts, record: Record, tell: Teller) -> list[Block]:
    data, found = record.details.get("data") or {}, record.evidence
    accepted = tell(
        "accepted_value",
        accepted=tell.grouped(data.get("accepted", 0)),
        rows=tell.grouped(data.get("rows", 0)),
        quarantined=tell.grouped(data.get("quarantined", 0)),
    )
    rows: Rows = [
        ("ev_data_version", Cell(record.data_version or "–", numbers(record))),
        ("ev_accepted", Cell(accepted, numbers(record))),
        ("version", tell.given(record.model_version, record)),
        ("ev_gates", Cell(tell("of", part=found.get("gates_passed"), whole=found.get("gates")), numbers(record))),
    ]
    return [tell.facts(rows), gates(record, facts, tell)]


def gates(record: Record, facts: Facts, tell: Teller) -> Block:
    """Return every gate with what it wanted and what was measured."""
    rows = []
    for one in record.details.get("gates") or []:
        metric = one["name"].rpartition(":")[2] if one["name"].startswith("criterion:") else facts.model.get("metric", "")
        unit = "" if one["name"] in ("latency", "stability", "trust") else unit_of(metric, facts)
        bound = tell("at_least" if one["at_least"] else "at_most", value=tell.number(one["threshold"], unit=unit).text)
        passed = Cell(_yes(one["passed"], tell), strong=one["passed"], missing=not one["passed"])
        rows.append((Cell(gate_name(one["name"], facts, tell)), Cell(bound), tell.number(one["value"], record, unit), passed))
    return tell.table(("gate", "threshold", "measured", "passed"), rows, (0.42, 0.22, 0.22, 0.14))


def _introduction(facts: Facts, record: Record, tell: Teller) -> list[Block]:
    service, decision = record.details.get("service") or {}, record.details.get("decision")
    rows: Rows = [
        ("ev_champion", tell.given(facts.today.champion, record)),
        ("ev_answered_rows", tell.number(service.get("rows"), record)),
        ("ev_labels", tell.number(service.get("labels"), record)),
        ("ev_median_ms", tell.number(service.get("median_ms"), record, "ms")),
        ("ev_next", _decided(decision, record, tell)),
        ("fallback", Cell(tell(f"fallback_{facts.spec.when_it_errs.fallback}"), section="operation")),
        ("ev_contact", tell.given(facts.spec.when_it_errs.contact)),
    ]
    return [tell.facts(rows)]


def _decided(decision: Any, record: Record, tell: Teller) -> Cell:
    from leitstand.decision import Decision

    if not decision:
        return tell.no_evidence()
    return Cell(Decision.model_validate(decision).render(tell.language), numbers(record))


def _yes(value: bool, tell: Teller) -> str:
    return tell("flows.yes" if value else "flows.no")
