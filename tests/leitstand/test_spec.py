from pathlib import Path

import pytest
from builders import spec

from leitstand.errors import ProjectError
from leitstand.spec import load_spec


def test_an_unknown_key_is_named_with_its_place() -> None:
    with pytest.raises(ProjectError, match=r"split\.holdoutt: Extra inputs are not permitted"):
        spec(split={"holdoutt": 0.3})


def test_a_value_out_of_range_is_shown() -> None:
    with pytest.raises(ProjectError, match=r"split\.holdout: .* \(found '0.9'\)"):
        spec(split={"holdout": 0.9})


def test_a_split_by_time_needs_an_order() -> None:
    with pytest.raises(ProjectError, match=r"needs data\.time, or data\.ordered"):
        spec(split={"strategy": "time"})


def test_a_split_by_group_needs_the_group() -> None:
    with pytest.raises(ProjectError, match=r"needs data\.group"):
        spec(split={"strategy": "group"})


def test_anomaly_needs_to_know_what_is_normal() -> None:
    with pytest.raises(ProjectError, match=r"needs data\.normal"):
        spec(task="anomaly")


def test_a_source_is_in_one_place_only() -> None:
    with pytest.raises(ProjectError, match="exactly one of sample, file, folder, database"):
        spec(data={"sources": {"parts": {"file": "a.csv", "sample": "b.csv"}}})


def test_a_criterion_has_one_bound() -> None:
    with pytest.raises(ProjectError, match="exactly one of at_least and at_most"):
        spec(success=[{"metric": "recall"}])


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text("project: parts\n  task: [", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"is not readable YAML.*line 2"):
        load_spec(path)


def test_an_empty_file_is_no_project(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text("", encoding="utf-8")
    with pytest.raises(ProjectError, match="is not a valid project"):
        load_spec(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="does not exist"):
        load_spec(tmp_path / "project.yaml")
