import json

import pytest

from flows.cli.app import emit


def test_what_is_no_number_is_null_in_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"gain": float("nan"), "größte": [float("inf"), 1.5], "rows": {"3": None}})
    told = capsys.readouterr().out
    assert json.loads(told) == {"gain": None, "größte": [None, 1.5], "rows": {"3": None}}
    assert "größte" in told
