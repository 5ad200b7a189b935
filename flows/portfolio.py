"""What the portfolio is made from: the projects with the evidence there is of each, and the ideas in ``ideas.yaml``."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.stock import stock_of
from infra.history import History, Promotion
from infra.settings import Settings
from infra.snapshot_notes import SnapshotNotes
from leitstand.assumptions import Errors, ErrorsPerKind
from leitstand.errors import LeitstandError, ProjectError
from leitstand.folders import find_projects
from leitstand.portfolio import OF_STOCK, Candidate, Evidence, Idea, Place, rank
from leitstand.questionnaire import FILE as READINESS
from leitstand.questionnaire import read_answers, require_all
from leitstand.readiness import Profile, profile
from leitstand.spec import ProjectSpec, describe, load_spec, read_yaml

IDEAS = "ideas.yaml"


def portfolio(settings: Settings) -> tuple[Place, ...]:
    """Return all projects and ideas in the order of the portfolio; what cannot be read has its problem instead of figures.

    Raises
    ------
    StateError
        If the database with the evidence cannot be read.
    """
    projects = tuple(_projects(settings))
    ready = readiness(settings)
    ideas = _ideas(settings.workspace / IDEAS, {one.name for one in projects})
    return rank((*projects, *ideas), None if ready is None else ready.total)


def readiness(settings: Settings) -> Profile | None:
    """Return the company's readiness; None where the questionnaire is not answered to the end, or cannot be read."""
    path = settings.workspace / READINESS
    if not path.is_file():
        return None
    try:
        answers = read_answers(path)
        require_all(answers, path)
    except LeitstandError:
        return None
    return profile(answers)


def evidence(project: str, settings: Settings, spec: ProjectSpec | None = None) -> Evidence:
    """Return what there is of a project today.

    Parameters
    ----------
    spec : names the sources that are looked up in the inventory; without it that is left out
    """
    notes = SnapshotNotes(settings.database("history"))
    try:
        deliveries = notes.read(project)
    finally:
        notes.close()
    _, rows, _, provenance = deliveries[-1] if deliveries else ("", 0, None, {})
    promotion = reigning(project, settings)
    return Evidence(
        data_rows=rows,
        synthetic=bool(provenance.get("synthetic", False)),
        gates_passed=len(promotion.evidence.get("gates", ())) if promotion else 0,
        champion=promotion.to_version if promotion else None,
        stock=_worst([one.verdict for one in stock_of(spec, settings)]) if spec else None,
    )


def _worst(verdicts: Sequence[str | None]) -> str | None:
    """Return the verdict on the weakest source; a project needs them all. What could not be read is not usable."""
    if not verdicts:
        return None
    return min((one or "unusable" for one in verdicts), key=lambda one: OF_STOCK.get(one, 0.0))


def measured(project: str, settings: Settings) -> Errors | None:
    """Return the errors that the model in charge showed on its hold-out; None where no run has put it in charge."""
    promotion = reigning(project, settings)
    return errors_in(promotion.evidence) if promotion else None


def errors_in(evidence: Mapping[str, Any]) -> Errors | None:
    """Return the errors on the hold-out that an entry of the history rests on; None where it names none."""
    found = evidence.get("measured")
    if not found:
        return None
    if found.get("missed") is not None and found.get("false_alarm") is not None:
        return ErrorsPerKind(missed=found["missed"], false_alarm=found["false_alarm"])
    return float(found["error"])


def reigning(project: str, settings: Settings) -> Promotion | None:
    """Return the promotion that put the model now in charge there, also where a rollback has brought it back."""
    history = History(settings.database("history"))
    try:
        entries, champion = history.read(project), history.current().get(project)
    finally:
        history.close()
    promotions = [one for one in entries if one.to_version == champion and one.kind == "promote"]
    return promotions[-1] if promotions else None


def _projects(settings: Settings) -> Iterator[Candidate]:
    for name, folder in find_projects(settings.roots).items():
        try:
            spec = load_spec(folder / "project.yaml")
        except LeitstandError as problem:
            yield Candidate(name, "project", problem=problem)
        else:
            yield Candidate(name, "project", spec.title, spec.benefit, evidence(name, settings, spec))


def _ideas(path: Path, taken: set[str]) -> Iterator[Candidate]:
    """Yield the ideas of the file; one that cannot be read does not keep the others out."""
    if not path.exists():
        return
    try:
        content = read_yaml(path)
    except LeitstandError as problem:
        yield Candidate(IDEAS, "idea", problem=problem)
        return
    if not isinstance(content, list):
        yield Candidate(IDEAS, "idea", problem=ProjectError("benefit.ideas_no_list", path=path, found=type(content).__name__))
        return
    for number, entry in enumerate(content, start=1):
        name = str(entry.get("name", number)) if isinstance(entry, dict) else str(number)
        try:
            idea = Idea.model_validate(entry)
        except ValidationError as error:
            yield Candidate(
                name, "idea", problem=ProjectError("benefit.idea_invalid", path=path, number=number, problems=describe(error))
            )
            continue
        if name in taken:
            yield Candidate(name, "idea", problem=ProjectError("benefit.idea_taken", path=path, number=number, name=name))
            continue
        taken.add(name)
        yield Candidate(name, "idea", idea.title, idea.benefit, estimate=idea.feasibility)
