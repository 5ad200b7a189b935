from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from infra.settings import Settings
from leitstand.errors import StateError
from leitstand.project import Project
from monitoring.report import monitor
from monitoring.result import MonitoringResult
from monitoring.store import MonitoringStore


@pytest.fixture
def store(tmp_path: Path) -> MonitoringStore:
    return MonitoringStore(Settings(home=tmp_path / "home"))


@pytest.fixture
def result(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> MonitoringResult:
    return monitor(project, reference, window.head(10), reference_metrics={})


def test_history_is_kept_in_the_order_of_time(store: MonitoringStore, result: MonitoringResult) -> None:
    later = result.model_copy(update={"time": result.time + timedelta(seconds=1)})
    store.save(result)

    store.save(later.model_copy(update={"model_version": 9}))

    assert store.newest("plant", result.model_version, 5) == [result]
    store.save(later)
    assert store.newest("plant", result.model_version, 5) == [later, result]
    assert store.newest("plant", result.model_version, 1) == [later]
    assert store.latest("plant") == later


def test_a_project_without_history_has_none(store: MonitoringStore, tmp_path: Path) -> None:
    assert (store.newest("plant", None, 5), store.latest("plant"), store.page("plant")) == ([], None, None)
    assert not (tmp_path / "home").exists()


def test_the_page_moves_beside_its_result(store: MonitoringStore, result: MonitoringResult, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>hello</p>")

    path = store.save(result, page)

    assert store.page("plant") == path.with_suffix(".html")
    assert path.with_suffix(".html").read_text() == "<p>hello</p>"
    assert sorted(each.suffix for each in path.parent.iterdir()) == [".html", ".json"]


def test_a_damaged_result_is_named(store: MonitoringStore, result: MonitoringResult) -> None:
    path = store.save(result)
    path.write_text(path.read_text()[:50])

    with pytest.raises(StateError, match=path.name):
        store.latest("plant")


def test_a_result_of_a_later_version_can_still_be_read(store: MonitoringStore, result: MonitoringResult) -> None:
    path = store.save(result)
    path.write_text(path.read_text().replace('"project"', '"something_new": 1, "project"', 1))

    assert store.latest("plant") == result


def test_a_folder_that_cannot_be_written_is_our_error_and_leaves_nothing(
    store: MonitoringStore, result: MonitoringResult, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file in the way")

    with pytest.raises(StateError, match="cannot be written"):
        store.save(result)
    assert (tmp_path / "home").read_text() == "a file in the way"
