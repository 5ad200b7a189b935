from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infra.prediction_log import PredictionLog
from leitstand.errors import StateError, UsageError
from serving.batch import predict_file, predicted_chunks


def parts(stage: Any, name: str) -> tuple[Any, Any, Any]:
    return stage.projects[name], stage.models[name], stage.versions[name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["cells", "line"])
def test_the_file_holds_the_table_and_the_models_answers(stage: Any, tmp_path: Path, name: str, suffix: str) -> None:
    frame, log = stage.frames[name], PredictionLog(f"sqlite:///{tmp_path / 'log.db'}")
    result = predict_file(*parts(stage, name), frame, tmp_path / f"out{suffix}", log, chunk_rows=70)
    written = pd.read_csv(result.path) if suffix == ".csv" else pd.read_parquet(result.path)
    expected = stage.models[name].predict(stage.projects[name], frame)
    assert result.rows == len(written) == len(frame)
    assert list(written.columns[: frame.shape[1]]) == list(frame.columns)
    if name == "cells":
        assert written["prediction"].tolist() == expected.value.tolist()
        assert np.allclose(written["probability_benign"] + written["probability_malignant"], 1)
    else:
        assert np.allclose(written["prediction"], expected.value, rtol=1e-12)
        assert written["advice"].notna().any()
    assert set(log.read(name)["id"]) == set(written["prediction_id"])
    assert list(tmp_path.glob(".*")) == []
    log.close()


def test_chunks_answer_as_the_whole_table_does_where_features_look_back(stage: Any) -> None:
    project, model, frame = stage.projects["line"], stage.models["line"], stage.frames["line"]
    whole = model.predict(project, frame).value
    for chunk_rows in (1, 2, 7, 300):
        made = [predictions.value for _, predictions in predicted_chunks(project, model, frame, chunk_rows)]
        assert np.allclose(np.concatenate(made), whole, rtol=1e-12, atol=0)


def test_own_columns_never_overwrite_those_of_the_table(stage: Any, tmp_path: Path) -> None:
    frame = stage.frames["cells"].head(3).assign(prediction="mine", score=0)
    written = pd.read_csv(predict_file(*parts(stage, "cells"), frame, tmp_path / "out.csv", None).path)
    assert written["prediction"].tolist() == ["mine"] * 3
    assert set(written["leitstand_prediction"]) <= {"malignant", "benign"}
    assert "leitstand_score" in written


def test_parquet_columns_without_values_at_first_take_them_later(stage: Any, tmp_path: Path) -> None:
    frame = stage.frames["cells"].head(4).assign(note=[None, None, "late", None], extra=[np.nan, np.nan, 1.5, 2])
    written = pd.read_parquet(predict_file(*parts(stage, "cells"), frame, tmp_path / "out.parquet", None, chunk_rows=2).path)
    assert written["note"].tolist() == [None, None, "late", None]


def test_flagged_rows_are_counted(stage: Any, tmp_path: Path) -> None:
    frame = stage.frames["cells"].head(3).assign(**{"mean radius": [14.0, 49.0, 14.0]})
    result = predict_file(*parts(stage, "cells"), frame, tmp_path / "out.csv", None)
    assert result.flagged == 1
    assert pd.read_csv(result.path)["flags"].iloc[1] == "outside_training_range: mean radius"


def test_an_unknown_format_is_refused(stage: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in one of: \.csv, \.parquet"):
        predict_file(*parts(stage, "cells"), stage.frames["cells"], tmp_path / "out.xlsx", None)


def test_no_file_appears_when_the_log_cannot_be_written(stage: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = PredictionLog(f"sqlite:///{tmp_path / 'file' / 'log.db'}")
    with pytest.raises(StateError, match="cannot be written"):
        predict_file(*parts(stage, "cells"), stage.frames["cells"], tmp_path / "out.csv", log)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
