"""How often monitoring cries wolf, and how soon it finds what has changed: the real ``monitor`` and ``decide`` on generated windows.

``python -m benchmarks.drift`` prints the table of RESULTS.md. Twenty inputs of mixed kinds: normal, correlated by a common factor, heavy-tailed
(Student's t with 3 degrees of freedom, log-normal, gamma), counts, categories, rare categories, yes or no, short texts. Windows of 500 rows,
reference of 3,000, policy as it is by default: 2 of 3 windows.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import norm

from leitstand.basis import Basis
from leitstand.contract import Column, Contract
from leitstand.decision import Decision, Look, Past, Signals, decide
from leitstand.dependence import design_effect, longest_run
from leitstand.project import Project
from leitstand.spec import parse_spec
from monitoring.report import monitor
from monitoring.result import MonitoringResult

ROWS, REFERENCE_ROWS = 500, 3_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = [f"number_{i}" for i in range(13)]
CATEGORIES = ["category_0", "category_1", "category_2", "rare"]
COLUMNS = [*NUMBERS, *CATEGORIES, "flag_0", "flag_1", "words"]
WORDS = np.array(["motor", "warm", "ruhig", "laut", "neu", "alt", "pumpe", "leise"])


def project() -> Project:
    kinds = {"words": "string", "flag_0": "boolean", "flag_1": "boolean"} | dict.fromkeys(CATEGORIES, "string")
    columns = [Column.model_validate({"name": name, "type": kinds.get(name, "number")}) for name in COLUMNS]
    columns[0] = columns[0].model_copy(update={"minimum": -6.0, "maximum": 6.0})
    content = {
        "project": "stream",
        "title": {"de": "Strom", "en": "Stream"},
        "task": "regression",
        "owner": {"name": "Ada"},
        "key_figure": {"name": {"de": "Zahl", "en": "Number"}, "unit": "1"},
        "data": {"sources": {"line": {"file": "line.csv"}}, "target": "target", "ordered": True},
    }
    contract = Contract(id="stream", table="stream", columns=(*columns, Column(name="target", type="number")))
    return Project(parse_spec(content, Path("project.yaml")), contract, Path(), ModuleType("stream"))


def rows(count: int, generator: np.random.Generator, memory: float = 0.0) -> pd.DataFrame:
    """Return rows of a stationary stream.

    Parameters
    ----------
    memory : correlation of each row with the one before; 0 for independent rows
    """
    noise = generator.normal(size=(count + 200, 20)) * np.sqrt(1 - memory**2)
    noise[:, :6] = 0.6 * noise[:, :6] + 0.8 * noise[:, [19]]  # a common factor
    moved = lfilter([1.0], [1.0, -memory], noise, axis=0)[200:]
    even = norm.cdf(moved)
    frame = pd.DataFrame({name: moved[:, i] for i, name in enumerate(NUMBERS)})
    frame["number_6"] = _student(even[:, 6])
    frame["number_7"] = _student(even[:, 7])
    frame["number_8"] = np.exp(moved[:, 8])
    frame["number_9"] = np.exp(1.5 * moved[:, 9])
    frame["number_10"] = -np.log1p(-even[:, 10])
    frame["number_11"] = np.floor(-4 * np.log1p(-even[:, 11]))
    frame["number_12"] = np.where(even[:, 12] < 0.7, 0.0, moved[:, 12])  # mostly nothing
    for i, name in enumerate(CATEGORIES[:3]):
        frame[name] = np.array(["A", "B", "C", "D"])[np.searchsorted([0.5, 0.8, 0.95], even[:, 13 + i])]
    frame["rare"] = np.char.add("supplier ", (40 * even[:, 16] ** 2).astype(int).astype(str)).astype(object)
    frame["flag_0"], frame["flag_1"] = even[:, 17] < 0.3, even[:, 18] < 0.05
    frame["words"] = [" ".join(generator.choice(WORDS, 4)) + f" {generator.integers(10**6)}" for _ in range(count)]
    return frame.assign(prediction=moved[:, 0] + moved[:, 1])


def _student(even: np.ndarray) -> np.ndarray:
    from scipy.stats import t

    values: np.ndarray = t.ppf(even, 3)
    return values


@dataclass
class Watch:
    """One champion in use: windows come one after the other, and each is remembered as the loop does."""

    project: Project
    reference: pd.DataFrame
    past: tuple[Look, ...] = ()
    number: int = 0

    def __post_init__(self) -> None:
        self.basis = Basis(
            rows=len(self.reference),
            longest_runs={name: longest_run(self.reference[name]) for name in COLUMNS},
            dependence={name: design_effect(self.reference[name]) for name in COLUMNS},
        )

    def see(self, window: pd.DataFrame) -> tuple[MonitoringResult, Decision]:
        start, end = (BEGIN + timedelta(hours=self.number + step) for step in (0, 1))
        self.number += 1
        found = monitor(self.project, self.reference, window, reference_metrics={}, basis=self.basis, span=(start, end))
        seen = Signals(
            enough=found.enough,
            rows=found.window_rows,
            start=start,
            end=end,
            watched=len(found.columns),
            drifted={one.name: one.weight for one in found.columns if one.drifted},
            input_drift=found.input_drift,
            drifted_share=found.drifted_share,
            prediction_drift=found.prediction_drift,
            broken_columns=found.broken,
        )
        decision = decide(self.project.spec, seen, Past(looks=self.past))
        self.past = (Look(start=start, end=end, enough=found.enough, findings=seen.findings), *self.past[:5])
        return found, decision


def streams(runs: int, memory: float) -> Iterator[tuple[Watch, np.random.Generator]]:
    made = project()
    for seed in range(runs):
        generator = np.random.default_rng(1000 + seed)
        yield Watch(made, rows(REFERENCE_ROWS, generator, memory)), generator


def false_alarms(runs: int, windows: int, memory: float) -> tuple[int, int, int]:
    """Return windows, those with any column called drifted or broken, and those at which anything was decided."""
    seen = alarms = decided = 0
    for watch, generator in streams(runs, memory):
        for _ in range(windows):
            found, decision = watch.see(rows(ROWS, generator, memory))
            seen += 1
            alarms += bool(found.drifted or found.prediction_drift or found.broken)
            decided += decision.action != "nothing"
    return seen, alarms, decided


def found_within_two(runs: int, shift: float, memory: float) -> float:
    """Return the share of runs in which a shift of one number column is acted on in the first or second window after it."""
    hits = 0
    for number, (watch, generator) in enumerate(streams(runs, memory)):
        watch.see(rows(ROWS, generator, memory))
        name = NUMBERS[number % len(NUMBERS)]
        scale = float(watch.reference[name].std())
        for _ in range(2):
            window = rows(ROWS, generator, memory)
            found, decision = watch.see(window.assign(**{name: window[name] + shift * scale}))
            if decision.action != "nothing" and name in found.drifted:
                hits += 1
                break
    return hits / runs


def stuck(window: pd.DataFrame, name: str) -> pd.DataFrame:
    return window.assign(**{name: float(window[name].iloc[0])})


def frozen(window: pd.DataFrame, name: str) -> pd.DataFrame:
    values = window[name].to_numpy(copy=True)
    values[len(values) // 2 :] = values[len(values) // 2]
    return window.assign(**{name: values})


def missing(window: pd.DataFrame, name: str) -> pd.DataFrame:
    return window.assign(**{name: window[name].where(np.arange(len(window)) % 3 > 0)})


def out_of_range(window: pd.DataFrame, name: str) -> pd.DataFrame:
    return window.assign(**{name: np.where(np.arange(len(window)) % 4 > 0, window[name], 9999.0)})


def found_at_once(runs: int, damage: Callable[[pd.DataFrame, str], pd.DataFrame], names: list[str]) -> float:
    """Return the share of runs in which the first window with a broken sensor is handed to a person."""
    hits = 0
    for number, (watch, generator) in enumerate(streams(runs, 0.0)):
        name = names[number % len(names)]
        found, decision = watch.see(damage(rows(ROWS, generator), name))
        hits += decision.action == "ask" and name in found.broken
    return hits / runs


def table(runs: int, windows: int) -> list[tuple[str, str, str]]:
    told = []
    for memory, what in ((0.0, "independent rows"), (0.8, "slow process, neighbours correlate by 0.8")):
        seen, alarms, decided = false_alarms(runs, windows, memory)
        told.append((f"stationary, {what}: windows with any column called drifted or broken", f"{alarms} of {seen}", "–"))
        told.append((f"stationary, {what}: windows at which anything was decided", f"{decided} of {seen}", "≤ 1 in 100"))
    many = 20 * runs
    for shift, goal in ((0.5, "≥ 95 %"), (0.3, "–")):
        share = found_within_two(many, shift, 0.0)
        told.append(
            (f"shift of {shift} standard deviations in one of 20 columns: found within 2 windows", f"{100 * share:.1f} %", goal)
        )
    share = found_within_two(many, 1.0, 0.8)
    told.append(("shift of 1 standard deviation, slow process: found within 2 windows", f"{100 * share:.1f} %", "–"))
    ranged, others = ["number_0"], [name for name in NUMBERS if name != "number_12"]
    for name, damage, columns in (
        ("stuck at one value", stuck, others),
        ("frozen half-way", frozen, others),
        ("a third missing", missing, NUMBERS),
        ("a quarter out of range", out_of_range, ranged),
    ):
        share = found_at_once(2 * runs, damage, columns)
        told.append((f"broken sensor, {name}: found in the first window", f"{100 * share:.1f} %", "100 %"))
    return told


def seconds_per_look(repeats: int = 10) -> float:
    watch, generator = next(streams(1, 0.0))
    windows = [rows(ROWS, generator) for _ in range(repeats)]
    watch.see(windows[0])
    started = time.perf_counter()
    for window in windows:
        watch.see(window)
    return (time.perf_counter() - started) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--windows", type=int, default=50)
    options = parser.parse_args()
    measure = partial(table, options.runs, options.windows)
    lines = [*measure(), ("one look: monitor and decide, 20 columns, 500 rows", f"{1000 * seconds_per_look():.0f} ms", "–")]
    print("| what | found | goal |\n|---|---|---|")
    for line in lines:
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
