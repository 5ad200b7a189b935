"""A place to run the command line in: a state folder and a workspace of their own, and the tables that the tests bring along."""

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import psutil
import yaml

QUICK_MODEL = """
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from leitstand.pipelines import encode


def candidates(features, parameters):
    last = {"classification": LogisticRegression(max_iter=2000), "regression": Ridge()}["%s"]
    return {"only": make_pipeline(encode(features, scale=True), last)}
"""


@dataclass(frozen=True)
class Outcome:
    """How a call of the command line ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def told(self) -> str:
        """What a person read, on one line."""
        return " ".join(self.stderr.split())


@dataclass
class Workshop:
    """``workshop("run", "parts")`` calls the command line in this process; ``start`` does in another."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def variables(self) -> dict[str, str]:
        return {"LEITSTAND_HOME": str(self.home), "LEITSTAND_WORKSPACE": str(self.work), **self.environment}

    def __call__(self, *arguments: object) -> Outcome:
        from flows.cli.app import main

        out, err = io.StringIO(), io.StringIO()
        code = 0
        with (
            patch.dict(os.environ, self.variables),
            patch.object(sys, "argv", ["leitstand", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as stop:
                code = int(stop.code or 0)
        return Outcome(code, out.getvalue(), err.getvalue())

    def done(self, *arguments: object) -> Outcome:
        """Call the command line and expect that it does what it was asked for."""
        made = self(*arguments)
        assert made.code == 0, made.stdout + made.stderr
        return made

    def start(self, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
        """Call the command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.work,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **self.variables},
            **options,
        )

    def processes(self) -> list[psutil.Process]:
        """Return the processes of others that work on this state folder; Python's own tracker of resources ends with this process."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mine = process.environ().get("LEITSTAND_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE
                tracker = process.ppid() == os.getpid() and "multiprocessing.resource_tracker" in " ".join(process.cmdline())
                if mine and not tracker and process.pid != os.getpid():
                    found.append(process)
        return found

    def project(self, name: str = "parts", task: str = "classification", **changes: Any) -> Path:
        """Make a project from a small table, quick to train; return its folder."""
        file = self.table(f"{name}.csv", parts())
        target = "quality" if task == "classification" else "hardness"
        self.done("new", name, "--data", file, "--target", target, "--task", task)
        folder = self.work / "projects" / name
        (folder / "model.py").write_text(QUICK_MODEL % task, encoding="utf-8")
        quick = {"learning_curve": False, "importance": False}
        gates = {"champion_tolerance": 0.1, "max_latency_ms": 60_000}  # a busy machine must fail no test
        self.edit(name, training=quick, gates=gates, **changes)
        return folder

    def edit(self, name: str, **changes: Any) -> None:
        """Change sections of a project.yaml."""
        path = self.work / "projects" / name / "project.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in changes.items():
            content[key] = content[key] | value if isinstance(content.get(key), dict) else value
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def table(self, name: str, frame: pd.DataFrame, **options: Any) -> Path:
        """Write a table into the workspace."""
        path = self.work / name
        frame.to_csv(path, index=False, **options)
        return path

    def copy(self, folder: Path) -> "Workshop":
        """Return a copy with everything in it, its paths set right."""
        shutil.copytree(self.folder, folder)
        moved = Workshop(folder, dict(self.environment))
        for file in (*moved.home.rglob("mlflow.db"), *moved.home.glob("data/.dvc/config")):
            _rename_paths(file, str(self.folder), str(folder))
        for file in moved.work.rglob("project.yaml"):
            _rename_paths(file, str(self.folder), str(folder))
        return moved

    def state(self, project: str) -> dict[str, Any]:
        """Return what counts: versions with their alias, promotions, and data versions."""
        told = self.done("history", project, "--json").document
        snapshots = [path.name for path in (self.home / "data" / project).glob("*") if path.is_dir() and path.name[0] != "."]
        return {
            "versions": [(one["version"], one["alias"], one["data_version"]) for one in told["versions"]],
            "history": [(one["kind"], one["to_version"]) for one in told["history"]],
            "snapshots": sorted(snapshots),
        }


def _rename_paths(file: Path, old: str, new: str) -> None:
    if file.suffix != ".db":
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        return
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                if "CHAR" in kind.upper() or "TEXT" in kind.upper():
                    database.execute(f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?)', (old, new))


def parts(rows: int = 240, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    """Parts with numbers, a category, a date, a short text and gaps; ``quality`` and ``hardness`` can be learned from them.

    Parameters
    ----------
    shift : in standard deviations, of the inputs, as when another material comes in
    """
    generator = np.random.default_rng(seed)
    pressure = generator.normal(50 + 5 * shift, 5, rows).round(3)
    temperature = generator.normal(200 + 10 * shift, 10, rows).round(3)
    risk = (pressure - 50) / 5 + (temperature - 200) / 10 + generator.normal(0, 0.4, rows) - 2 * shift
    notes = np.array(["ran smoothly after the change", "scratch at the edge", "tool was cleaned before", "noise from the drive"])
    frame = pd.DataFrame(
        {
            "part_id": [f"P{seed}-{number:05d}" for number in range(rows)],
            "made": pd.date_range("2024-01-02", periods=rows, freq="7h").strftime("%Y-%m-%d"),
            "pressure": pressure,
            "temperature": temperature,
            "material": generator.choice(["PE", "PP", "ABS"], rows),
            "note": [f"{notes[generator.integers(4)]} {generator.integers(1000)}" for _ in range(rows)],
            "hardness": (80 + 3 * risk + generator.normal(0, 1, rows)).round(2),
            "quality": np.where(risk > 0.8, "bad", "good"),
        }
    )
    frame.loc[generator.random(rows) < 0.05, "pressure"] = np.nan
    frame.loc[generator.random(rows) < 0.05, "material"] = None
    return frame
