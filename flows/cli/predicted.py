"""What a person, or a program, is told about a finished batch."""

from typing import TYPE_CHECKING

from flows.cli.app import call, emit
from flows.cli.console import console, say
from leitstand.texts import text

if TYPE_CHECKING:  # loads Arrow, which the other commands of the module do not need
    from serving.batch import BatchResult


def tell(project: str, version: int, made: "BatchResult", *, asked: bool, json: bool) -> None:
    """Print the result; ``asked`` says that what to log was chosen by a person."""
    if json:
        emit(_document(project, version, made))
        return
    say("predicted", rows=made.rows, path=made.output, flagged=made.flagged, quarantined=made.quarantined)
    if made.quarantine:
        say("quarantine_line", path=made.quarantine)
    if made.changed:
        _tell("begun_anew", what=", ".join(text(f"batch.changed_{key}", call.language) for key in made.changed))
    if made.resumed_rows:
        _tell("resumed", rows=made.resumed_rows)
    if made.left_out:
        _tell("left_out", names=", ".join(made.left_out[:20]))
    if made.log == "all":
        _tell("logged_all")
    elif made.log == "ids":
        _tell("logged_ids_asked" if asked else "logged_ids", path=made.manifest)


def _tell(key: str, **values: object) -> None:
    console().print(text(f"batch.{key}", call.language, **values), soft_wrap=True)


def _document(project: str, version: int, made: "BatchResult") -> dict[str, object]:
    return {
        "project": project,
        "model_version": version,
        "output": made.output,
        "rows": made.rows,
        "flagged": made.flagged,
        "quarantined": made.quarantined,
        "quarantine": None if made.quarantine is None else str(made.quarantine),
        "left_out": list(made.left_out),
        "seconds": made.seconds,
        "rows_per_second": made.rows_per_second,
        "resumed_rows": made.resumed_rows,
        "begun_anew": list(made.changed),
        "log": made.log,
        "manifest": None if made.manifest is None else str(made.manifest),
    }
