"""The time-lapse on the command line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import Json, Name, app, emit, settings
from leitstand.errors import UsageError

if TYPE_CHECKING:
    from flows.simulation.figures import TimeLapse

FIGURES = ("cost", "trainings", "delay", "false_alarms", "rollbacks", "failed", "seconds")


@app.command(
    epilog="Examples: leitstand simulate virtual_sensor --periods 52 --scenario sudden_shift · "
    "leitstand simulate gas --data turbine.csv --time day --period MS"
)
def simulate(
    project: Name,
    periods: Annotated[int | None, typer.Option(min=4, max=1000, help="How many; 52, or all of a file.")] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="What happens to the built-in data: stationary, sudden_shift (default), creeping_wear, new_supplier, seasonal, "
            "broken_sensor, label_delay, recovery."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A real stream instead: a file with rows in time order.")] = None,
    time: Annotated[str | None, typer.Option(help="Its column with the time; left out where rows are in order.")] = None,
    period: Annotated[str | None, typer.Option(help="Its periods: 7D, 12h, MS (calendar months), or a number of rows.")] = None,
    policies: Annotated[str, typer.Option(help="Which to compare.")] = "never,always,leitstand,oracle",
    seed: Annotated[int, typer.Option(min=0, help="Of the drawn rows.")] = 0,
    output: Annotated[Path | None, typer.Option(help="PNG file for the picture.")] = None,
    json: Json = False,
) -> None:
    """Live through a year in minutes: compare maintenance policies on the same stream, with the real flows and service.

    The four policies are: never train again, train every period, Leitstand's maintenance loop, and an oracle that knows every change.
    """
    from flows.prefect_server import prefect_server

    now = settings()
    names = _policies(policies)
    with prefect_server(now) as server:
        from flows.simulation import simulate as run
        from flows.simulation.picture import draw
        from flows.workspace import open_project

        opened = open_project(project, now)
        stream = _stream(opened, now.workspace, periods, scenario, data, time, period, seed)
        folder = now.folder("simulations", project) / stream.what
        server.wait()
        with _progress(names, len(stream.periods), quiet=json) as report:
            found = run(opened, stream, now, server, folder, seed=seed, policies=names, report=report)
    picture = output or folder / "time-lapse.png"
    draw(found, picture, now.language)
    found = found.model_copy(update={"picture": str(picture)})
    (folder / "time-lapse.json").write_text(found.model_dump_json(indent=2), encoding="utf-8")
    if json:
        emit(found)
    else:
        _show(found)


def _policies(given: str) -> list[str]:
    from flows.simulation import NAMES
    from leitstand.errors import UnknownName

    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in NAMES:
            raise UnknownName("policy", name, NAMES)
    return names or list(NAMES)


def _stream(  # type: ignore[no-untyped-def]
    project,
    workspace: Path,
    periods: int | None,
    scenario: str | None,
    data: Path | None,
    time: str | None,
    period: str | None,
    seed: int,
):
    from flows.simulation.stream import built_in, from_file
    from leitstand.errors import UnknownName
    from leitstand.scenarios import Scenario

    if data is None:
        if time is not None or period is not None:
            raise UsageError("simulation.needs_data")
        chosen = scenario or Scenario.sudden_shift.value
        if chosen not in list(Scenario):
            raise UnknownName("scenario", chosen, [one.value for one in Scenario])
        return built_in(project, periods or 52, Scenario(chosen), seed)
    if scenario is not None:
        raise UsageError("simulation.both")
    if not data.exists():
        raise UsageError("flows.data_missing", path=data)
    return from_file(project, data, workspace, time or project.spec.data.time, period or "7D", periods)


@contextmanager
def _progress(policies: list[str], periods: int, *, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from flows.cli.app import call
    from leitstand.texts import text

    if quiet:
        yield lambda policy, number: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {name: bars.add_task(text(f"simulation.policy_{name}", call.language), total=periods) for name in policies}
        yield lambda policy, number: bars.update(tasks[policy], completed=number + 1)


def _show(found: "TimeLapse") -> None:
    from flows.cli.app import call
    from flows.cli.console import console, table
    from leitstand.figures import whole
    from leitstand.texts import text

    language = call.language
    title = text("simulation.title", language, project=found.project, stream=found.stream)
    figures = [
        (
            whole(one.cost_eur, language),
            one.trainings,
            one.detection_delay_periods,
            one.false_alarms,
            one.rollbacks,
            one.failed_requests,
            one.seconds,
        )
        for one in found.policies.values()
    ]
    rows = [(text(f"simulation.column_{name}", language), *shown) for name, *shown in zip(FIGURES, *figures, strict=True)]
    table(title, ["simulation.column_policy", *(f"simulation.policy_{name}" for name in found.policies)], rows)
    if found.regret is not None:
        console().print(text("simulation.regret", language, share=f"{100 * found.regret:.0f}"))
    if found.cost_assumed:
        console().print(text("simulation.assumed", language))
    console().print(text("simulation.picture", language, path=found.picture), soft_wrap=True)
