"""The one job that all are measured on: 100,000 × 30 rows, 60 rules, gradient boosting, drift between two parts."""

from pathlib import Path

import numpy as np
import pandas as pd

ROWS, COLUMNS = 100_000, 30
LOW, HIGH = -8.0, 8.0


def write_table(path: Path, rows: int = ROWS, seed: int = 0) -> None:
    """Write the table as CSV: thirty numbers and a yes/no target that hangs on ten of them."""
    generator = np.random.default_rng(seed)
    values = generator.normal(0, 1, (rows, COLUMNS)).round(6)
    risk = values[:, :10] @ np.linspace(1, 0.1, 10) + values[:, 0] * values[:, 1] + generator.normal(0, 1, rows)
    frame = pd.DataFrame(values, columns=[f"sensor_{i:02d}" for i in range(COLUMNS)])
    frame["faulty"] = (risk > 1.5).astype(int)
    frame.to_csv(path, index=False)


def write_project(workspace: Path, table: Path) -> None:
    """Write the project ``bench_job``: the same rules and the same one model as the bare script."""
    folder = workspace / "projects" / "bench_job"
    folder.mkdir(parents=True)
    (workspace / "data_contracts").mkdir()
    (folder / "project.yaml").write_text(PROJECT.format(table=table), encoding="utf-8")
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    write_contract(workspace / "data_contracts" / "bench_job.odcs.yaml")


def write_contract(path: Path) -> None:
    """Write the contract: every column required (30 rules) and inside a range (30 rules), the target one of two values."""
    from data_contracts.odcs import write_contract as write
    from leitstand.contract import Column, Contract

    sensors = tuple(
        Column(name=f"sensor_{i:02d}", type="number", required=True, minimum=LOW, maximum=HIGH) for i in range(COLUMNS)
    )
    target = Column(name="faulty", type="integer", allowed=(0, 1))
    write(Contract(id="bench_job", table="bench_job", columns=(*sensors, target)), path)


PROJECT = """project: bench_job
title: {{de: Messlauf, en: Benchmark job}}
task: classification
owner: {{name: benchmarks}}
key_figure: {{name: {{de: Fehler, en: Faults}}, unit: "%", today: 20, source: made up}}
data:
  sources: {{table: {{file: {table}}}}}
  target: faulty
  positive: 1
when_it_errs: {{contact: nobody}}
"""

MODEL = '''"""One candidate, as in the bare script."""

from sklearn.ensemble import HistGradientBoostingClassifier


def candidates(features, parameters):
    return {"gradient_boosting": HistGradientBoostingClassifier(random_state=0)}
'''
