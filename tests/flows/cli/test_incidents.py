"""``leitstand incidents`` on a project without a model."""

from pathlib import Path

import pytest
from workshop import Workshop


@pytest.fixture
def plant(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})


def test_an_incident_is_reported_noted_and_closed_by_people(plant: Workshop) -> None:
    assert "No incidents." in plant.done("incidents").told
    made = plant.done("incidents", "open", "virtual_sensor", "wrong answers since Monday", "--severity", "critical")
    assert "Incident virtual_sensor-1 opened. Nobody was told: when_it_errs.notify" in made.told
    plant.done("incidents", "note", "virtual_sensor-1", "sensor 2 replaced")

    for arguments in (
        ("incidents", "--json"),
        ("incidents", "virtual_sensor", "--open", "--json"),
        ("incidents", "list", "--json"),
    ):
        listed = plant.done(*arguments).document["incidents"]
        assert [(one["id"], one["kind"], one["severity"], one["open"]) for one in listed] == [
            ("virtual_sensor-1", "reported", "critical", True)
        ]

    assert "2 events, each as it was written." in plant.done("incidents", "--verify").told
    closed = plant.done("incidents", "close", "virtual_sensor-1", "--why", "it was unplugged", "--json").document
    assert (closed["open"], closed["why"]) == (False, "it was unplugged")
    assert "No open incidents." in plant.done("incidents", "virtual_sensor", "--open").told
    shown = plant.done("incidents", "show", "virtual_sensor-1", "--language", "de").told
    for said in ("Von einem Menschen gemeldet (kritisch)", "wrong answers since Monday", "sensor 2 replaced", "it was unplugged"):
        assert said in shown


def test_a_channel_that_fails_is_named_once_with_why(plant: Workshop) -> None:
    plant.project("parts")
    plant.edit("parts", when_it_errs={"notify": ["env:NO_SUCH_CHANNEL"]})
    told = plant.done("incidents", "open", "parts", "wrong answers").told
    assert "Could not be told: env:NO_SUCH_CHANNEL (the environment variable NO_SUCH_CHANNEL is not set)" in told
    shown = plant.done("incidents", "show", "parts-1").told
    assert "env:NO_SUCH_CHANNEL (the" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("incidents", "virtual_senso"), "Did you mean: virtual_sensor?"),
        (("incidents", "open", "virtual_sensor", " "), "The text is empty."),
        (
            ("incidents", "open", "virtual_sensor", "x", "--severity", "bad"),
            "There is no severity 'bad'. Known: critical, info, warning",
        ),
        (("incidents", "close", "virtual_sensor-7", "--why", "x"), "There is no incident 'virtual_sensor-7'"),
        (("incidents", "show", "seven"), "'seven' is no id of an incident. Expected <project>-<number>"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_kept(plant: Workshop, arguments: tuple[str, ...], match: str) -> None:
    made = plant(*arguments)
    assert made.code == 2
    assert match in made.told
    assert plant.done("incidents", "--json").document["incidents"] == []
