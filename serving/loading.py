"""Which models are served: loading them at the start, and following what the history says of champions, challengers and pauses."""

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from threading import Event, Thread
from time import monotonic

from data_contracts.odcs import find_contract, read_contract
from infra.history import Standing
from infra.packaged import open_releases, packaged
from infra.pseudonyms import pseudonymiser
from infra.releases import COMPILED_FOLDER, Release, Releases
from infra.settings import Settings
from leitstand.errors import LeitstandError, ModelError
from leitstand.folders import locate
from leitstand.project import Project, load
from leitstand.spec import Serving, load_spec
from serving.compiled import read_compilation
from serving.endpoint import Endpoint, Pseudonymise, without_values
from serving.released import ReleasedModel
from serving.rollout import Rollout
from serving.ruled import RuledRelease
from serving.standby import instead, paused

logger = logging.getLogger("bentoml.leitstand")
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 60.0  # until what could not be loaded is tried once more
CHILD_SECONDS = 600.0
COMPILED_TOGETHER = 20
Endpoints = dict[str, Endpoint | LeitstandError]


class Champions:
    """The endpoints of the served projects; ``endpoints`` is replaced as a whole, so that a reader never sees half an exchange.

    Parameters
    ----------
    names : projects to serve; None for every project that has a champion, also those that get one later
    compiling : whether a new champion is compiled before it is loaded
    """

    def __init__(self, names: Sequence[str] | None, settings: Settings, compiling: bool = True) -> None:
        self._names, self._settings = names, settings
        self._compiling = compiling and packaged() is None  # a package is not written to, and has no compiler
        self._releases = open_releases(settings)
        self._stopped = Event()
        self._again: dict[str, float] = {}
        self._seen = self._wanted()
        if self._compiling:
            compile_releases(self._releases, self._on_this_machine())
        self.endpoints: Endpoints = {name: self._settled(name, standing, None) for name, standing in self._seen.items()}

    def watch(self, also: Callable[[], None]) -> None:
        """Look every second whether the history says something new, in a thread of its own, and do what else is due then."""

        def look() -> None:
            while not self._stopped.wait(LOOK_SECONDS):
                try:
                    self.look()
                    also()
                except LeitstandError as error:
                    logger.error("%s", error)  # such as a database that is away for a moment: what is loaded answers on
                except Exception as error:
                    logger.error("%s", without_values(error))

        Thread(target=look, name="champions", daemon=True).start()

    def limits(self) -> dict[str, Serving]:
        """Return what project.yaml says about serving, for every project that answers."""
        return {name: one.project.spec.serving for name, one in self.endpoints.items() if isinstance(one, Endpoint)}

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._releases.close()

    def look(self) -> None:
        """Do what the history says and is not done; the endpoint before answers until the new one is ready."""
        for name, standing in self._wanted().items():
            is_due = monotonic() >= self._again.get(name, inf)  # what could not be loaded may be there by now
            if name in self._seen and self._seen[name] == standing and not is_due:
                continue
            self.endpoints = {**self.endpoints, name: self._settled(name, standing, self.endpoints.get(name))}
            self._seen[name] = standing

    def _wanted(self) -> dict[str, Standing | None]:
        standings = self._releases.standings()
        if self._names is not None:
            return {name: standings.get(name) for name in self._names}
        return {name: one for name, one in sorted(standings.items()) if one.champion is not None}

    def _on_this_machine(self) -> list[Release]:
        """Return the releases of the champions that are here and whole."""
        found = []
        for name, standing in self._seen.items():
            if standing is not None and standing.champion is not None and self._releases.has(name, standing.champion):
                with suppress(LeitstandError):  # said when it is to be loaded
                    found.append(self._releases.read(name, standing.champion))
        return found

    def _settled(self, name: str, standing: Standing | None, old: Endpoint | LeitstandError | None) -> Endpoint | LeitstandError:
        """Return what is to answer for a project, or why nothing can.

        Parameters
        ----------
        old : what answered until now; what is loaded already is not loaded again
        """
        self._again.pop(name, None)
        try:
            project = served_project(name, self._settings)
            if standing is None or standing.champion is None:
                raise ModelError("serving.no_champion", project=name)
            held = old if isinstance(old, Endpoint) else None
            if standing.paused:
                return paused(project, standing, standing.champion, held, self)
            return self._answering(project, standing, standing.champion, held)
        except LeitstandError as error:
            logger.error("%s is not served: %s", name, error)
            self.try_again(name)
            return error
        except Exception as error:
            logger.error("%s is not served: %s", name, without_values(error))
            self.try_again(name)
            return ModelError("serving.load_failed", project=name, reason=type(error).__name__)

    def _answering(self, project: Project, standing: Standing, version: int, old: Endpoint | None) -> Endpoint:
        """Return the champion with the challenger beside it; a fallback where it cannot be loaded."""
        trial = None
        try:
            found = self.loaded(project, version, old)
        except LeitstandError as error:
            self.try_again(project.name)
            return instead(project, version, old, self, error)
        challenger = standing.challenger
        if challenger is not None and challenger != version and standing.mode is not None:
            try:
                trial = Rollout(self.loaded(project, challenger, old), standing.mode, standing.share)
            except LeitstandError as error:
                logger.error("%s version %s is not tried: %s", project.name, challenger, error)
                self.try_again(project.name)
        found.refusal, found.rollout, found.paused = None, trial, False
        return found

    def try_again(self, name: str) -> None:
        """Let a project be loaded again after a while."""
        self._again[name] = monotonic() + AGAIN_SECONDS

    def earlier_champions(self, name: str) -> list[int]:
        """Return the champions before the current one, the latest first."""
        return self._releases.earlier_champions(name)

    def loaded(self, project: Project, version: int, old: Endpoint | None = None) -> Endpoint:
        """Return an endpoint of a version: the champion or the challenger of ``old`` where it is theirs, freshly loaded otherwise.

        Raises
        ------
        LeitstandError
            If it cannot be loaded.
        """
        trial = old.rollout.endpoint if old is not None and old.rollout is not None else None
        for one in (old, trial):
            if one is not None and one.version == version and not one.fallback:
                return one
        return self._load(project, version)

    def fallback(self, project: Project, version: int) -> Endpoint:
        """Return a version that answers in place of the champion; errors as in ``loaded``."""
        return self._load(project, version, fallback=True)

    def baseline(self, project: Project, version: int) -> Endpoint:
        """Return the baseline of a version's training, in place of the champion; errors as in ``loaded``."""
        release = self._release(project, version)
        folder = self._releases.folder(project.name, version)
        return Endpoint(project, RuledRelease(project, release, folder), self._kept(project), fallback=True)

    def _load(self, project: Project, version: int, fallback: bool = False) -> Endpoint:
        release = self._release(project, version)
        if self._compiling:
            compile_releases(self._releases, [release])
        released = ReleasedModel(release, self._releases.folder(project.name, version))
        return Endpoint(project, released, self._kept(project), fallback)

    def _release(self, project: Project, version: int) -> Release:
        if not self._releases.has(project.name, version):
            fetch_release(project.name, version)
        return self._releases.read(project.name, version)

    def _kept(self, project: Project) -> Pseudonymise | None:
        pseudonyms = pseudonymiser(self._settings, project.input_contract.pseudonymised)
        return pseudonyms.inputs if pseudonyms.columns else None


def served_project(name: str, settings: Settings) -> Project:
    """Return a project with its contract.

    Raises
    ------
    LeitstandError
        If it is unknown or broken.
    """
    folder = locate(name, settings.roots)
    contract = read_contract(find_contract(load_spec(folder / "project.yaml").contract_file, settings.roots))
    return load(folder, contract, lazily=True)


def fetch_release(name: str, version: int) -> None:
    """Fetch a release that was published on another machine; in a child process, for it needs the model registry."""
    _child("infra.publishing", name, str(version))


def compile_releases(releases: Releases, wanted: Sequence[Release]) -> None:
    """Compile the releases for which that was not done; in child processes, whose tools the service need not hold.

    Loading the tools takes longer than compiling a model, so one process compiles several. What one that breaks down left undone is tried again,
    alone, when it is loaded.
    """
    folders = [releases.folder(release.project, release.version) for release in wanted]
    due = [str(folder) for folder in folders if read_compilation(folder / COMPILED_FOLDER) is None]
    for start in range(0, len(due), COMPILED_TOGETHER):
        _child("serving.compiling", *due[start : start + COMPILED_TOGETHER])


def _child(module: str, *arguments: str) -> None:
    """Run one of our modules to its end; what it says goes to the log, and if it fails, what it was to make is simply not there."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=CHILD_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        logger.error("%s took longer than %g s", module, CHILD_SECONDS)
        return
    for line in ended.stdout.splitlines():
        logger.info("%s: %s", module, line)
    if ended.returncode != 0:
        logger.warning("%s: %s", module, "".join(ended.stderr.strip()[-500:].splitlines()[-1:]) or "-")
