"""What holds a data set together: its keys, rows that stand twice, its time, and columns a model might be asked for."""

from data_contracts.inference import KEY_WORDS, TIME_WORDS
from data_contracts.inventory.found import BLOCKS, ColumnFigures, Said, Target, Task, TimeFigures
from data_contracts.inventory.profile import NUMBERS, TIMES, Scan
from data_contracts.inventory.workbench import Table, Workbench
from data_contracts.personal_words import name_words

GAP_STEPS = 3
MOST_KEY_CANDIDATES = 6
NEARLY_ALL = 0.95  # of the rows: an estimate (2 % off) below this cannot belong to a key
TARGET_WORDS = frozenset(
    """target label class klasse y quality qualität qualitaet result ergebnis outcome failure ausfall fehler defect defekt fault anomaly anomalie
    scrap ausschuss churn kündigung turnover umsatz sales absatz menge demand bedarf rating bewertung viscosity viskosität price preis
    status zustand condition verdict befund efficiency wirkungsgrad energy energie consumption verbrauch""".split()  # noqa: SIM905 - words, not code
)
MOST_CLASSES = 20
MOST_TARGETS = 3


def find_keys(bench: Workbench, table: Table, scans: dict[str, Scan]) -> tuple[tuple[str, ...], ...]:
    """Return the columns that tell the rows apart, each alone; else the first pair of a time and another column that does so together.

    Measured values may all differ by chance, so numbers with decimals are no keys.
    """
    likely = [name for name, one in scans.items() if _may_be_key(table, name, one)]
    likely.sort(key=lambda name: not name_words(name) & KEY_WORDS)
    likely = likely[:MOST_KEY_CANDIDATES]
    if likely:
        counted = bench.one("SELECT " + ", ".join(f"count(DISTINCT {table.column(name)})" for name in likely) + " FROM t")
        keys = [(name,) for name, count in zip(likely, counted, strict=True) if count == table.read]
        if keys:
            return tuple(keys)
    return _pair(bench, table, scans)


def _may_be_key(table: Table, name: str, one: Scan) -> bool:
    kind = table.types[name]
    if not one.present == table.read > 1 or one.distinct < NEARLY_ALL * table.read or kind in ("number", "boolean"):
        return False
    # Measured whole numbers may all differ by chance; numbers given to things are called so, or leave few out.
    return kind != "integer" or bool(name_words(name) & KEY_WORDS) or one.high - one.low < 2 * table.read


def _pair(bench: Workbench, table: Table, scans: dict[str, Scan]) -> tuple[tuple[str, ...], ...]:
    whole = [name for name, one in scans.items() if one.present == table.read and one.distinct > 1]
    firsts = [name for name in whole if table.types[name] in TIMES or name_words(name) & KEY_WORDS]
    seconds = [name for name in whole if table.types[name] in ("string", "integer") and scans[name].distinct < table.read / 2]
    pairs = [
        (first, second)
        for first in firsts
        for second in seconds
        if first != second and scans[first].distinct * scans[second].distinct >= NEARLY_ALL * table.read
    ]
    for first, second in pairs[:MOST_KEY_CANDIDATES]:
        [count] = bench.one(f"SELECT count(DISTINCT hash({table.column(first)}, {table.column(second)})) FROM t")
        if count == table.read:
            return ((first, second),)
    return ()


def count_duplicates(bench: Workbench, table: Table, keys: tuple[tuple[str, ...], ...]) -> int:
    """Return how many rows are the same as an earlier one in every column; with a key there can be none."""
    if keys:
        return 0
    columns = ", ".join(f"c{place}" for place in range(len(table.types)))
    [different] = bench.one(f"SELECT count(DISTINCT hash({columns})) FROM t")
    return table.read - int(different)


def time_figures(
    bench: Workbench, table: Table, scans: dict[str, Scan], *, leave_out: frozenset[str] = frozenset()
) -> TimeFigures | None:
    """Return how the rows lie in time, by the column that tells it best; None where none does."""
    times = [name for name, kind in table.types.items() if kind in TIMES and scans[name].present and name not in leave_out]
    if not times:
        return None
    name = min(times, key=lambda one: (not name_words(one) & TIME_WORDS, table.read - scans[one].present))
    column = table.column(name)
    usual, gaps, longest = _steps(bench, column) if scans[name].distinct > 2 else (None, 0, 0.0)
    first, last = scans[name].low, scans[name].high
    return TimeFigures(
        name, first, last, float(usual) if usual else None, gaps, float(longest), _coverage(bench, column, first, last)
    )


def _steps(bench: Workbench, column: str) -> tuple[float | None, int, float]:
    """Return the usual distance of neighbouring points in time, how many are more than ``GAP_STEPS`` as far apart, and the farthest."""
    times = f"SELECT DISTINCT {column} AS x FROM t WHERE {column} IS NOT NULL"
    bench.connection.execute(
        f"CREATE TEMP TABLE steps AS SELECT step, count(*) AS n FROM (SELECT epoch(x - lag(x) OVER (ORDER BY x)) AS step FROM ({times})) "
        "WHERE step > 0 GROUP BY step"
    )
    try:
        running = "SELECT step, sum(n) OVER (ORDER BY step) AS so_far, sum(n) OVER () AS every FROM steps"
        found = bench.rows(f"SELECT min(step) FROM ({running}) WHERE so_far * 2 >= every")
        usual = found[0][0]
        if usual is None:
            return None, 0, 0.0
        gaps, longest = bench.one(
            f"SELECT coalesce(sum(n), 0), coalesce(max(step), 0) FROM steps WHERE step > {GAP_STEPS} * {usual!r}"
        )
        return float(usual), int(gaps), float(longest)
    finally:
        bench.connection.execute("DROP TABLE steps")


def _coverage(bench: Workbench, column: str, first: object, last: object) -> tuple[int, ...]:
    if first == last:
        return (1,)
    part = f"least(floor(epoch({column} - TIMESTAMP '{first}') * {BLOCKS} / epoch(TIMESTAMP '{last}' - TIMESTAMP '{first}')), {BLOCKS - 1})"
    counts = dict(bench.rows(f"SELECT CAST({part} AS INTEGER) AS part, count(*) FROM t WHERE {column} IS NOT NULL GROUP BY part"))
    return tuple(int(counts.get(place, 0)) for place in range(BLOCKS))


def find_targets(columns: tuple[ColumnFigures, ...], rows: int, keys: tuple[tuple[str, ...], ...]) -> tuple[Target, ...]:
    """Return columns that a model might be asked for, the likeliest first: by their names, or by standing last as a category or measure."""
    single = {key[0] for key in keys if len(key) == 1}
    possible = [
        column
        for column in columns
        if column.type not in TIMES
        and not column.constant
        and column.distinct > 1
        and column.name not in single
        and column.personal is None
    ]
    made = []
    for column in possible:
        words = name_words(column.name) & TARGET_WORDS
        last = column is columns[-1] and len(columns) > 2
        task = _task(column, rows)
        if task is not None and (words or last):
            reason = Said("inventory.target_name", {"word": sorted(words)[0]}) if words else Said("inventory.target_last")
            made.append((not words, -columns.index(column), Target(column.name, task, reason)))
    return tuple(target for *_, target in sorted(made, key=lambda one: one[:2])[:MOST_TARGETS])


def _task(column: ColumnFigures, rows: int) -> Task | None:
    few = column.distinct <= MOST_CLASSES and column.distinct < max(rows / 5, 3)
    if column.type in ("string", "boolean") or (column.type == "integer" and few):
        return "classification" if few else None
    return "regression" if column.type in NUMBERS else None
