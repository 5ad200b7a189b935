import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leitstand.basis import Basis
from leitstand.errors import StateError
from leitstand.policy import Monitoring
from leitstand.project import Project
from monitoring.report import monitor
from monitoring.result import MonitoringResult

HOLDOUT = {"mae": 0.1, "rmse": 0.13}


def test_two_halves_of_the_same_data_show_no_drift(project: Project, rows: Callable[..., pd.DataFrame]) -> None:
    whole = rows(800)

    result = monitor(project, whole[:500], whole[500:], reference_metrics=HOLDOUT)

    assert (result.enough, result.input_drift, result.prediction_drift, result.drifted) == (True, False, False, [])
    assert result.calm


def test_the_shifted_column_is_the_one_that_drifted(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    result = monitor(project, reference, window.assign(temperature=window["temperature"] + 5), reference_metrics=HOLDOUT)

    assert result.drifted == ["temperature"]
    assert result.columns[0].effect == pytest.approx(1, abs=0.2)  # one standard deviation
    assert not result.input_drift  # one of seven is below the project's limit of 30 %


def test_inputs_drift_as_a_whole_when_enough_columns_do(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    changed = window.assign(
        temperature=window["temperature"] + 20, pressure=window["pressure"] * 3, product="C", prediction=window["prediction"] + 2
    )

    result = monitor(project, reference, changed, reference_metrics=HOLDOUT)

    assert set(result.drifted) == {"temperature", "pressure", "product"}
    assert (result.input_drift, result.prediction_drift, result.calm) == (True, True, False)
    assert result.drifted_share == pytest.approx(3 / 7)


def test_a_dead_sensor_is_named(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    result = monitor(project, reference, window.assign(pressure=np.nan), reference_metrics=HOLDOUT)

    assert [(fault.column, fault.fault, fault.rows) for fault in result.quality] == [("pressure", "missing", 300)]
    assert result.drifted == ["pressure"]
    assert "'pressure' has no value in 300 of 300 rows" in result.summary("en")


def test_of_pseudonyms_only_missing_values_are_watched(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    """The reference holds the values themselves, so the two sides never look alike."""
    hidden = {"product", "note", "stage", "cooled"}
    columns = [
        column.model_copy(update={"pseudonymise": True, "required": column.name == "note"}) if column.name in hidden else column
        for column in project.contract.columns
    ]
    contract = project.contract.model_copy(update={"columns": tuple(columns)})
    logged = window.assign(product="p:1", note=[None] * 5 + ["p:2"] * (len(window) - 5), stage="p:3", cooled="p:4")

    result = monitor(dataclasses.replace(project, contract=contract), reference, logged, reference_metrics=HOLDOUT)

    assert {column.name for column in result.columns} == {"temperature", "pressure", "residue"}
    assert not result.input_drift
    assert [(fault.column, fault.fault, fault.rows) for fault in result.quality] == [("note", "missing", 5)]


def test_a_stuck_sensor_is_named(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    result = monitor(project, reference, window.assign(temperature=81.5), reference_metrics=HOLDOUT)

    assert [(fault.column, fault.fault, fault.examples) for fault in result.quality] == [("temperature", "constant", ("81.5",))]


def test_a_column_the_window_lacks_counts_as_missing(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    result = monitor(project, reference, window.drop(columns="note"), reference_metrics=HOLDOUT)

    assert [(fault.column, fault.fault) for fault in result.quality] == [("note", "missing")]


@pytest.mark.parametrize("count", [0, 1, 49])
def test_too_few_rows_give_no_verdict_on_drift(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame, count: int
) -> None:
    few = window.head(count).assign(temperature=150.0, prediction=15.0)

    result = monitor(project, reference, few, reference_metrics=HOLDOUT)

    assert (result.enough, result.columns, result.input_drift, result.prediction_drift) == (False, (), False, False)
    assert "at least 50 rows" in result.summary("en")


def test_worse_answers_on_labels_are_a_performance_drop(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    labels = window["prediction"].where(window.index < 100) + 1.0

    result = monitor(project, reference, window.assign(label=labels), reference_metrics=HOLDOUT)

    assert (result.metric, result.performance_drop, result.labelled_rows) == ("mae", True, 100)
    assert result.metrics["mae"] == pytest.approx(1)
    assert result.label_coverage == pytest.approx(1 / 3)


def test_the_german_summary_says_what_happened_in_german(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    changed = window.assign(temperature=window["temperature"] + 10, label=window["prediction"] + 0.5)

    summary = monitor(project, reference, changed, reference_metrics=HOLDOUT).summary("de")

    assert summary.startswith("300 Vorhersagen wurden mit 600 Referenzzeilen verglichen.")
    assert "1 von 7 beobachteten Spalten weichen ab (die Grenze liegt bei 30 %)" in summary
    assert "Das Modell ist schlechter geworden: mae liegt bei 0,5" in summary


def test_a_result_survives_the_way_through_json(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    result = monitor(project, reference, window, reference_metrics=HOLDOUT, model_version=3)

    assert MonitoringResult.model_validate_json(result.model_dump_json()) == result
    assert json.loads(result.model_dump_json())["model_version"] == 3


class Loaded(HTMLParser):
    """Collects what a browser would fetch, and the texts in script elements are not looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.policy = ""
        self.scripts = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.scripts += tag == "script"
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(path: Path) -> Loaded:
    page = Loaded()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_the_page_loads_nothing_from_anywhere(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame, tmp_path: Path
) -> None:
    monitor(project, reference, window, reference_metrics=HOLDOUT, html=tmp_path / "page.html")

    page = read_page(tmp_path / "page.html")
    styles = re.findall(r"url\(([^)]{0,40})", (tmp_path / "page.html").read_text(encoding="utf-8").split("<body>")[0])
    assert page.sources == []
    assert all(url.startswith("data:") for url in styles)
    assert page.policy.startswith("default-src 'none';")
    assert "http" not in page.policy
    assert "Monitoring of plant" in page.text
    assert "Überwachung von plant" in page.text
    assert page.scripts >= 2  # Evidently's pictures are in it


def test_values_from_requests_cannot_put_scripts_into_the_page(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame, tmp_path: Path
) -> None:
    evil = "</script><script>alert(1)</script>"
    monitor(project, reference, window, reference_metrics=HOLDOUT, html=tmp_path / "clean.html")
    monitor(
        project,
        reference.assign(product=evil),
        window.assign(product=evil, note=evil, stage=4),
        reference_metrics=HOLDOUT,
        html=tmp_path / "evil.html",
    )

    assert read_page(tmp_path / "evil.html").scripts == read_page(tmp_path / "clean.html").scripts


def test_a_page_is_made_without_anything_to_draw(project: Project, reference: pd.DataFrame, tmp_path: Path) -> None:
    monitor(project, reference, reference.head(3), reference_metrics=HOLDOUT, html=tmp_path / "page.html")

    assert "at least 50 rows" in read_page(tmp_path / "page.html").text


def test_a_page_that_cannot_be_written_is_our_error(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(StateError, match="cannot be written to"):
        monitor(project, reference, window.head(5), reference_metrics=HOLDOUT, html=tmp_path / "file" / "page.html")


def test_only_the_same_season_of_the_reference_counts(plant: Callable[..., Project], rows: Callable[..., pd.DataFrame]) -> None:
    def with_season(frame: pd.DataFrame, start: str) -> pd.DataFrame:
        times = pd.date_range(start, periods=len(frame), freq="h", tz="UTC")
        warm = 8 * np.sin(2 * np.pi * times.hour / 24)
        return frame.assign(time=times, temperature=frame["temperature"] + warm, _time=times)

    reference = with_season(rows(2400), "2026-01-01")
    morning = with_season(rows(2400, seed=1), "2026-06-01").query("4 <= time.dt.hour <= 8")
    project = plant()
    daily = dataclasses.replace(project, spec=project.spec.model_copy(update={"monitoring": Monitoring(season="day")}))

    blind = monitor(project, reference, morning, reference_metrics=HOLDOUT)
    seeing = monitor(daily, reference, morning, reference_metrics=HOLDOUT)
    broken = monitor(daily, reference, morning.assign(temperature=morning["temperature"] + 5), reference_metrics=HOLDOUT)
    night = monitor(daily, reference.query("time.dt.hour < 12"), reference.query("time.dt.hour > 15"), reference_metrics=HOLDOUT)

    assert (blind.drifted, seeing.drifted, broken.drifted) == (["temperature"], [], ["temperature"])
    assert (night.enough, night.season_known, night.columns) == (True, False, ())
    assert "too little from the same season" in night.summary("en")


def test_a_column_that_carries_the_model_counts_for_the_whole_input(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame
) -> None:
    moved = window.assign(temperature=window["temperature"] + 5)

    heavy = monitor(project, reference, moved, reference_metrics=HOLDOUT, basis=Basis(weights={"temperature": 0.8}))
    light = monitor(project, reference, moved, reference_metrics=HOLDOUT, basis=Basis(weights={"temperature": 0.01}))

    assert (heavy.input_drift, heavy.drifted_weight, light.input_drift) == (True, 0.8, False)
    assert "They carry 80% of what the model goes by" in heavy.summary("en")


def test_rows_of_a_slow_process_count_as_fewer(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> None:
    moved = window.assign(temperature=window["temperature"] + 2)

    told = monitor(project, reference, moved, reference_metrics=HOLDOUT)
    slow = monitor(project, reference, moved, reference_metrics=HOLDOUT, basis=Basis(rows=600, dependence={"temperature": 60.0}))

    assert (told.drifted, slow.drifted) == (["temperature"], [])


def test_an_estimate_stands_in_for_labels_only_where_probabilities_are_calibrated(plant: Callable[..., Project]) -> None:
    generator = np.random.default_rng(0)
    unsure = generator.normal(0, 0.4, 400)
    score = 1 / (1 + np.exp(-unsure))
    window = pd.DataFrame(
        {
            "temperature": generator.normal(80, 5, 400),
            "prediction": np.where(score > 0.5, "good", "bad"),
            "score": score,
            "probability_bad": 1 - score,
            "probability_good": score,
        }
    )
    project = plant("classification", positive="good")

    found = monitor(project, window, window, reference_metrics={"roc_auc": 0.95}, basis=Basis(calibration_error=0.02))
    boasting = monitor(project, window, window, reference_metrics={"roc_auc": 0.95}, basis=Basis(calibration_error=0.2))
    numbers = window.assign(prediction=score)
    number = monitor(plant(), numbers, numbers, reference_metrics=HOLDOUT)

    assert found.estimate is not None
    assert (found.estimate.metric, found.estimate.drop, found.performance_drop) == ("roc_auc", True, None)
    assert "Estimate without labels" in found.summary("en")
    assert "Schätzung ohne Rückmeldungen" in found.summary("de")
    assert (boasting.estimate, boasting.no_estimate, number.no_estimate) == (None, "calibration", "task")


def test_labels_of_older_answers_do_not_vouch_for_rows_that_moved(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame
) -> None:
    known = window.assign(label=window["prediction"])
    assert monitor(project, reference, known, reference_metrics=HOLDOUT).vouched
    older = monitor(project, reference, window.assign(label=np.nan), labelled=known, reference_metrics=HOLDOUT)
    assert (older.performance_drop, older.vouched) == (False, False)
    own = monitor(project, reference, known, labelled=known, reference_metrics=HOLDOUT)
    assert (own.performance_drop, own.vouched) == (False, True)
