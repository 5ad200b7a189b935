"""The command about packages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, app, call, emit, settings

if TYPE_CHECKING:  # loads pandas and ONNX Runtime
    from serving.packaging import Package
    from serving.packaging.champions import Champion


@app.command(epilog="Example: leitstand package cell_diagnostics --output cell_service --containerfile")
def package(
    projects: Annotated[list[str], typer.Argument(help="Projects whose champions go into one package.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder, or a file that ends in .bento; BentoML's store in the state folder where left out."),
    ] = None,
    containerfile: Annotated[
        bool, typer.Option("--containerfile", help="Put the Dockerfile also at the top, under the name that podman looks for.")
    ] = False,
    with_explain: Annotated[
        bool,
        typer.Option(
            "--with-explain", help="Take along what explanations need: shap, and rows of data where there are no personal data."
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a package at --output.")] = False,
    json: Json = False,
) -> None:
    """Pack champions with all they need into a Bento that 'bentoml serve' starts anywhere, and a Dockerfile for it."""
    from serving.packaging import package as make

    made = make(projects, settings(), output=output, containerfile=containerfile, explain=with_explain, overwrite=overwrite)
    if json:
        emit(_document(made))
        return
    _tell(made, with_explain)


def _tell(made: "Package", with_explain: bool) -> None:
    from flows.cli.console import say, shown
    from leitstand.texts import text

    hashes = text("package.with_hashes" if made.hashed else "package.without_hashes", call.language)
    size = shown(round(made.size / 1e6, 2))
    say("package.made", tag=made.tag, size=size, requirements=len(made.requirements), hashes=hashes, path=made.path)
    for one in made.champions:
        name = one.project.name
        compiled = one.compilation.say(call.language) if one.compilation else text("package.not_compiled", call.language)
        say("package.holds", project=name, version=one.release.version, compiled=compiled)
        if name in made.with_rows:
            say("package.rows_in", project=name)
        elif with_explain and not one.personal:
            say("package.rows_none", project=name)
        elif with_explain:
            say("package.rows_personal", project=name, columns=", ".join(one.personal))
    if not with_explain:
        say("package.rows_out")
    say("package.next_archive" if made.path.is_file() else "package.next", path=made.path)


def _document(made: "Package") -> dict[str, Any]:
    return {
        "tag": made.tag,
        "path": str(made.path),
        "bytes": made.size,
        "requirements": [pin.line for pin in made.requirements],
        "hashed": made.hashed,
        "projects": [_of_champion(one, made) for one in made.champions],
    }


def _of_champion(one: "Champion", made: "Package") -> dict[str, Any]:
    return {
        "project": one.project.name,
        "version": one.release.version,
        "sha256": one.release.sha256,
        "compiled": one.compilation is not None and one.compilation.used,
        "rows": one.project.name in made.with_rows,
        "personal_columns": list(one.personal),
    }
