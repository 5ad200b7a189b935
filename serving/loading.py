"""Which models are served: loading them at the start, and following what the history says of champions, challengers and pauses."""

import logging
from collections.abc import Callable, Sequence
from math import inf
from threading import Event, Thread
from time import monotonic

from data_contracts.odcs import find_contract, read_contract
from infra.history import Standing
from infra.packaged import open_releases, packaged
from infra.pseudonyms import pseudonymiser
from infra.releases import Release
from infra.settings import Settings
from leitstand.errors import LeitstandError, ModelError
from leitstand.folders import locate
from leitstand.project import Project, load
from leitstand.spec import Serving, load_spec
from serving.endpoint import Endpoint, Pseudonymise, without_values
from serving.preparing import AGAIN_SECONDS, BeingPrepared, Preparing, fetch_release
from serving.released import ReleasedModel
from serving.rollout import Rollout
from serving.ruled import RuledRelease
from serving.standby import instead, paused

logger = logging.getLogger("bentoml.leitstand")
LOOK_SECONDS = 1.0
Endpoints = dict[str, Endpoint | LeitstandError]


class Champions:
    """The endpoints of the served projects; ``endpoints`` is replaced as a whole, so that a reader never sees half an exchange.

    Parameters
    ----------
    names : projects to serve; None for every project that has a champion, also those that get one later
    compiling : whether a new champion is compiled before it is loaded; beside what answers, so that a project whose champion was never compiled
        answers later than the others
    """

    def __init__(self, names: Sequence[str] | None, settings: Settings, compiling: bool = True) -> None:
        self._names, self._settings = names, settings
        self._releases = open_releases(settings)
        # a package is not written to, and has no compiler
        self._preparing = Preparing(self._releases) if compiling and packaged() is None else None
        self._stopped = Event()
        self._again: dict[str, float] = {}
        self._seen: dict[str, Standing | None] = {}
        self.endpoints: Endpoints = {}
        self.look()

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
        if self._preparing is not None:
            self._preparing.stop()
        self._releases.close()

    def look(self) -> None:
        """Do what the history says and is not done; the endpoint before answers until the new one is ready."""
        for name, standing in self._wanted().items():
            is_due = monotonic() >= self._again.get(name, inf)  # what could not be loaded may be there by now
            if name in self._seen and self._seen[name] == standing and not is_due:
                continue
            old = self.endpoints.get(name)
            if self._may_settle(name, standing, old):
                self.endpoints = {**self.endpoints, name: self._settled(name, standing, old)}
                self._seen[name] = standing
            elif old is None:
                self.endpoints = {**self.endpoints, name: BeingPrepared("serving.being_prepared", project=name)}

    @property
    def preparing(self) -> bool:
        """Whether a project does not answer yet because its model is being prepared."""
        return any(isinstance(one, BeingPrepared) for one in self.endpoints.values())

    def _may_settle(self, name: str, standing: Standing | None, old: Endpoint | LeitstandError | None) -> bool:
        """Return whether what the history says can be done at once: a champion is prepared first, but a pause waits for nothing."""
        held = old if isinstance(old, Endpoint) else None
        if standing is None or standing.champion is None or (standing.paused and held is not None):
            return True
        return self._is_prepared(name, standing.champion, held)

    def _is_prepared(self, name: str, version: int, old: Endpoint | None) -> bool:
        return _held(version, old) is not None or self._is_done(name, version)

    def _is_done(self, name: str, version: int) -> bool:
        return self._preparing is None or self._preparing.is_done(name, version)

    def _is_hasty(self, one: Endpoint) -> bool:
        """Return whether a model was loaded before it was compiled, as a pause does."""
        return self._preparing is not None and not one.released.prepared

    def _wanted(self) -> dict[str, Standing | None]:
        standings = self._releases.standings()
        if self._names is not None:
            return {name: standings.get(name) for name in self._names}
        return {name: one for name, one in sorted(standings.items()) if one.champion is not None}

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
        try:
            found = self.loaded(project, version, old)
        except LeitstandError as error:
            self.try_again(project.name)
            return instead(project, version, old, self, error)
        if self._is_hasty(found) and not self._is_done(project.name, version):
            self._again[project.name] = monotonic()  # it comes compiled with one of the next looks
        found.refusal, found.rollout, found.paused = None, self._trial(project, standing, version, old), False
        return found

    def _trial(self, project: Project, standing: Standing, version: int, old: Endpoint | None) -> Rollout | None:
        """Return the challenger that stands beside a champion; None where there is none, it cannot be loaded, or it is not prepared yet."""
        challenger = standing.challenger
        if challenger is None or challenger == version or standing.mode is None:
            return None
        if not self._is_prepared(project.name, challenger, old):
            self._again[project.name] = monotonic()  # the champion does not wait for it; it comes with one of the next looks
            return None
        try:
            return Rollout(self.loaded(project, challenger, old), standing.mode, standing.share)
        except LeitstandError as error:
            logger.error("%s version %s is not tried: %s", project.name, challenger, error)
            self.try_again(project.name)
            return None

    def try_again(self, name: str) -> None:
        """Let a project be loaded again after a while."""
        self._again[name] = monotonic() + AGAIN_SECONDS

    def earlier_champions(self, name: str) -> list[int]:
        """Return the champions before the current one, the latest first."""
        return self._releases.earlier_champions(name)

    def loaded(self, project: Project, version: int, old: Endpoint | None = None) -> Endpoint:
        """Return an endpoint of a version: the champion or the challenger of ``old`` where it is theirs, freshly loaded otherwise.

        What was loaded before it was compiled is loaded again when that is done.

        Raises
        ------
        LeitstandError
            If it cannot be loaded.
        """
        held = _held(version, old)
        if held is None or (self._is_hasty(held) and self._is_done(project.name, version)):
            return self._load(project, version)
        return held

    def fallback(self, project: Project, version: int) -> Endpoint:
        """Return a version that answers in place of the champion; errors as in ``loaded``."""
        return self._load(project, version, fallback=True)

    def baseline(self, project: Project, version: int) -> Endpoint:
        """Return the baseline of a version's training, in place of the champion; errors as in ``loaded``."""
        release = self._release(project, version, fetching=True)
        folder = self._releases.folder(project.name, version)
        return Endpoint(project, RuledRelease(project, release, folder), self._kept(project), fallback=True)

    def _load(self, project: Project, version: int, fallback: bool = False) -> Endpoint:
        release = self._release(project, version, fetching=fallback or self._preparing is None)
        released = ReleasedModel(release, self._releases.folder(project.name, version))
        return Endpoint(project, released, self._kept(project), fallback)

    def _release(self, project: Project, version: int, fetching: bool) -> Release:
        if fetching and not self._releases.has(project.name, version):
            fetch_release(project.name, version)
        return self._releases.read(project.name, version)

    def _kept(self, project: Project) -> Pseudonymise | None:
        pseudonyms = pseudonymiser(self._settings, project.input_contract.pseudonymised)
        return pseudonyms.inputs if pseudonyms.columns else None


def _held(version: int, old: Endpoint | None) -> Endpoint | None:
    """Return the endpoint of a version where it is loaded: as champion or challenger of ``old``."""
    trial = old.rollout.endpoint if old is not None and old.rollout is not None else None
    return next((one for one in (old, trial) if one is not None and one.version == version and not one.fallback), None)


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
