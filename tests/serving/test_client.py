import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leitstand.contract import Column, Contract
from leitstand.errors import ServiceError
from serving.client import Client, as_rows

SERVICE = pytest.mark.slow


@SERVICE
def test_the_client_predicts_and_feeds_back(stage: Any, service: Any) -> None:
    frame = stage.frames["cells"].head(4)
    with Client(service.url, "cells") as client:
        assert client.ready()
        answer = client.predict(as_rows(frame, stage.projects["cells"].input_contract))
        result = client.feedback({made.id: truth for made, truth in zip(answer.predictions, frame["diagnosis"], strict=True)})
    assert (result.matched, result.unknown) == (4, [])


@SERVICE
def test_what_the_service_refuses_is_an_error_with_its_words(service: Any) -> None:
    with (
        Client(service.url, "cells", language="de") as client,
        pytest.raises(ServiceError, match=r"status 422.*'mean texture' fehlt"),
    ):
        client.predict([{"mean radius": 1}])


@SERVICE
def test_a_project_without_a_model_is_not_ready(service: Any) -> None:
    with Client(service.url, "tampered") as client:
        assert not client.ready()


def test_a_service_that_is_not_there_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", "cells") as client:
        assert not client.ready()
        with pytest.raises(ServiceError, match=r"does not answer.*leitstand serve"):
            client.predict([{}])


def test_frames_become_rows_of_json_values(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    kinds = {"n": "number", "i": "integer", "b": "boolean", "t": "timestamp", "s": "string", "f": "file"}
    contract = Contract(id="x", table="x", columns=tuple(Column(name=name, type=kind) for name, kind in kinds.items()))
    full = {"n": 0.5, "i": 3.0, "b": 1.0, "t": pd.Timestamp(2026, 1, 31), "s": "ä", "f": str(tmp_path / "a.wav"), "other": 1}
    empty = {"n": float("nan"), "i": None, "b": None, "t": pd.NaT, "s": None, "f": None, "other": 1}
    assert as_rows(pd.DataFrame([full, empty]), contract) == [
        {"n": 0.5, "i": 3.0, "b": True, "t": datetime(2026, 1, 31).isoformat(), "s": "ä", "f": "UklGRg=="},
        {},
    ]
