"""The document that proves each milestone: roadmap dossier."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Json, Name, call, emit, settings
from flows.cli.roadmap import roadmap


@roadmap.command(epilog="Example: leitstand roadmap dossier cell_diagnostics --language de --format pdf --output cells.pdf")
def dossier(
    project: Name,
    format: Annotated[str | None, typer.Option(help="html or pdf; by default as --output ends, else html.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write into this file instead of the state folder.")] = None,
    json: Json = False,
) -> None:
    """One document to read, sign and hand on: milestones with evidence, model card, data sheet, risk class, record of processing, approvals, SBOM."""
    from flows.dossier.writing import FORMATS, write_dossier
    from leitstand.errors import UnknownName

    ending = output.suffix.removeprefix(".").lower() if output is not None else ""
    chosen = format or (ending if ending in FORMATS else "html")
    known = next((one for one in FORMATS if one == chosen), None)
    if known is None:
        raise UnknownName("format", chosen, FORMATS)
    written = write_dossier(project, settings(), call.language, known, output)
    if json:
        facts = written.facts
        emit(
            {
                "project": project,
                "dossier": str(written.path),
                "bom": str(written.bom) if written.bom else None,
                "language": call.language,
                "format": known,
                "milestones": {one.id: one.status for one in facts.standings},
                "risk_class": facts.classification.risk_class,
                "run_id": facts.pilot.run_id if facts.pilot else None,
                "data_version": facts.pilot.data_version if facts.pilot else None,
            }
        )
        return
    from flows.cli.console import say

    say("dossier.written" if written.bom else "dossier.written_alone", path=written.path, bom=written.bom)
