"""Keeping the evidence of a run, and saying from it where each project stands today."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.odcs import read_contract
from flows.stock import stock_of
from flows.workspace import contract_path
from infra.evidence import EvidenceStore
from infra.history import History
from infra.settings import Settings
from infra.snapshot_notes import SnapshotNotes
from leitstand.contract import Contract
from leitstand.errors import LeitstandError
from leitstand.fingerprints import DIGITS, digest, fingerprints, rested_on
from leitstand.folders import find_projects, locate
from leitstand.milestones import MilestoneId
from leitstand.pilot import FILE as PILOT
from leitstand.pilot import read_answers as read_pilot
from leitstand.questionnaire import FILE as READINESS
from leitstand.questionnaire import read_answers
from leitstand.roadmap import Alarm, Record, Standing, Today, standings
from leitstand.spec import ProjectSpec, Source, load_spec
from monitoring.store import MonitoringStore

if TYPE_CHECKING:  # loads pandas and scikit-learn, which a table of milestones does not need
    from flows.workspace import Desk
    from leitstand.run_report import RunReport

HASHED_BYTES = (
    2_000_000_000  # of all files of a source; larger ones are known by size and time, for reading them would take too long
)
DETAILS: dict[MilestoneId, tuple[str, ...]] = {
    "M1": ("data",),
    "M4": ("data", "model", "gates", "benefit"),
    "M5": ("service", "decision"),
}


@dataclass(frozen=True)
class Place:
    """Where one project stands.

    Parameters
    ----------
    spec, standings : empty where the project could not be read
    problem : why it could not be
    """

    name: str
    spec: ProjectSpec | None = None
    standings: tuple[Standing, ...] = ()
    problem: LeitstandError | None = None


def rests_on(desk: "Desk") -> dict[str, str]:
    """Return the hashes of all that evidence may rest on. A run asks before it reads anything, so that what changes meanwhile makes it stale."""
    spec = desk.project.spec
    return fingerprints(spec, desk.project.contract, beside(spec, desk.project.folder, desk.settings))


def keep_evidence(desk: "Desk", report: "RunReport", known: Mapping[str, str], left_out: tuple[MilestoneId, ...] = ()) -> None:
    """Append what a run found about its milestones.

    Parameters
    ----------
    known : ``rests_on`` at the start of the run
    left_out : milestones that it did not look at

    Raises
    ------
    StateError
        If the database cannot be written.
    """
    content = report.model_dump(mode="json", include={name for names in DETAILS.values() for name in names})
    entries = [
        (one, rested_on(one.id, known), {name: content[name] for name in DETAILS.get(one.id, ())})
        for one in report.milestones
        if one.id not in left_out
    ]
    store = EvidenceStore(desk.settings.database("history"))
    try:
        store.append(
            report.project,
            entries,
            run_id=report.model.run_id,
            data_version=report.data.version,
            model_version=report.model.version,
        )
    finally:
        store.close()


def records(project: str, settings: Settings) -> list[Record]:
    """Return all evidence of a project, oldest first."""
    store = EvidenceStore(settings.database("history"))
    try:
        return store.read(project)
    finally:
        store.close()


def today(spec: ProjectSpec, contract: Contract, folder: Path, settings: Settings) -> Today:
    """Return what holds now of a project."""
    history, notes = History(settings.database("history")), SnapshotNotes(settings.database("history"))
    try:
        champions, deliveries = history.champions(spec.project), notes.read(spec.project)
    finally:
        history.close()
        notes.close()
    champion = champions[-1] if champions else None
    return Today(
        fingerprints=fingerprints(spec, contract, beside(spec, folder, settings)),
        champion=champion,
        data_version=deliveries[-1][0] if deliveries else None,
        alarm=_alarm(spec, champion, settings),
    )


def where(project: str, settings: Settings) -> Place:
    """Return where one project stands today.

    Raises
    ------
    UsageError
        If there is no such project (did you mean).
    ProjectError
        If its files are wrong.
    StateError
        If the evidence cannot be read, or is not what runs wrote.
    """
    folder = locate(project, settings.roots)
    spec = load_spec(folder / "project.yaml")
    contract = read_contract(contract_path(folder, spec))
    return Place(project, spec, standings(records(project, settings), today(spec, contract, folder, settings)))


def everywhere(settings: Settings) -> list[Place]:
    """Return where all projects stand; one that cannot be read has its problem instead and does not keep the others out."""
    places = []
    for name in find_projects(settings.roots):
        try:
            places.append(where(name, settings))
        except LeitstandError as problem:
            places.append(Place(name, problem=problem))
    return places


def beside(spec: ProjectSpec, folder: Path, settings: Settings) -> dict[str, str]:
    """Return the hashes of what stands in files: the data at their source, model.py, answers of people, the inventory."""
    found = {"data": digest({name: _source(source, spec, folder, settings) for name, source in spec.data.sources.items()})}
    code = folder / "model.py"
    if code.is_file():
        found["code"] = _hash([code])
    answers = settings.workspace / READINESS
    if answers.is_file():
        found["readiness"] = _content(answers, read_answers)
    checklist = folder / PILOT
    if checklist.is_file():
        found["pilot"] = _content(checklist, read_pilot)
    stock = stock_of(spec, settings)
    if stock:
        found["inventory"] = digest([one.plain() for one in stock])
    return found


def _content(path: Path, read: Callable[[Path], Any]) -> str:
    """Return a hash of the answers in a file, so that comments do not count; of the whole file where it cannot be read."""
    try:
        return digest(read(path))
    except LeitstandError:
        return _hash([path])


def _source(source: Source, spec: ProjectSpec, folder: Path, settings: Settings) -> Any:
    """Return what stands for the content of one source; of a database that is its address alone, for nobody wants it read for a table."""
    if source.database is not None:
        return source
    if source.sample is not None:  # made by sample.py from the seed
        return [source.sample, spec.split.seed, _hash([folder / "sample.py"])]
    place = settings.workspace / (source.file or source.folder or Path()).expanduser()
    try:
        content = _hash(sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place], place)
    except OSError as error:  # whoever reads the source says it better
        content = type(error).__name__
    how = source.model_dump(mode="json", exclude_defaults=True, exclude={"file", "folder"})  # another sheet, another decimal mark
    return [how, content] if how else content


def _hash(files: Sequence[Path], below: Path | None = None) -> str:
    whole = hashlib.sha256()
    for part in _parts([path for path in files if path.is_file()], below):
        whole.update(part)
    return whole.hexdigest()[:DIGITS]


def _parts(files: Sequence[Path], below: Path | None) -> Iterator[bytes]:
    small = sum(path.stat().st_size for path in files) <= HASHED_BYTES
    for path in files:
        if below is not None and below.is_dir():
            yield path.relative_to(below).as_posix().encode()
        if small:
            with path.open("rb") as file:
                yield hashlib.file_digest(file, "sha256").digest()
        else:
            yield f"{path.stat().st_size} {path.stat().st_mtime_ns}".encode()


def _alarm(spec: ProjectSpec, champion: int | None, settings: Settings) -> Alarm | None:
    """Return what the latest looks at the model in charge found wrong, in as many of them as project.yaml asks for."""
    latest = MonitoringStore(settings).newest(spec.project, champion, spec.monitoring.of_windows)
    enough = spec.monitoring.confirm_windows
    if sum(one.performance_drop is True for one in latest) >= enough:
        return "performance"
    return "drift" if sum(one.input_drift for one in latest) >= enough else None


def by_milestone(found: Sequence[Record]) -> Mapping[MilestoneId, Record]:
    """Return the newest evidence of each milestone."""
    return {record.milestone: record for record in found}
