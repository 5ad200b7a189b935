"""M1, status quo: which data are there, what are they like, and what is today's figure?"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pandas as pd

from data_contracts.inventory.essentials import essentials
from flows.grown import current, is_synthetic
from flows.stage import stage
from flows.workspace import Desk, read_table
from infra.snapshots import Snapshot
from leitstand.milestones import Milestone, milestone
from leitstand.spec import Source


@dataclass(frozen=True)
class Inventory:
    """The data as they came, and the milestone.

    Parameters
    ----------
    frame : the project's table before its contract was checked
    sources : what each source is, without any password
    synthetic : whether built-in synthetic data are among them
    snapshot : the data version that the frame is, where deliveries have made one
    """

    frame: pd.DataFrame
    sources: dict[str, str]
    synthetic: bool
    milestone: Milestone
    snapshot: Snapshot | None = None


@stage("status-quo")
def status_quo(desk: Desk) -> Inventory:
    """M1: read what there is, with all that deliveries have brought, and say what it is."""
    started = perf_counter()
    desk.report("M1", "read")
    snapshot = current(desk)
    if snapshot is None:
        frame, synthetic = read_sources(desk)
    else:
        frame, synthetic = desk.snapshots.load(desk.project.name, snapshot.version), is_synthetic(desk)
    sources = {name: describe(source) for name, source in desk.project.spec.data.sources.items()}
    if snapshot is not None:
        sources["incoming"] = f"data version {snapshot.version[:12]}"
    figure, data = desk.project.spec.key_figure, desk.project.spec.data
    inputs = len(set(desk.project.contract.names) - desk.project.spec.not_learned)
    evidence = {
        "rows": len(frame),
        "columns": len(frame.columns),
        "missing_share": round(float(frame.isna().to_numpy().mean()), 4),
        "personal_data": [column.name for column in desk.project.contract.columns if column.personal_data != "none"],
        "guesses": sum(len(column.guesses) for column in desk.project.contract.columns),
        "key_figure_today": figure.today,
        "key_figure_source": figure.source,
        "owner": desk.project.spec.owner.name,
        **essentials(frame, target=data.target, time=data.time, inputs=inputs),
    }
    missing = () if figure.today is not None else ("key_figure_today",)
    closed = milestone("M1", "passed" if not missing else "open", perf_counter() - started, evidence, missing)
    return Inventory(frame, sources, synthetic, closed, snapshot)


def read_sources(desk: Desk) -> tuple[pd.DataFrame, bool]:
    """Return the table that the project's sources make before its contract is checked, and whether it is synthetic.

    Raises
    ------
    SourceError
        If a source cannot be read.
    """
    synthetic = write_sample(desk)
    tables = {name: read(desk, source) for name, source in desk.project.spec.data.sources.items()}
    return desk.project.prepare(tables), synthetic


def write_sample(desk: Desk) -> bool:
    """Write the built-in data where the project learns from them, unless they are there from this seed and code; say whether they are synthetic."""
    if not desk.project.uses_sample:
        return False
    sample = desk.project.sample()
    folder = desk.settings.folder("samples") / desk.project.name
    seed, note = desk.project.spec.split.seed, folder.with_suffix(".made")
    made_from = f"{seed} {hashlib.sha256((desk.project.folder / 'sample.py').read_bytes()).hexdigest()}"
    if not folder.exists() or not note.exists() or note.read_text() != made_from:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:  # a sample killed half-way must not pass for a whole one
            made = Path(scratch) / desk.project.name
            made.mkdir()
            sample.write(made, seed)
            if folder.exists():
                folder.rename(Path(scratch) / "before")
            made.rename(folder)
            note.write_text(made_from)
    return bool(sample.SYNTHETIC)


def read(desk: Desk, source: Source) -> pd.DataFrame:
    """Return one source's table as it stands there.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    samples = desk.settings.root / "samples" / desk.project.name
    return read_table(source, desk.settings.workspace, samples, desk.project.contract)


def describe(source: Source) -> str:
    """Return what a source is in one line, without passwords."""
    if source.database is not None:
        return f"database table {source.table}" if source.table else "database query"
    if source.sample is not None:
        return f"built-in sample {source.sample}"
    return str(source.file or source.folder)
