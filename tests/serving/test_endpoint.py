import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.prediction_log import PredictionLog
from leitstand.errors import ModelError, TamperedModel, UnknownName
from serving.client import as_rows
from serving.endpoint import Endpoint, load_endpoints
from serving.problems import Problem


def test_a_prediction_that_cannot_be_logged_is_not_given(stage: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = PredictionLog(f"sqlite:///{tmp_path / 'file' / 'log.db'}")
    endpoint = Endpoint(stage.projects["cells"], stage.models["cells"], stage.versions["cells"], log)
    body = json.dumps({"rows": as_rows(stage.frames["cells"].head(1), stage.projects["cells"].input_contract)})
    with pytest.raises(Problem, match="prediction log cannot be written") as caught:
        endpoint.predict(body.encode(), "test")
    assert (caught.value.status, caught.value.name) == (503, "log_unavailable")
    assert str(tmp_path) not in str(caught.value)


def test_one_broken_project_takes_no_other_down(stage: Any) -> None:
    found = load_endpoints(["cells", "tampered", "untrained", "nowhere"], stage.settings)
    assert [type(item) for item in found.values()] == [Endpoint, TamperedModel, ModelError, UnknownName]


def test_an_unexpected_error_while_loading_is_kept_to_its_project(stage: Any) -> None:
    folder = stage.settings.workspace / "projects" / "crashing"
    folder.mkdir()
    (folder / "project.yaml").write_text(
        (stage.projects["cells"].folder / "project.yaml").read_text().replace("cells", "crashing")
    )
    (folder / "model.py").write_text("1 / 0\n")
    contract = stage.settings.workspace / "data_contracts" / "cells.odcs.yaml"
    contract.with_name("crashing.odcs.yaml").write_text(contract.read_text())
    found = load_endpoints(["crashing", "cells"], stage.settings)
    assert "ZeroDivisionError" in str(found["crashing"])
    assert isinstance(found["cells"], Endpoint)


def test_the_version_that_answers_is_told(stage: Any) -> None:
    version = replace(stage.versions["cells"], version=7)
    endpoint = Endpoint(stage.projects["cells"], stage.models["cells"], version, stage.log)
    assert endpoint.served.model_dump() == {"name": "cells", "version": 7, "data_version": "d0c5", "synthetic": False}
