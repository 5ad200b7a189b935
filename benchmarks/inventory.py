"""The inventory of a CSV file of 20 columns beside a bare DuckDB SUMMARIZE of the same file. ``python -m benchmarks.inventory [--rows 10000000]``."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.measure import Measured, measure

BARE = """
import sys, duckdb
connection = duckdb.connect(config={"memory_limit": "1400MB", "temp_directory": sys.argv[2]})
print(len(connection.execute("SUMMARIZE SELECT * FROM read_csv(?)", [sys.argv[1]]).fetchall()))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inventory", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table = folder / "data" / "big.csv"
        table.parent.mkdir()
        write_table(table, arguments.rows)
        print(
            f"{arguments.rows:,} rows × 20 columns, {table.stat().st_size / 1e6:,.0f} MB; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        command = [
            str(Path(sys.executable).parent / "leitstand"),
            "inventory",
            str(table.parent),
            "--output",
            str(folder / "out"),
            "--json",
        ]
        bare = [sys.executable, "-c", BARE, str(table), str(folder / "spill")]
        for _ in range(arguments.rounds):
            for name, called in (("inventory", command), ("SUMMARIZE", bare)):
                show(name, measure(called, folder, {"LEITSTAND_HOME": str(folder / "home")}), arguments.rows)


def show(name: str, one: Measured, rows: int) -> None:
    """Print one measurement."""
    print(
        f"{name:10} {one.wall:7.1f} s wall {one.cpu:7.1f} s CPU {one.peak_mb:6.0f} MB {rows / one.wall:12,.0f} rows/s", flush=True
    )


def write_table(path: Path, rows: int) -> None:
    """Write times, keys, categories, counts, sensors and a column with gaps."""
    columns = [
        "i AS id",
        "TIMESTAMP '2023-01-01' + INTERVAL (i) SECOND AS measured_at",
        "(ARRAY['line_a', 'line_b', 'line_c'])[1 + (i % 3)] AS line",
        "'P' || (hash(i) % 500) AS product",
        "(hash(i * 7) % 1000)::INT AS count_a",
        "(hash(i * 11) % 3)::INT AS state",
        *(f"round(50 + 20 * sin(i / {1000 + number}) + random(), 3) AS sensor_{number:02d}" for number in range(13)),
        "CASE WHEN random() < 0.02 THEN NULL ELSE round(random() * 100, 2) END AS quality",
    ]
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        connection.execute(f"COPY (SELECT {', '.join(columns)} FROM range({rows}) r(i)) TO '{path}' (HEADER)")


if __name__ == "__main__":
    main()
