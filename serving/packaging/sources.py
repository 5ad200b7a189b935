"""Which of our modules a package needs, and which libraries they import: read from the source, so that no list has to be kept."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import serving

OWN = ("leitstand", "infra", "data_contracts", "serving")
ENTRIES = ("serving.service", "serving.grant", "serving.records")
DATA = ("leitstand/texts/*.yaml", "serving/assets/*")  # files that are read, not imported
CODE = Path(serving.__file__).parent.parent


@dataclass
class Sources:
    """What was found.

    Parameters
    ----------
    files : our own, relative to ``CODE``
    imports : outermost name of every library that is imported, also inside functions, with the first file that does
    """

    files: set[Path] = field(default_factory=set)
    imports: dict[str, Path] = field(default_factory=dict)


def sources(projects: Iterable[Path]) -> Sources:
    """Return what the service needs for these projects.

    Parameters
    ----------
    projects : their ``model.py`` files, which belong to the projects and are not among ``files``
    """
    found = Sources({path.relative_to(CODE) for pattern in DATA for path in CODE.glob(pattern) if path.is_file()})
    waiting = [path for name in ENTRIES for path in _own_files(name)]
    found.files.update(path.relative_to(CODE) for path in waiting)
    waiting += projects
    while waiting:
        file = waiting.pop()
        for name in _imported(file):
            outermost = name.partition(".")[0]
            if outermost not in OWN:
                if outermost not in sys.stdlib_module_names:
                    found.imports.setdefault(outermost, file)
                continue
            for path in _own_files(name):
                if path.relative_to(CODE) not in found.files:
                    found.files.add(path.relative_to(CODE))
                    waiting.append(path)
    return found


def _own_files(name: str) -> list[Path]:
    """Return the files of one of our modules and of the packages around it; what is no module but a name in one has none."""
    files, folder = [], CODE
    for part in name.split("."):
        files += [path for path in (folder / part / "__init__.py", folder / f"{part}.py") if path.is_file()]
        folder /= part
    return files


def _imported(file: Path) -> Iterator[str]:
    """Yield the dotted names of what may be a module in the import statements of a file, those for type checkers left out."""
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"), filename=str(file))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)
