import pytest

from flows.cron import check_cron
from leitstand.errors import ProjectError


@pytest.mark.parametrize("cron", ["0 6 31 2 *", "0 6 31 4,6 *", "99 * * * *"])
def test_a_schedule_whose_time_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(ProjectError, match=r"maintenance\.schedule\.cron is '.*'"):
        check_cron("parts", cron)


@pytest.mark.parametrize("cron", ["0 6 29 2 *", "0 6 1 4,10 *", "15 5 * * 1-5"])
def test_a_schedule_whose_time_comes_once_in_years_is_one(cron: str) -> None:
    check_cron("parts", cron)
