"""What answers when the champion must not or cannot: as ``when_it_errs.fallback`` in project.yaml says, and never without saying so."""

import logging
from collections.abc import Iterator
from copy import copy
from typing import Protocol

from infra.history import Standing
from leitstand.errors import LeitstandError, ServiceError
from leitstand.project import Project
from leitstand.texts import Language, text
from serving.endpoint import Endpoint
from serving.preparing import BeingPrepared
from serving.problems import Problem, of_error, without_folders

logger = logging.getLogger("bentoml.leitstand")
RETRY_SECONDS = 60  # a person seldom decides sooner
PREPARED_SECONDS = 5


class Loader(Protocol):
    """Whoever can load a version."""

    def loaded(self, project: Project, version: int, old: Endpoint | None = None) -> Endpoint:
        """Return a version to answer as champion."""
        ...

    def fallback(self, project: Project, version: int) -> Endpoint:
        """Return a version to answer in the champion's place."""
        ...

    def baseline(self, project: Project, version: int) -> Endpoint:
        """Return the baseline of a version."""
        ...

    def earlier_champions(self, name: str) -> list[int]:
        """Return the champions before the current one, the latest first."""
        ...


def paused(project: Project, standing: Standing, version: int, old: Endpoint | None, loader: Loader) -> Endpoint:
    """Return what answers while a project is paused.

    Where a person decides, that is the champion, told not to: its schema, its page and its labels go on.

    Parameters
    ----------
    version : of the champion
    old : what answered until now

    Raises
    ------
    LeitstandError
        If not even the champion can be loaded.
    """
    found = next(substitutes(project, version, loader), None)
    if found is None:
        found = loader.loaded(project, version, old)
        found.rollout, found.refusal = None, paused_error(project, standing)
    found.paused = True
    return found


def instead(project: Project, version: int, old: Endpoint | None, loader: Loader, error: LeitstandError) -> Endpoint:
    """Return what answers for a champion that cannot be loaded: what answered until now, or else what project.yaml wants.

    Parameters
    ----------
    version : of the champion
    error : why it cannot

    Raises
    ------
    LeitstandError
        ``error``, if nothing else is to answer or can.
    """
    logger.error("%s version %s cannot answer: %s", project.name, version, error)
    if old is not None and old.version not in (0, version) and old.refusal is None:
        logger.error("%s stays at version %s", project.name, old.version)
        stays = copy(old)
        stays.fallback, stays.rollout = True, None
        return stays
    found = next(substitutes(project, version, loader), None)
    if found is None:
        raise error
    return found


def substitutes(project: Project, version: int, loader: Loader) -> Iterator[Endpoint]:
    """Yield what may answer in a champion's place, the best first; nothing where a person decides."""
    wanted = project.spec.when_it_errs.fallback
    if wanted == "person":
        return
    earlier = [one for one in dict.fromkeys(loader.earlier_champions(project.name)) if one != version]
    tried = [version, *earlier] if wanted == "baseline" else earlier
    load = loader.baseline if wanted == "baseline" else loader.fallback
    for one in tried:
        try:
            yield load(project, one)
        except LeitstandError as error:
            logger.error("%s: version %s cannot step in: %s", project.name, one, error)


def paused_error(project: Project, standing: Standing) -> LeitstandError:
    """Return what a paused project says."""
    contact = project.spec.when_it_errs.contact
    since = f"{standing.since:%Y-%m-%d %H:%M} UTC"
    key = "serving.person_decides_contact" if contact else "serving.person_decides"
    return ServiceError(key, project=project.name, why=_sentence(standing.why), since=since, contact=contact or "")


def _sentence(reason: str) -> str:
    """Return a reason with a full stop at its end."""
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def person_decides(refusal: LeitstandError) -> Problem:
    """Return the answer of a project that is paused and whose fallback is a person."""
    problem = of_error(503, "person_decides", refusal)
    problem.headers["Retry-After"] = str(RETRY_SECONDS)
    return problem


def unavailable(error: LeitstandError) -> Problem:
    """Return the answer of a project of which nothing can be loaded; loading is tried again and again."""
    if isinstance(error, BeingPrepared):
        return being_prepared(error)

    def detail(language: Language) -> str:
        return f"{without_folders(error, language)} {text('serving.person_meanwhile', language)}"

    return Problem(503, "model_unavailable", detail, headers={"Retry-After": str(RETRY_SECONDS)})


def being_prepared(error: BeingPrepared) -> Problem:
    """Return the answer of a project, or of the whole service, whose model is not ready yet."""
    problem = of_error(503, "being_prepared", error)
    problem.headers["Retry-After"] = str(PREPARED_SECONDS)
    return problem
