"""The time-lapse through the command line: real flows, real service, a clock that jumps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from workshop import Workshop, parts

KEYS = {"cost_eur", "trainings", "detection_delay_periods", "false_alarms", "rollbacks", "failed_requests", "seconds"}


@pytest.fixture(scope="module")
def lapse(new_workshop: Callable[[Path], Workshop], tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, dict[str, Any]]:
    """Half a year of parts in a file, from the middle on of another material, lived through by three policies."""
    workshop = new_workshop(tmp_path_factory.mktemp("lapse"))
    workshop.project("parts", "regression")
    before, after = parts(240), parts(240, seed=1, shift=1.5)
    stream = pd.concat([before, after], ignore_index=True)
    stream["made"] = pd.date_range("2024-01-02", periods=len(stream), freq="7h").strftime("%Y-%m-%d")
    file = workshop.table("stream.csv", stream.assign(part_id=[f"S{number:05d}" for number in range(len(stream))]))
    options = ("--data", file, "--time", "made", "--period", "14D", "--policies", "never,always,leitstand")
    return workshop, workshop.done("simulate", "parts", *options, "--json").document


def test_every_policy_has_its_figures_and_no_request_failed(lapse: tuple[Workshop, dict[str, Any]]) -> None:
    _, found = lapse
    assert set(found["policies"]) == {"never", "always", "leitstand"}
    for figures in found["policies"].values():
        assert set(figures) >= KEYS
        assert figures["failed_requests"] == 0
        assert len(figures["errors"]) == found["periods"]
        assert all(error is not None for error in figures["errors"])


def test_each_policy_does_what_its_name_says(lapse: tuple[Workshop, dict[str, Any]]) -> None:
    _, found = lapse
    assert found["policies"]["never"]["trainings"] == 0
    assert found["policies"]["always"]["trainings"] == found["periods"]
    assert found["policies"]["always"]["cost_eur"] < found["policies"]["never"]["cost_eur"], "the new material is learned"


def test_the_clock_of_the_stream_is_that_of_history_and_log(lapse: tuple[Workshop, dict[str, Any]]) -> None:
    workshop, _ = lapse
    home = workshop.home / "simulations" / "parts" / "stream.csv" / "always" / "state"
    looking = Workshop(workshop.folder, {**workshop.environment, "LEITSTAND_HOME": str(home)})
    told = looking.done("history", "parts", "--json").document
    assert {entry["time"][:4] for entry in told["history"]} == {"2024"}
    assert next(one["version"] for one in told["versions"] if one["alias"] == "champion") == told["history"][-1]["to_version"]


def test_the_picture_shows_something(lapse: tuple[Workshop, dict[str, Any]]) -> None:
    _, found = lapse
    with Image.open(Path(found["picture"])) as picture:
        assert picture.width > 800
        colours = picture.convert("RGB").getcolors(picture.width * picture.height)
    assert colours is not None
    assert len(colours) > 100


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--scenario", "sudden_shft"), "sudden_shift"),
        (("--policies", "never,allways"), "always"),
        (("--period", "7D"), "--data"),
        (("--data", "stream.csv", "--scenario", "recovery"), "one of the two"),
        (("--data", "stream.csv", "--time", "day", "--period", "7D"), "no column 'day'"),
        (("--data", "stream.csv", "--time", "made", "--period", "often"), "no length of a period"),
        (("--data", "stream.csv", "--time", "made", "--period", "60D"), "only"),
        (("--data", "missing.csv"), "missing.csv"),
        ((), "no built-in sample"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    lapse: tuple[Workshop, dict[str, Any]], options: tuple[str, ...], says: str
) -> None:
    workshop, _ = lapse
    given = [str(workshop.work / one) if one.endswith(".csv") else one for one in options]
    refused = workshop("simulate", "parts", *given)
    assert refused.code in (1, 2)
    assert says in refused.told
    assert "Traceback" not in refused.stderr
