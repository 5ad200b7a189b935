"""How the standing services look on the terminal."""

from datetime import timedelta

from flows.cli.app import call
from flows.cli.console import console, say, table
from flows.standing.status import ServiceStatus, Status
from leitstand.texts import text

SHOWN_RUNS = 20


def show(status: Status) -> None:
    """Print the services and the next runs."""
    if not status.running:
        say("standing.not_running")
    columns = ("service", "state", "pid", "url", "uptime", "restarts", "memory")
    table("", [f"standing.{name}" for name in columns], [_row(one) for one in status.services])
    if status.next_runs is None:
        if status.running:
            say("standing.runs_unknown")
    elif not status.next_runs and not status.broken:
        say("standing.no_runs")
    elif status.next_runs:
        rows = [(run.project, f"{run.time.astimezone():%Y-%m-%d %H:%M %Z}") for run in status.next_runs[:SHOWN_RUNS]]
        table("", ("flows.project", "standing.next_run"), rows)
    for one in status.broken:
        console().print(text("standing.schedule_unread", call.language, **one.model_dump()), soft_wrap=True, markup=False)


def _row(one: ServiceStatus) -> tuple[object, ...]:
    since = None if one.uptime_seconds is None else str(timedelta(seconds=round(one.uptime_seconds)))
    return one.service, text(f"standing.{one.state}", call.language), one.pid, one.url, since, one.restarts, one.memory_mb
