import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from infra.chain import FIRST
from infra.history import History
from leitstand.errors import StateError

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def history(any_url: str) -> Iterator[History]:
    history = History(any_url)
    yield history
    history.close()


def add(history: History, to_version: int, kind: Any = "promote") -> None:
    history.append("demo", kind, to_version, who="anna", why="better", evidence={"roc_auc": 0.9, "gates": ["a", "ü"]})


def change(history: History, statement: str) -> None:
    with history._database.writing() as connection:
        connection.execute(text(statement))


def test_an_entry_says_who_what_when_why_and_on_which_evidence(history: History) -> None:
    add(history, 1)
    add(history, 4)
    first, second = history.read("demo")
    assert (first.from_version, first.to_version, second.from_version, second.to_version) == (None, 1, 1, 4)
    assert (second.who, second.why, second.kind, second.number) == ("anna", "better", "promote", 2)
    assert second.evidence == {"roc_auc": 0.9, "gates": ["a", "ü"]}
    assert abs(second.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert (first.previous, second.previous) == (FIRST, first.sha256)
    assert history.verify("demo") == 2


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE leitstand_promotions SET who = 'mallory' WHERE number = 2", 2),
        ("UPDATE leitstand_promotions SET evidence = '{}' WHERE number = 3", 3),
        ("UPDATE leitstand_promotions SET to_version = 9 WHERE number = 1", 1),
        ("DELETE FROM leitstand_promotions WHERE number = 2", 2),
    ],
)
def test_an_entry_changed_or_removed_from_outside_is_found(history: History, statement: str, number: int) -> None:
    for version in (1, 2, 3):
        add(history, version)
    change(history, statement)
    with pytest.raises(StateError, match=rf"changed from outside: entry {number} is not"):
        history.verify("demo")


def test_projects_have_chains_of_their_own(history: History) -> None:
    add(history, 1)
    history.append("other", "promote", 7, who="ben", why="first")
    assert [entry.to_version for entry in history.read("other")] == [7]
    assert history.read("other")[0].number == 1
    assert history.verify("demo") == history.verify("other") == 1


@pytest.mark.parametrize(
    ("steps", "champions"),
    [
        ([], []),
        ([("promote", 1), ("promote", 2), ("promote", 3)], [1, 2, 3]),
        ([("promote", 1), ("promote", 2), ("promote", 3), ("rollback", 2)], [1, 2]),
        ([("promote", 1), ("promote", 2), ("promote", 3), ("rollback", 2), ("rollback", 1)], [1]),
        ([("promote", 1), ("promote", 2), ("rollback", 1), ("promote", 3)], [1, 3]),
        ([("promote", 1), ("promote", 2), ("rollback", 5)], [1, 2, 5]),
    ],
)
def test_rollbacks_step_back_and_never_to_and_fro(history: History, steps: list[tuple[str, int]], champions: list[int]) -> None:
    for kind, version in steps:
        add(history, version, kind)
    assert history.champions("demo") == champions


APPENDER = """
    import sys
    from infra.history import History
    history = History(sys.argv[1])
    for number in range(25):
        history.append("demo", "promote", number, who="w", why="y")
"""


def test_processes_that_append_at_once_make_one_unbroken_chain(any_url: str, run_python: Run) -> None:
    processes = [run_python(APPENDER, any_url) for _ in range(3)]
    for process in processes:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems
    assert History(any_url).verify("demo") == 75


def stands(history: History) -> tuple[Any, ...]:
    one = history.standing()["demo"]
    return one.champion, one.challenger, one.mode, one.share, one.paused


@pytest.mark.parametrize(
    ("steps", "standing"),
    [
        ([("promote", 1)], (1, None, None, 0.0, False)),
        ([("promote", 1), ("shadow", 2)], (1, 2, "shadow", 0.0, False)),
        ([("promote", 1), ("canary", 2)], (1, 2, "canary", 0.25, False)),
        ([("promote", 1), ("canary", 2), ("withdraw", 2)], (1, None, None, 0.0, False)),
        ([("promote", 1), ("shadow", 2), ("withdraw", 2), ("canary", 2)], (1, 2, "canary", 0.25, False)),
        ([("promote", 1), ("shadow", 2), ("promote", 2)], (2, None, None, 0.0, False)),
        ([("promote", 1), ("promote", 2), ("shadow", 3), ("rollback", 1)], (1, None, None, 0.0, False)),
        ([("promote", 1), ("pause", 1)], (1, None, None, 0.0, True)),
        ([("promote", 1), ("shadow", 2), ("pause", 1)], (1, 2, "shadow", 0.0, True)),
        ([("promote", 1), ("pause", 1), ("promote", 2)], (2, None, None, 0.0, True)),
        ([("promote", 1), ("pause", 1), ("resume", 1)], (1, None, None, 0.0, False)),
    ],
)
def test_standing_is_what_the_entries_come_to(history: History, steps: list[tuple[str, int]], standing: tuple[Any, ...]) -> None:
    for kind, version in steps:
        history.append("demo", kind, version, who="anna", why="w", evidence={"share": 0.25} if kind == "canary" else {})  # type: ignore[arg-type]
    assert stands(history) == standing
    assert history.verify("demo") == len(steps)


def test_trials_and_pauses_crown_nobody(history: History) -> None:
    for kind, version in (("promote", 1), ("promote", 2), ("canary", 3), ("withdraw", 3), ("pause", 2), ("resume", 2)):
        add(history, version, kind)
    assert history.champions("demo") == [1, 2]
    assert history.current() == {"demo": 2}
    assert [entry.from_version for entry in history.read("demo")] == [None, 1, 2, 2, 2, 2]
    add(history, 4)
    assert history.read("demo")[-1].from_version == 2


def test_standing_names_the_reason_for_what_holds_now(history: History) -> None:
    for kind, version in (("promote", 1), ("shadow", 2), ("pause", 1), ("resume", 1), ("withdraw", 2)):
        entry = history.append("demo", kind, version, who="anna", why=f"because of {kind}")  # type: ignore[arg-type]
        held = {"promote": "promote", "shadow": "shadow", "pause": "pause", "resume": "shadow", "withdraw": "promote"}[kind]
        assert history.standing()["demo"].why == f"because of {held}"
        assert (history.standing()["demo"].since == entry.time) == (held == kind)


def test_a_project_without_a_history_stands_nowhere(history: History) -> None:
    assert history.standing() == {}


OLD_ENTRY = {
    "project": "demo",
    "number": 1,
    "kind": "promote",
    "from_version": None,
    "to_version": 3,
    "who": "anna",
    "why": "besser für alle",
    "time": "2026-01-02T03:04:05.678901+00:00",
    "evidence": '{"gates": ["ä"], "roc_auc": 0.9}',
    "previous": FIRST,
    "sha256": "f7e591985d51e447d0b9c1c4223270dcd1b0fd1d9b48357a4171e0c0d9a1d76d",
}


def test_a_history_written_before_there_were_trials_stays_true(history: History) -> None:
    with history._database.writing() as connection:
        names = ", ".join(OLD_ENTRY)
        values = ", ".join(f":{name}" for name in OLD_ENTRY)
        connection.execute(text(f"INSERT INTO leitstand_promotions ({names}) VALUES ({values})"), OLD_ENTRY)
    assert history.verify("demo") == 1
    add(history, 4, "shadow")
    assert history.verify("demo") == 2
    assert stands(history) == (3, 4, "shadow", 0.0, False)
