"""A contract check of a million rows beside a plain DuckDB scan that does the same checks; prints the seconds of each step."""

import sys
import time
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.job import HIGH, LOW
from infra.settings import calm_tools, load_settings

calm_tools()


def main(parquet: Path, rounds: int) -> None:
    """Check and keep the table ``rounds`` times, in turn with DuckDB."""
    from data_contracts.checking import check
    from data_contracts.odcs import read_contract
    from infra.snapshots import SnapshotStore

    contract = read_contract(Path("data_contracts/bench_job.odcs.yaml"))
    frame = pd.read_parquet(parquet)
    store = SnapshotStore(load_settings())
    for number in range(rounds):
        started = time.perf_counter()
        result = check(frame, contract)
        assert result.passed
        print(f"check {time.perf_counter() - started:.3f}")
        changed = result.accepted.assign(sensor_00=result.accepted["sensor_00"] + number)  # a new version every round
        started = time.perf_counter()
        store.save("bench_job", changed)
        print(f"snapshot {time.perf_counter() - started:.3f}")
        started = time.perf_counter()
        assert duckdb_check(frame, contract.names) == 0
        print(f"duckdb {time.perf_counter() - started:.3f}", flush=True)


def duckdb_check(frame: pd.DataFrame, names: list[str]) -> int:
    """Return how many rows break a rule, by one scan of the same frame; a Parquet file's statistics would spare DuckDB the scan."""
    sensors = [name for name in names if name.startswith("sensor_")]
    rules = [f"({name} IS NULL OR {name} NOT BETWEEN {LOW} AND {HIGH})" for name in sensors] + ["faulty NOT IN (0, 1)"]
    connection = duckdb.connect()
    connection.register("rows_checked", frame)
    [(broken,)] = connection.execute(f"SELECT count(*) FROM rows_checked WHERE {' OR '.join(rules)}").fetchall()
    return int(broken)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
