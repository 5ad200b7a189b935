"""Whether there is anything new to learn from since the last training."""

from datetime import datetime
from pathlib import Path

from flows.admission import SOURCES
from flows.workspace import Desk
from infra.passes import Pass
from leitstand.spec import Source


def new_labelled_rows(desk: Desk, since: datetime | None, training: Pass | None, sources: str | None) -> int | None:
    """Return how many labelled rows came in since the last training; None where nobody can know without reading the sources.

    Where the project takes in deliveries, they know; from the sources, which are the first of them, the champion has learned already. Otherwise
    files that look as they did at the last training hold nothing new.

    Parameters
    ----------
    since : when that was, aware; None where there was none
    training : the pass that trained, if one did
    sources : as ``sources_state`` gives it
    """
    taken = [one for one in desk.deliveries.read(desk.project.name) if one.state in ("taken", "allowed")]
    if taken and since is not None:
        return sum(one.labelled for one in taken if one.time > since and one.kind != SOURCES)
    unchanged = training is not None and sources is not None and training.figures.get("sources") == sources
    return 0 if unchanged else None


def sources_state(desk: Desk) -> str | None:
    """Return what tells whether the project's files have changed: their sizes and times; None where a source is no file."""
    told = [_state(source, desk.settings.workspace) for source in desk.project.spec.data.sources.values()]
    return None if None in told else "; ".join(state for state in told if state is not None)


def _state(source: Source, base: Path) -> str | None:
    if source.sample is not None:
        return source.sample
    place = source.file if source.file is not None else source.folder
    if place is None:
        return None
    path = base / place if source.file is not None else base / place / source.manifest
    try:
        stat = path.stat()
    except OSError:
        return None
    return f"{place} {stat.st_size} {stat.st_mtime_ns}"
