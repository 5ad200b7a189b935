import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.passes import Pass, Passes
from leitstand.errors import StateError


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    return Passes(f"sqlite:///{tmp_path / 'history.db'}")


def note(passes: Passes, project: str = "parts", **changes: Any) -> Pass:
    content: dict[str, Any] = {"model_version": 1, "acted": "none", "trained": False, "signals": {}, "figures": {"mae": 0.5}}
    return passes.append(project, decision={"action": "nothing", "reasons": []}, **content | changes)


def test_passes_come_back_newest_first_and_by_project(passes: Passes) -> None:
    first, _, second = note(passes), note(passes, "others"), note(passes, trained=True, acted="refused")
    assert passes.latest("parts") == [second, first]
    assert (second.number, second.figures, second.action) == (2, {"mae": 0.5}, "nothing")
    assert passes.latest("parts", limit=1) == [second]
    assert passes.latest("parts", since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_the_last_training_is_found_behind_later_passes(passes: Passes) -> None:
    assert passes.last_training("parts") is None
    trained = note(passes, trained=True, acted="promoted")
    note(passes)
    assert passes.last_training("parts") == trained


def test_a_pass_that_was_changed_is_found(passes: Passes, tmp_path: Path) -> None:
    for _ in range(3):
        note(passes)
    assert passes.verify("parts") == 3
    with sqlite3.connect(tmp_path / "history.db") as database:
        database.execute("UPDATE leitstand_passes SET acted = 'promoted' WHERE number = 2")
    with pytest.raises(StateError, match="Pass 2 of the maintenance loop of 'parts' is not as it was written"):
        passes.verify("parts")
