import json
from itertools import chain
from typing import Any

import numpy as np
import pytest

from infra.releases import COMPILED_FOLDER, Releases
from leitstand.errors import ModelError, TamperedModel, UnknownName
from leitstand.model import TrainedModel
from serving.client import as_rows
from serving.compiling import compile_model
from serving.endpoint import Endpoint
from serving.loading import Champions
from serving.released import ReleasedModel


def endpoint(stage: Any, name: str) -> Endpoint:
    found = Champions([name], stage.settings, compiling=False).endpoints[name]
    assert isinstance(found, Endpoint)
    return found


def body(stage: Any, name: str, rows: int, start: int = 0) -> bytes:
    part = stage.frames[name].iloc[start : start + rows]
    return json.dumps({"rows": as_rows(part, stage.projects[name].input_contract)}).encode()


def test_one_broken_project_takes_no_other_down(stage: Any) -> None:
    found = Champions(["cells", "tampered", "untrained", "nowhere"], stage.settings, compiling=False).endpoints
    assert [type(item) for item in found.values()] == [Endpoint, TamperedModel, ModelError, UnknownName]


def test_an_unexpected_error_while_loading_is_kept_to_its_project(stage: Any) -> None:
    found = Champions(["crashing", "cells"], stage.settings, compiling=False).endpoints
    assert "ZeroDivisionError" in str(found["crashing"])
    assert isinstance(found["cells"], Endpoint)


def test_the_version_that_answers_is_told(stage: Any) -> None:
    assert endpoint(stage, "cells").served.model_dump() == {
        "name": "cells", "version": 1, "data_version": "d0c5", "synthetic": False,
    }  # fmt: skip


def test_requests_answered_together_get_what_they_get_alone(stage: Any) -> None:
    cells = endpoint(stage, "cells")
    asked = [cells.read(body(stage, "cells", rows, start)) for rows, start in ((1, 0), (3, 10), (2, 50))]
    together = [json.loads(one.body)["predictions"] for one in cells.answer(asked)]
    alone = [json.loads(cells.answer([one])[0].body)["predictions"] for one in asked]
    assert [len(answers) for answers in together] == [1, 3, 2]
    for one, other in zip(chain(*together), chain(*alone), strict=True):
        assert one.pop("id") != other.pop("id")
        assert one.pop("score") == pytest.approx(other.pop("score"), rel=1e-12)
        assert one.pop("probabilities") == pytest.approx(other.pop("probabilities"), rel=1e-12)
        assert one == other


def test_no_request_sees_the_rows_of_another(stage: Any) -> None:
    line = endpoint(stage, "line")
    assert line.project.spec.data.history_rows
    asked = [line.read(body(stage, "line", 1, start)) for start in (0, 1, 40)]
    together = [json.loads(one.body)["predictions"][0] for one in line.answer(asked)]
    alone = [json.loads(line.answer([one])[0].body)["predictions"][0] for one in asked]
    for one, other in zip(together, alone, strict=True):
        assert {**one, "id": ""} == {**other, "id": ""}


def test_the_log_gets_what_was_answered(stage: Any) -> None:
    cells = endpoint(stage, "cells")
    (answered,) = cells.answer([cells.read(body(stage, "cells", 2))])
    told = json.loads(answered.body)["predictions"]
    for (id_, inputs, output), answer, (_, row) in zip(answered.rows, told, stage.frames["cells"].iterrows(), strict=False):
        assert id_ == answer["id"]
        assert json.loads(inputs)["mean radius"] == row["mean radius"]
        assert json.loads(output)["score"] == answer["score"]


def test_an_answer_below_the_floor_is_flagged(stage: Any) -> None:
    cells = endpoint(stage, "cells")
    serving = cells.project.spec.serving.model_copy(update={"confidence_floor": 0.999})
    object.__setattr__(cells.project.spec, "serving", serving)
    (answered,) = cells.answer([cells.read(body(stage, "cells", 100))])
    for answer in json.loads(answered.body)["predictions"]:
        unsure = max(answer["probabilities"].values()) < 0.999
        assert ("below_confidence_floor" in [flag["name"] for flag in answer["flags"]]) == unsure
    assert 0 < answered.flagged < 100


def test_a_compiled_model_without_a_data_frame_answers_as_the_original_with_one(stage: Any) -> None:
    original, frame = endpoint(stage, "numbers"), stage.frames["numbers"]
    release, folder = original.released.release, Releases(stage.settings).folder("numbers", 1)
    holdout = original.project.features(frame[["a", "b", "c"]].astype(float))
    made = compile_model(original.released.original, holdout, folder / COMPILED_FOLDER, release.sha256)
    assert made.used
    compiled = Endpoint(original.project, ReleasedModel(release, folder))
    assert (original.quick, compiled.quick) == (False, True)
    rows = [{"a": 1.0, "b": 3, "c": True}, {"a": 99.0, "b": 3}, {"a": -0.5, "b": None, "c": False}]
    asked = compiled.read(json.dumps({"rows": rows}).encode())
    new, old = (json.loads(one.answer([asked])[0].body)["predictions"] for one in (compiled, original))
    assert [answer["flags"] for answer in new] == [answer["flags"] for answer in old]
    assert new[1]["flags"] == [{"name": "outside_training_range", "columns": ["a"]}]
    assert np.allclose([answer["prediction"] for answer in new], [answer["prediction"] for answer in old], rtol=1e-5)
    assert [answer["upper"] - answer["lower"] for answer in new] == pytest.approx([5.0] * 3)


def test_an_earlier_champion_steps_in_where_the_project_wants_it(stage: Any) -> None:
    found = Champions(["relapsed"], stage.settings, compiling=False).endpoints["relapsed"]
    assert isinstance(found, Endpoint)
    assert (found.version, found.fallback) == (1, True)
    (answered,) = found.answer([found.read(body(stage, "cells", 1))])
    assert [flag["name"] for flag in json.loads(answered.body)["predictions"][0]["flags"]] == ["fallback_used"]


def test_the_model_of_a_release_is_loaded_when_it_is_needed(stage: Any) -> None:
    released = endpoint(stage, "cells").released
    assert isinstance(released.original, TrainedModel)
    assert released.original is released.original
