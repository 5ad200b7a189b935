"""Batch prediction of millions of rows: ``leitstand predict`` beside a bare loop over the same chunks.

``python -m benchmarks.batch [--rows 10000000] [--format parquet|csv] [--rounds 1]`` prints a table. The bare loop reads a chunk with Arrow, calls
``predict_proba`` and writes the rows with the probabilities: no check, no ids, no flags, nothing to go on with after a kill. Both write all columns.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks.job import COLUMNS, write_project, write_table
from benchmarks.measure import Measured, measure, median

CHUNK_ROWS = 50_000
TRAINED_ROWS = 100_000
BIN = Path(sys.executable).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as scratch:
        print(section(Path(scratch), arguments.rows, arguments.format, arguments.rounds), flush=True)


def section(scratch: Path, rows: int, kind: str, rounds: int) -> str:
    """Train once, measure in turn, and return the table of results."""
    workspace, data = scratch / "batch", scratch / f"rows.{kind}"
    workspace.mkdir()
    own("write", str(data), str(rows))  # in a process of its own: its memory would count for every child started after it
    own("train", str(workspace))
    release = next((workspace / ".leitstand" / "releases" / "bench_job").glob("*/release.json")).parent
    output = scratch / f"answers.{kind}"
    bare = [sys.executable, "-m", "benchmarks.batch_bare", str(release), str(data), str(output)]
    ours = [
        str(BIN / "leitstand"),
        "predict",
        "bench_job",
        "--data",
        str(data),
        "--output",
        str(output),
        "--log",
        "ids",
        "--json",
    ]
    variables = {**environment(workspace), "PYTHONPATH": str(Path(__file__).parent.parent)}
    found: dict[str, list[Measured]] = {"bare loop": [], "`leitstand predict --log ids`": []}
    alone: list[float] = []
    for _ in range(rounds):
        found["bare loop"].append(measure(bare, workspace, variables))
        alone.append(float((workspace / "output.log").read_text().split()[-1]))
        found["`leitstand predict --log ids`"].append(measure(ours, workspace, variables))
    base = median([one.wall for one in found["bare loop"]])
    lines = [
        f"| `predict_proba` alone, within the bare loop | {median(alone):.1f} | – | {rows / median(alone):,.0f} | {base / median(alone):.2f} | – |"
    ]
    for label, runs in found.items():
        wall, cpu, peak = (median([getattr(one, name) for one in runs]) for name in ("wall", "cpu", "peak_mb"))
        lines.append(f"| {label} | {wall:.1f} | {cpu:.1f} | {rows / wall:,.0f} | {base / wall:.2f} | {peak:.0f} |")
    title = f"\n## Batch: {rows:,} × {COLUMNS} rows from {kind} to {kind}, 100 boosted trees\n\n"
    return (
        title
        + "| what | s | CPU s | rows/s | speed / bare (goal ≥ 0.8) | peak MB (goal ≤ 1000) |\n|---|---|---|---|---|---|\n"
        + "\n".join(lines)
        + "\n"
    )


def own(what: str, *arguments: str) -> None:
    """Do a preparation in a process of its own."""
    code = f"import sys; from benchmarks import batch; batch.{what}(*sys.argv[1:])"
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=Path(__file__).parent.parent)


def environment(workspace: Path) -> dict[str, str]:
    return {
        "LEITSTAND_HOME": str(workspace / ".leitstand"),
        "LEITSTAND_WORKSPACE": str(workspace),
        "LEITSTAND_PREFECT_URL": "http://127.0.0.1:9/api",
        "GOMP_SPINCOUNT": "10000",  # as Leitstand sets it: a busy machine must not make the bare loop look slow
    }


def write(path: str, rows: str) -> None:
    """Write random rows chunk by chunk."""
    with Path(path).open("wb") as file:
        tables = chunks(int(rows))
        first = next(tables)
        writer = (
            pq.ParquetWriter(file, first.schema, use_dictionary=False)
            if path.endswith(".parquet")
            else pacsv.CSVWriter(file, first.schema)
        )
        with writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)


def chunks(rows: int) -> Iterator[pa.Table]:
    generator = np.random.default_rng(1)
    for start in range(0, rows, 2 * CHUNK_ROWS):
        values = generator.normal(0, 1, (COLUMNS, min(2 * CHUNK_ROWS, rows - start))).round(6).clip(-7.9, 7.9)
        yield pa.table({f"sensor_{i:02d}": values[i] for i in range(COLUMNS)})


def train(workspace: str) -> None:
    """Train and promote the model of the lifecycle benchmark."""
    table = Path(workspace) / "table.csv"
    write_table(table, TRAINED_ROWS)
    write_project(Path(workspace), table)
    command = [str(BIN / "leitstand"), "run", "bench_job", "--no-service", "--json"]
    subprocess.run(
        command, check=True, cwd=workspace, env={**os.environ, **environment(Path(workspace))}, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
