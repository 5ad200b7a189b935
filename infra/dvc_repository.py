"""DVC in process: one repository without git below the state folder, with one remote.

DVC fails instead of waiting when its repository is in use; callers hold the lock ``data`` of ``infra.locks``.

Whatever is done here is done to one version: ``dvc add``, ``push`` and ``pull`` would first read the pointers of all versions of all projects to
look for overlaps, which a folder named by its content cannot have. So we take the steps that these commands are made of. The pointers stay, and
the ``dvc`` command finds the repository as it expects it.
"""

import logging
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from infra.settings import Settings
from leitstand.errors import StateError

REMOTE = "store"


class DvcRepository:
    """The repository of all projects' data."""

    def __init__(self, settings: Settings) -> None:
        self.root = settings.root / "data"
        self._remote = f"{settings.artifacts_url.rstrip('/')}/data" if settings.artifacts_url else str(settings.root / "remote")
        self._site_cache = settings.root / "cache" / "dvc"

    def add_and_push(self, folder: Path, version: str) -> None:
        """Hand a folder to DVC and push it to the remote.

        Raises
        ------
        StateError
            If DVC refuses, or names the content differently than we do.
        """
        with self._open() as repo:
            stage = repo.stage.create(
                single_stage=True, validate=False, fname=str(pointer_of(folder)), wdir=str(folder.parent), outs=[folder.name]
            )
            stage.add_outs()
            stage.dump()
            found = stage.outs[0].hash_info
            if found.value != f"{version}.dir":
                raise StateError("infra.snapshot_changed", project=folder.parent.name, version=version, path=folder)
            if repo.cloud.push(_objects(stage)).failed:
                raise StateError("infra.dvc_failed", path=self.root, remote=self._remote, detail=f"push {version}")

    def fetch(self, folder: Path, version: str) -> None:
        """Bring a version's folder back from the cache or the remote.

        Raises
        ------
        StateError
            If neither has it, or what they have is damaged.
        """
        from dvc.dvcfile import load_file
        from dvc.exceptions import DvcException
        from dvc_objects.errors import ObjectFormatError

        self._write_pointer(folder, version)
        with self._open() as repo:
            try:
                (stage,) = load_file(repo, str(pointer_of(folder))).stages.values()
                repo.cloud.pull(_objects(stage))
                if stage.outs[0].get_obj() is None:  # checking nothing out would be no error
                    raise FileNotFoundError(version)
                stage.checkout(force=True)
            except ObjectFormatError as error:
                raise StateError("infra.snapshot_changed", project=folder.parent.name, version=version, path=folder) from error
            except (DvcException, FileNotFoundError) as error:
                raise StateError(
                    "infra.snapshot_gone", project=folder.parent.name, version=version, remote=self._remote
                ) from error

    def remove(self, folders: Sequence[Path], kept: Collection[str]) -> None:
        """Delete versions from the working folder, the cache and the remote, but no file that one of the versions ``kept`` has too.

        Raises
        ------
        StateError
            If DVC refuses.
        """
        from dvc.data_cloud import get_index

        with self._open() as repo:
            stores = (repo.cloud.get_remote_odb(), repo.cache.local)
            needed = {f"{version}.dir" for version in kept} | {one for version in kept for one in _files_of(stores, version)}
            for folder in folders:
                names = [*_files_of(stores, folder.name), f"{folder.name}.dir"]  # the list last: killed, it tells what is left
                for name in names:
                    for store in stores if name not in needed else ():
                        with suppress(FileNotFoundError):
                            store.delete(name)
                shutil.rmtree(folder, ignore_errors=True)
                pointer_of(folder).unlink(missing_ok=True)
            get_index(stores[0]).clear()

    def _write_pointer(self, folder: Path, version: str) -> None:
        pointer = pointer_of(folder)
        if not pointer.exists():  # made on another machine, or lost: the version is all that DVC needs
            _replace(pointer, f"outs:\n- md5: {version}.dir\n  hash: md5\n  path: {folder.name}\n")

    @contextmanager
    def _open(self) -> Iterator[Any]:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        for name in ("dvc", "dvc_data", "dvc_objects"):  # they log to the terminal what we raise, and progress to stdout
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._write_config()
        self._close_site_cache()
        try:
            with Repo(str(self.root)) as repo, repo.lock:
                yield repo
        except DvcException as error:
            raise StateError("infra.dvc_failed", path=self.root, remote=self._remote, detail=_first_line(error)) from error

    def _write_config(self) -> None:
        """Write DVC's own configuration file, so that the ``dvc`` command finds the same remote."""
        lines = ["[core]", "no_scm = True", "analytics = False", "check_update = False", f"remote = {REMOTE}"]
        lines += [f"site_cache_dir = {self._site_cache}", "[cache]", 'type = "reflink,hardlink,copy"']
        lines += [f"['remote \"{REMOTE}\"']", f"url = {self._remote}"]
        path, content = self.root / ".dvc" / "config", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)

    def _close_site_cache(self) -> None:
        """Make the folders of DVC's site cache before DVC does: it lets everybody write to those that it makes, for users who share one."""
        for folder in (self._site_cache.parent, self._site_cache, self._site_cache / "repo"):
            folder.mkdir(parents=True, exist_ok=True)
            mode = folder.stat().st_mode
            if mode & stat.S_IWOTH:
                with suppress(PermissionError):  # somebody else's: the owner closes it
                    folder.chmod(stat.S_IMODE(mode) & ~stat.S_IWOTH)


def _objects(stage: Any) -> set[Any]:
    """Return the list of a version's files and the files themselves, as DVC names them; fetches the list where it is not here."""
    return {one for held in stage.get_used_objs(force=True).values() for one in held}


def _files_of(stores: Sequence[Any], version: str) -> set[str]:
    """Return the names of a version's files in the stores; none where no store has the version."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    for store in stores:
        with suppress(FileNotFoundError):
            return {one.value for _, _, one in Tree.load(store, HashInfo("md5", f"{version}.dir"))}
    return set()


def pointer_of(folder: Path) -> Path:
    """Return the file by which DVC knows a folder."""
    return folder.with_name(folder.name + ".dvc")


def _replace(path: Path, content: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(content, encoding="utf-8")
    fresh.replace(path)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
