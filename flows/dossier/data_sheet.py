"""Chapter 4: the data sheet, from the data version, its provenance and the contract."""

from flows.dossier.content import Block, Cell, Section
from flows.dossier.facts import ColumnFacts, Facts
from flows.dossier.names import column_name
from flows.dossier.telling import Teller, numbers
from leitstand.contract import Column
from leitstand.figures import figure

MOST_COLUMNS = 40
ENTERED = ("source_system", "note", "purpose", "owner", "retention")
SAMPLE = "built-in sample "  # how flows.status_quo notes built-in data


def data_sheet(facts: Facts, tell: Teller) -> list[Section]:
    """Return the data sheet."""
    if facts.pilot is None:
        return [Section("data_sheet", tell("data_sheet"), [tell.note("neutral", "no_data")])]
    origin = Section("data_sheet", tell("data_sheet"), [tell.facts(_origin(facts, tell)), *_broken(facts, tell)])
    return [origin, Section("columns", tell("columns_title"), _columns(facts, tell), level=2)]


def _origin(facts: Facts, tell: Teller) -> list[tuple[str, Cell]]:
    data, pilot, contract = facts.data, facts.pilot, facts.contract
    accepted = {name: tell.grouped(data.get(name, 0)) for name in ("accepted", "rows", "quarantined")}
    sources = "; ".join(f"{name}: {_source(told, tell)}" for name, told in (data.get("sources") or {}).items())
    held = {"id": contract.id, "version": contract.version, "broken": tell(f"on_broken_{contract.on_broken}")}
    delivered = ", ".join(tell.time(one.time) for one in facts.deliveries[-3:])
    return [
        ("ev_data_version", tell.given(pilot.data_version if pilot else None, pilot)),
        ("sources", tell.given(sources, pilot)),
        ("ev_synthetic", Cell(tell("flows.yes" if facts.synthetic else "flows.no"), numbers(pilot))),
        ("deliveries", tell.given(delivered, pilot)),
        ("ev_accepted", Cell(tell("accepted_value", **accepted), numbers(pilot))),
        ("contract", Cell(tell("contract_value", **held))),
        ("inventory", _inventory(facts, tell)),
        ("collection", _collected(facts, tell)),
    ]


def _inventory(facts: Facts, tell: Teller) -> Cell:
    if not facts.stock:
        return Cell(tell("inventory_none"), missing=True)
    return Cell(
        " · ".join(f"{one.name}: {tell(f'inventory.level_{one.verdict}') if one.verdict else '–'}" for one in facts.stock)
    )


def _collected(facts: Facts, tell: Teller) -> Cell:
    """Return what people entered into the inventory about where the data come from."""
    told = [
        f"{one.name}: {'; '.join(one.entered[key] for key in ENTERED if key in one.entered)}"
        for one in facts.stock
        if one.entered
    ]
    return Cell(" · ".join(told)) if told else Cell(tell("collection_missing"), missing=True)


def _source(told: str, tell: Teller) -> str:
    """Return where a source is, as runs note it; built-in data in words."""
    sample = told.removeprefix(SAMPLE)
    return told if sample == told else tell("source_sample", name=sample)


def _broken(facts: Facts, tell: Teller) -> list[Block]:
    broken = facts.data.get("broken") or []
    if not broken:
        return [tell.say("broken_none", facts.pilot)]
    rows = [(Cell(one["column"]), Cell(one["rule"]), tell.number(one["rows"], facts.pilot)) for one in broken]
    return [tell.table(("column", "rule", "rows"), rows, (0.35, 0.45, 0.2))]


def _columns(facts: Facts, tell: Teller) -> list[Block]:
    found = {one.name: one for one in facts.columns}
    contract = facts.contract.columns
    rows = [_column(column, found.get(column.name), facts, tell) for column in contract[:MOST_COLUMNS]]
    headings = ("column", "meaning", "type", "missing_values", "range", "gdpr_class")
    blocks: list[Block] = [] if found else [tell.note("neutral", "unreadable_data")]
    blocks.append(tell.table(headings, rows, (0.22, 0.23, 0.12, 0.09, 0.15, 0.19)))
    rest = len(contract) - MOST_COLUMNS
    return [*blocks, tell.say("columns_left_out", count=rest)] if rest > 0 else blocks


def _column(column: Column, found: ColumnFacts | None, facts: Facts, tell: Teller) -> tuple[Cell, ...]:
    data = facts.spec.data
    role = "is_target" if column.name == data.target else "not_learned" if column.name in facts.spec.not_learned else None
    kind = tell(f"type_{column.type}") + (f"; {tell(role)}" if role else "")
    return (
        Cell(column_name(column, tell), strong=role == "is_target"),
        tell.both(column.description),
        Cell(kind),
        tell.share(found.missing) if found else tell.no_evidence(),
        Cell(_range(found, tell)),
        Cell(tell(f"class_{column.personal_data}"), strong=column.personal_data != "none"),
    )


def _range(found: ColumnFacts | None, tell: Teller) -> str:
    if found is None or found.low is None or found.high is None:
        return "–"
    return f"{_shown(found.low, tell)} … {_shown(found.high, tell)}"


def _shown(value: str, tell: Teller) -> str:
    try:
        return figure(float(value), tell.language)
    except ValueError:
        return value.split(" ")[0]  # of a time the day
