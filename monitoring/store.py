"""The history of what monitoring found, project by project: one JSON file each, and the page beside it where one was made."""

import shutil
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from infra.settings import Settings
from leitstand.errors import StateError
from monitoring.files import write_atomically
from monitoring.result import MonitoringResult


class MonitoringStore:
    """The results below the state folder: ``monitoring/<project>/<time>.json``.

    Parameters
    ----------
    settings : say where the state folder is; nothing is written before the first ``save``
    """

    def __init__(self, settings: Settings) -> None:
        self._root = settings.root / "monitoring"

    def save(self, result: MonitoringResult, page: Path | None = None) -> Path:
        """Keep a result, and move its HTML page beside it; return the path of the JSON file.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        path = self._root / result.project / f"{result.time:%Y-%m-%dT%H-%M-%S.%fZ}.json"
        write_atomically(path, result.model_dump_json(indent=2))
        if page is not None:
            try:
                shutil.move(page, path.with_suffix(".html"))
            except OSError as error:
                raise StateError("monitoring.result_unwritable", path=path, detail=error.strerror or str(error)) from error
        return path

    def newest(self, project: str, model_version: int | None, count: int) -> list[MonitoringResult]:
        """Return the newest results about a version, at most ``count``, the newest first; older files are read only until there are enough.

        Raises
        ------
        StateError
            If a file is damaged.
        """
        results = (_read(path) for path in reversed(self._files(project)))
        return list(islice((one for one in results if one.model_version == model_version), count))

    def latest(self, project: str) -> MonitoringResult | None:
        """Return the newest result of a project, or None where there is none yet.

        Raises
        ------
        StateError
            If its file is damaged.
        """
        files = self._files(project)
        return _read(files[-1]) if files else None

    def page(self, project: str) -> Path | None:
        """Return the newest HTML page of a project, or None where there is none yet."""
        return max((self._root / project).glob("[0-9]*.html"), default=None)

    def _files(self, project: str) -> list[Path]:
        return sorted((self._root / project).glob("[0-9]*.json"))


def _read(path: Path) -> MonitoringResult:
    try:
        return MonitoringResult.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise StateError("monitoring.result_unreadable", path=path) from error
