"""Which champions are served: loading them at the start, and exchanging each when the history names another."""

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread

from data_contracts.odcs import find_contract, read_contract
from infra.packaged import open_releases, packaged
from infra.pseudonyms import pseudonymiser
from infra.releases import COMPILED_FOLDER, Release, Releases
from infra.settings import Settings
from leitstand.errors import LeitstandError, ModelError
from leitstand.folders import locate
from leitstand.project import Project, load
from leitstand.spec import Serving, load_spec
from serving.compiled import read_compilation
from serving.endpoint import Endpoint, without_values
from serving.released import ReleasedModel

logger = logging.getLogger("bentoml.leitstand")
LOOK_SECONDS = 1.0
CHILD_SECONDS = 600.0
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
        self._seen = self._wanted()
        self.endpoints: Endpoints = {name: self._loaded(name, version) for name, version in self._seen.items()}

    def watch(self, also: Callable[[], None]) -> None:
        """Look every second whether the history names another champion, in a thread of its own, and do what else is due then."""

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
        """Load what the history names and is not loaded; the endpoint before answers until the new one is ready."""
        wanted = self._wanted()
        for name, version in wanted.items():
            if self._seen.get(name, 0) == version:
                continue
            old, new = self.endpoints.get(name), self._loaded(name, version)
            self._seen[name] = version
            if isinstance(new, LeitstandError) and isinstance(old, Endpoint):
                logger.error("%s stays at version %s", name, old.version)
                continue
            self.endpoints = {**self.endpoints, name: new}

    def _wanted(self) -> dict[str, int | None]:
        champions = self._releases.champions()
        return {name: champions.get(name) for name in self._names} if self._names is not None else dict(sorted(champions.items()))

    def _loaded(self, name: str, version: int | None) -> Endpoint | LeitstandError:
        try:
            project = served_project(name, self._settings)
            if version is None:
                raise ModelError("serving.no_champion", project=name)
            return self._champion(project, version)
        except LeitstandError as error:
            logger.error("%s is not served: %s", name, error)
            return error
        except Exception as error:
            logger.error("%s is not served: %s", name, without_values(error))
            return ModelError("serving.load_failed", project=name, reason=type(error).__name__)

    def _champion(self, project: Project, version: int) -> Endpoint:
        """Return the champion; where it cannot be loaded and project.yaml wants that, the latest earlier one that can."""
        try:
            return self._load(project, version)
        except LeitstandError as error:
            if project.spec.when_it_errs.fallback != "last_good":
                raise
            logger.error("%s falls back: %s", project.name, error)
            for earlier in self._releases.earlier_champions(project.name):
                with suppress(LeitstandError):
                    return self._load(project, earlier, fallback=True)
            raise

    def _load(self, project: Project, version: int, fallback: bool = False) -> Endpoint:
        if not self._releases.has(project.name, version):
            fetch_release(project.name, version)
        release = self._releases.read(project.name, version)
        if self._compiling:
            compile_release(self._releases, release)
        pseudonyms = pseudonymiser(self._settings, project.input_contract.pseudonymised)
        kept = pseudonyms.inputs if pseudonyms.columns else None
        return Endpoint(project, ReleasedModel(release, self._releases.folder(project.name, version)), kept, fallback)


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


def compile_release(releases: Releases, release: Release) -> None:
    """Compile a release unless that was done; in a child process, whose tools the service need not hold."""
    folder = releases.folder(release.project, release.version)
    if read_compilation(folder / COMPILED_FOLDER) is None:
        _child("serving.compiling", str(folder))


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
    said = (ended.stdout.strip() or ended.stderr.strip()[-500:]).splitlines()
    logger.log(logging.INFO if ended.returncode == 0 else logging.WARNING, "%s: %s", module, said[-1] if said else "-")
