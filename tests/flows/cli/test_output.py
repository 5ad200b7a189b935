import json
from collections.abc import Callable

import pytest
from pydantic import BaseModel, model_serializer
from pydantic_core import SchemaError

from flows.cli.app import add_commands, carry_out, emit


def test_what_is_no_number_is_null_in_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"gain": float("nan"), "größte": [float("inf"), 1.5], "rows": {"3": None}})
    told = capsys.readouterr().out
    assert json.loads(told) == {"gain": None, "größte": [None, 1.5], "rows": {"3": None}}
    assert "größte" in told


class Interrupted(BaseModel):
    """What pydantic makes of a Ctrl-C that falls into a function of ours."""

    @model_serializer
    def made(self) -> dict[str, int]:
        raise KeyboardInterrupt


def built_while_interrupted(**_: object) -> None:
    raise SchemaError(
        'Error building "nullable" validator: SchemaError: KeyboardInterrupt: '
    )  # as pydantic tells of it, without a cause


@pytest.mark.parametrize("call", [lambda **_: Interrupted().model_dump(), built_while_interrupted])
def test_an_interrupt_that_another_library_makes_an_error_of_is_one(
    call: Callable[..., object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_commands()
    monkeypatch.setattr("flows.cli.app.app", call)
    with pytest.raises(SystemExit) as stopped:
        carry_out(["projects"])
    assert stopped.value.code == 130
    assert "Interrupted" in capsys.readouterr().err
