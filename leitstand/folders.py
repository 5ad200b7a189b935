"""Where projects are found, without loading any of them."""

from collections.abc import Sequence
from pathlib import Path

from leitstand.errors import UnknownName, UsageError
from leitstand.spec import SLUG


def check_name(name: str) -> str:
    """Return ``name`` if it may name a project.

    Raises
    ------
    UsageError
        If not; says which names may.
    """
    if not SLUG.fullmatch(name):
        raise UsageError("errors.project_name_illegal", name=name)
    return name


def find_projects(roots: Sequence[Path]) -> dict[str, Path]:
    """Return the folders of all projects under ``<root>/projects``, by name, sorted; an earlier root wins."""
    found: dict[str, Path] = {}
    for root in roots:
        for file in sorted((root / "projects").glob("*/project.yaml")):
            found.setdefault(file.parent.name, file.parent)
    return dict(sorted(found.items()))


def locate(name: str, roots: Sequence[Path]) -> Path:
    """Return the folder of the project ``name``.

    Raises
    ------
    UsageError
        If the name is illegal or unknown (did you mean).
    """
    check_name(name)
    projects = find_projects(roots)
    if name not in projects:
        raise UnknownName("project", name, projects)
    return projects[name]
