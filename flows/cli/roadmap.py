"""Commands about the way to a model and beyond: the root of 'leitstand roadmap'."""

import typer

from flows.cli.app import app

roadmap = typer.Typer(
    no_args_is_help=True, help="The way from the first question to a model in use: readiness, sourcing, milestones."
)
app.add_typer(roadmap, name="roadmap")
