"""Columns by which data sets may be joined: found by name, type and the values they share, without comparing all with all."""

from collections import defaultdict
from collections.abc import Sequence

from data_contracts.inference import KEY_WORDS
from data_contracts.inventory.found import DataSet, Join, Sketch
from data_contracts.inventory.profile import TIMES, Scan
from data_contracts.inventory.workbench import Table, Workbench
from data_contracts.personal_words import name_words

SKETCH_SIZE = 256
"""With so many hashes an overlap of a half is told to 3 points (binomial error)."""
WIDER = 4  # so many times as many values are let through the first sieve, so that seldom too few are left
FEWEST_VALUES = 3
BY_NAME, BY_VALUES = 0.3, 0.8
"""Share of values that must be shared where the names are equal, and where they are not."""
FEWEST_BY_VALUES = 20  # two lists of three words may be equal by chance
MOST_JOINS = 40
_ALL = 1 << 64


def sketch(bench: Workbench, table: Table, scans: dict[str, Scan]) -> dict[str, Sketch]:
    """Return the sketch of every column that a join could go by: texts, whole numbers and times, with more than two values."""
    made = {}
    for name, kind in table.types.items():
        one = scans[name]
        if kind in ("number", "boolean", "file") or one.distinct < FEWEST_VALUES:
            continue
        column = table.column(name)
        text = f"CAST(CAST({column} AS HUGEINT) AS VARCHAR)" if kind == "integer" else f"CAST({column} AS VARCHAR)"
        most = min(_ALL - 1, _ALL // one.distinct * SKETCH_SIZE * WIDER) if one.distinct > SKETCH_SIZE * WIDER else _ALL - 1
        query = (
            f"SELECT DISTINCT hash({text}) AS h FROM t WHERE {column} IS NOT NULL AND h <= {most} ORDER BY h LIMIT {SKETCH_SIZE}"
        )
        hashes = frozenset(row[0] for row in bench.rows(query))
        running = kind == "integer" and one.high - one.low < 2 * one.distinct
        made[name] = Sketch(hashes, len(hashes) < SKETCH_SIZE and most == _ALL - 1, one.distinct, running)
    return made


def find_joins(sets: Sequence[DataSet]) -> tuple[Join, ...]:
    """Return the likeliest joins: those that a database declares first, then by the share of shared values."""
    found = list(_declared(sets))
    known = {(one.left, one.left_column, one.right, one.right_column) for one in found}
    for left, left_name, right, right_name in _pairs(sets):
        one = _judge(left, left_name, right, right_name)
        if one is not None and not {_ends(one), _ends(one)[2:] + _ends(one)[:2]} & known:
            found.append(one)
    found.sort(key=lambda one: (not one.declared, not one.unique, not one.same_name, -one.overlap))
    return tuple(found[:MOST_JOINS])


def _ends(join: Join) -> tuple[str, str, str, str]:
    return join.left, join.left_column, join.right, join.right_column


def _declared(sets: Sequence[DataSet]) -> list[Join]:
    by_name = {one.name: one for one in sets}
    made = []
    for one in sets:
        for column, other, other_column in one.foreign_keys:
            right = by_name.get(other)
            if right is not None:
                here, there = one.sketches.get(column), right.sketches.get(other_column)
                overlap = _overlap(here, there) if here and there else 1.0
                made.append(
                    Join(
                        one.name,
                        column,
                        other,
                        other_column,
                        overlap,
                        column == other_column,
                        True,
                        (other_column,) in right.keys,
                    )
                )
    return made


def _pairs(sets: Sequence[DataSet]) -> list[tuple[DataSet, str, DataSet, str]]:
    """Return the pairs of columns worth a look: of equal name, or with a hash in common."""
    places: dict[object, list[tuple[int, str]]] = defaultdict(list)
    for number, one in enumerate(sets):
        for name, made in one.sketches.items():
            places["name", name.casefold()].append((number, name))
            if made.distinct >= FEWEST_BY_VALUES and not made.running:
                for value in sorted(made.hashes)[:32]:
                    places[value].append((number, name))
    pairs = {
        (*first, *second)
        for columns in places.values()
        for place, first in enumerate(columns)
        for second in columns[place + 1 :]
        if first[0] != second[0]
    }
    return [(sets[a], name_a, sets[b], name_b) for a, name_a, b, name_b in sorted(pairs)]


def _judge(left: DataSet, left_name: str, right: DataSet, right_name: str) -> Join | None:
    """Return the join in the direction in which it adds columns and no rows, or in which more values are shared; None where it is none."""
    kinds = {one.type for one in (left.column(left_name), right.column(right_name)) if one is not None}
    if len(kinds) > 1 and not kinds <= {"integer", "string"} and not kinds <= set(TIMES):
        return None
    same = left_name.casefold() == right_name.casefold()
    both = []
    for one, name, other, other_name in ((left, left_name, right, right_name), (right, right_name, left, left_name)):
        overlap = _overlap(one.sketches[name], other.sketches[other_name])
        both.append(Join(one.name, name, other.name, other_name, round(overlap, 3), same, False, (other_name,) in other.keys))
    best = max(both, key=lambda join: (join.unique, join.overlap))
    running = left.sketches[left_name].running or right.sketches[right_name].running
    if same:
        measured = not name_words(left_name) & KEY_WORDS and kinds == {"integer"} and not best.unique
        return best if best.overlap >= BY_NAME and not measured else None
    fewest = min(left.sketches[left_name].distinct, right.sketches[right_name].distinct)
    return best if best.overlap >= BY_VALUES and not running and fewest >= FEWEST_BY_VALUES else None


def _overlap(one: Sketch, other: Sketch) -> float:
    """Return the share of the values of ``one`` that ``other`` has: estimated on the values whose hashes both sketches would hold."""
    highest = _ALL if other.whole else max(other.hashes, default=0)
    comparable = [value for value in one.hashes if value <= highest]
    return sum(value in other.hashes for value in comparable) / len(comparable) if comparable else 0.0
