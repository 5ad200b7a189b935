"""Writing a dossier and its bill of materials into files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.dossier.document import document
from flows.dossier.facts import Facts, gather
from infra.settings import Settings
from leitstand.errors import UsageError
from leitstand.texts import Language

Format = Literal["html", "pdf"]
FORMATS: tuple[Format, ...] = ("html", "pdf")


@dataclass(frozen=True)
class Written:
    """What was written; ``bom`` is None where the bill of materials could not be made."""

    path: Path
    bom: Path | None
    facts: Facts


def write_dossier(project: str, settings: Settings, language: Language, format: Format, output: Path | None = None) -> Written:
    """Write the dossier of a project, and beside it the bill of materials in CycloneDX.

    Parameters
    ----------
    output : file; by default ``dossiers/<project>-<language>.<format>`` in the state folder

    Raises
    ------
    UsageError
        If there is no such project (did you mean), or the files cannot be written.
    ProjectError
        If the project's files are wrong.
    StateError
        If evidence or history cannot be read, or are not what was written.
    """
    facts = gather(project, settings)
    path = (output or settings.root / "dossiers" / f"{project}-{language}.{format}").expanduser()
    bom = path.with_name(f"{path.stem}.cdx.json")
    made = document(facts, language, bom.name)
    if format == "pdf":
        from flows.dossier.pdf import to_pdf

        content = to_pdf(made)
    else:
        from flows.dossier.html import to_html

        content = to_html(made).encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        if facts.bom is not None:
            _write(bom, facts.bom.document.encode("utf-8"))
    except OSError as error:
        raise UsageError("dossier.unwritable", path=path, detail=error.strerror or str(error)) from error
    return Written(path, bom if facts.bom is not None else None, facts)


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
