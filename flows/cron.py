"""When a project's schedule lets its maintenance run."""

from datetime import datetime
from zoneinfo import ZoneInfo

from leitstand.errors import ProjectError

ANY_TIME = datetime(2000, 1, 1)


def check_cron(project: str, cron: str) -> None:
    """Make sure that a schedule can be read, and that its time ever comes.

    Raises
    ------
    ProjectError
        If not, as with 31 April.
    """
    from cronsim import CronSim, CronSimError

    try:
        comes = next(CronSim(cron, ANY_TIME), None) is not None
    except CronSimError as error:
        raise ProjectError("standing.cron_unreadable", project=project, cron=cron, detail=error) from error
    if not comes:
        raise ProjectError("standing.cron_never", project=project, cron=cron)


def next_time(cron: str, time_zone: str) -> datetime | None:
    """Return when a schedule comes next by the machine's clock, aware; None if never."""
    from cronsim import CronSim, CronSimError

    try:
        return next(CronSim(cron, datetime.now(ZoneInfo(time_zone))), None)
    except CronSimError:  # made by hand in Prefect, which reads more than we do
        return None
