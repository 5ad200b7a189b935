"""The small project ``parts`` in a world that turns: answers as the service logs them, labels, and passes of the maintenance loop."""

from typing import Any

import pandas as pd
from workshop import Workshop

from flows.workspace import Desk, open_project
from infra.history import Standing
from infra.prediction_log import LoggedPrediction, new_id
from infra.registry import CHAMPION
from infra.settings import Settings, load_settings
from leitstand.prediction import Predictions
from serving.client import as_json

AT_ONCE = {"confirm_windows": 1, "of_windows": 1}
TURNED = {"good": "bad", "bad": "good"}


def settings_of(workshop: Workshop) -> Settings:
    return load_settings(home=workshop.home, workspace=workshop.work, database_url=None, mlflow_url=None, artifacts_url=None)


def desk_of(workshop: Workshop) -> Desk:
    settings = settings_of(workshop)
    return Desk(open_project("parts", settings), settings)


def standing(workshop: Workshop) -> Standing:
    desk = desk_of(workshop)
    found = desk.registry.standing("parts")
    desk.registry.close()
    assert found is not None
    return found


def logged(rows: pd.DataFrame, told: Predictions, **details: Any) -> list[LoggedPrediction]:
    assert told.probabilities is not None
    paired = details.pop("paired", [None] * len(rows))
    made = []
    for place, inputs in enumerate(rows.to_dict("records")):
        chances = {str(name): float(chance) for name, chance in zip(told.classes, told.probabilities[place], strict=True)}
        score = None if told.score is None else float(told.score[place])
        values = {name: as_json(value) for name, value in inputs.items()}
        made.append(
            LoggedPrediction(
                values,
                as_json(told.value[place]),
                score,
                chances,
                latency_ms=3.0,
                paired_id=paired[place],
                id=new_id(),
                **details,
            )
        )
    return made


def used(
    workshop: Workshop, frame: pd.DataFrame, truth: pd.Series | None = None, challenger: int | None = None, mode: str = "shadow"
) -> None:
    """Let the champion answer a table as the service does, a challenger beside it or in its place, and feed the truth back."""
    desk = desk_of(workshop)
    champion = desk.registry.champion("parts")
    assert champion is not None
    inputs = frame.drop(columns="quality")
    given = logged(inputs, desk.registry.fetch(champion).predict(desk.project, inputs))
    desk.log.write("parts", champion.version, given)
    if challenger is not None and mode == "canary":
        told = desk.registry.fetch(desk.registry.version("parts", challenger)).predict(desk.project, inputs)
        instead = logged(inputs, told, role="canary")
        desk.log.write("parts", challenger, instead)
        if truth is not None:
            desk.log.label("parts", {one.id: value for one, value in zip(instead, truth, strict=True)}, "test")
    elif challenger is not None:
        told = desk.registry.fetch(desk.registry.version("parts", challenger)).predict(desk.project, inputs)
        silent = logged(inputs, told, role="shadow", paired=[one.id for one in given])
        desk.log.write("parts", challenger, silent)
    if truth is not None:
        desk.log.label("parts", {one.id: value for one, value in zip(given, truth, strict=True)}, "test")
    desk.log.close()
    desk.registry.close()


def maintained(workshop: Workshop) -> dict[str, Any]:
    document: dict[str, Any] = workshop.done("maintain", "parts", "--json").document
    return document


def kinds(workshop: Workshop) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = workshop.state("parts")["history"]
    return found


def agree(workshop: Workshop) -> tuple[int | None, int | None]:
    """Return champion and challenger, of which registry, alias, releases and history say the same."""
    desk = desk_of(workshop)
    champion, found = desk.registry.champion("parts"), desk.registry.standing("parts")
    assert champion is not None
    assert found is not None
    named = [one.version for one in desk.registry.versions("parts") if one.alias == CHAMPION]
    assert [champion.version] == named == [found.champion]
    for version in (found.champion, found.challenger):
        if version is not None:
            assert (desk.settings.root / "releases" / "parts" / str(version) / "release.json").is_file()
    assert desk.registry.history("parts")
    desk.registry.close()
    return found.champion, found.challenger
