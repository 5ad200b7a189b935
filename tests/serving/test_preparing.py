"""Models that have to be fetched or compiled before they answer hold up nobody but themselves."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from own_stage import copied, second_version

from infra.history import History, Kind
from infra.registry import Registry
from infra.releases import COMPILED_FOLDER, Release, Releases
from infra.settings import Settings
from serving import preparing
from serving.compiled import NOTE_FILE, read_compilation
from serving.endpoint import Endpoint
from serving.launch import start_service
from serving.loading import Champions
from serving.preparing import BeingPrepared, compile_releases
from serving.problems import Problem
from serving.standby import unavailable
from serving.told import state_of


@pytest.fixture
def two(stage: Any, tmp_path: Path) -> Settings:
    """A stage on which nothing but the first version of cells is compiled; a second one is there."""
    settings = copied(stage, tmp_path)
    registry = Registry(settings)
    assert second_version(stage, settings, registry, tmp_path / "model") == 2
    registry.close()
    releases = Releases(settings)
    for name, version in stage.versions.items():
        shutil.rmtree(releases.folder(name, version.version) / COMPILED_FOLDER, ignore_errors=True)
    compile_releases(releases, [releases.read("cells", 1)])
    releases.close()
    return settings


@pytest.fixture
def hanging(two: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Let every child process wait for an event before it begins."""
    go, child = Event(), preparing._child
    monkeypatch.setattr(preparing, "_child", lambda *arguments: (go.wait(60), child(*arguments)))
    yield go
    go.set()


def say(settings: Settings, kind: Kind, version: int) -> None:
    history = History(settings.database("history"))
    history.append("cells", kind, version, who="Ada", why=f"{kind} it", evidence={})
    history.close()


def was_tried(settings: Settings, name: str) -> bool:
    """Return whether compiling the first version was tried; the models of the stage have no held-out rows to prove themselves by."""
    releases = Releases(settings)
    releases.close()
    return read_compilation(releases.folder(name, 1) / COMPILED_FOLDER) is not None


def until(champions: Champions, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
        champions.look()


def answering(champions: Champions) -> tuple[int, int | None, bool]:
    """Return which version of cells answers, which one is on trial, and whether a person decides instead."""
    one = champions.endpoints["cells"]
    assert isinstance(one, Endpoint), one
    return one.version, one.rollout and one.rollout.endpoint.version, one.refusal is not None


def test_a_champion_that_was_never_compiled_answers_later_than_the_others(two: Settings, hanging: Event) -> None:
    champions = Champions(["cells", "numbers"], two)
    assert answering(champions) == (1, None, False)
    waiting = champions.endpoints["numbers"]
    assert isinstance(waiting, BeingPrepared)
    assert champions.preparing
    state = state_of(champions.endpoints, "de", lambda _: True)
    assert state["status"] == "preparing"
    assert "wird geholt und übersetzt" in state["projects"]["numbers"]["detail"]
    problem = unavailable(waiting)
    assert (problem.status, problem.name, problem.headers["Retry-After"]) == (503, "being_prepared", "5")
    with pytest.raises(Problem, match="being prepared: 1") as none:
        state_of({"numbers": waiting}, "en", lambda _: True)
    assert (none.value.status, none.value.name) == (503, "being_prepared")
    hanging.set()
    until(champions, lambda: not champions.preparing)
    assert isinstance(champions.endpoints["numbers"], Endpoint)
    assert was_tried(two, "numbers")
    champions.stop()


def test_neither_a_pause_nor_the_way_back_waits_for_a_model_that_hangs(two: Settings, hanging: Event) -> None:
    champions = Champions(["cells"], two)
    say(two, "promote", 2)
    champions.look()
    assert answering(champions) == (1, None, False)
    say(two, "pause", 2)
    champions.look()
    assert answering(champions)[2]
    say(two, "resume", 2)
    say(two, "rollback", 1)
    champions.look()
    assert answering(champions) == (1, None, False)
    say(two, "promote", 2)
    hanging.set()
    until(champions, lambda: answering(champions) == (2, None, False))
    champions.stop()


def test_a_champion_that_was_paused_before_it_was_compiled_answers_at_once_and_then_compiled(
    two: Settings, hanging: Event
) -> None:
    champions = Champions(["cells"], two)

    def prepared() -> bool:
        one = champions.endpoints["cells"]
        assert isinstance(one, Endpoint)
        return one.released.prepared

    for kind in ("promote", "pause", "resume"):
        say(two, kind, 2)
        champions.look()
    assert (answering(champions), prepared()) == ((2, None, False), False)
    hanging.set()
    until(champions, prepared)
    assert answering(champions) == (2, None, False)
    held = champions.endpoints["cells"]
    champions.look()
    assert champions.endpoints["cells"] is held
    champions.stop()


def test_a_champion_does_not_wait_for_its_challenger(two: Settings, hanging: Event) -> None:
    say(two, "shadow", 2)
    champions = Champions(["cells"], two)
    assert answering(champions) == (1, None, False)
    champions.look()
    assert answering(champions) == (1, None, False)
    hanging.set()
    until(champions, lambda: answering(champions) == (1, 2, False))
    champions.stop()


def test_a_release_that_is_nowhere_is_refused_with_the_reason_and_tried_again(
    two: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "AGAIN_SECONDS", 2.0)
    monkeypatch.setattr("serving.loading.AGAIN_SECONDS", 2.0)
    releases = Releases(two)
    folder = releases.folder("cells", 1)
    shutil.move(folder, folder.with_name("away"))
    monkeypatch.setattr(preparing, "fetch_release", lambda *_: None)
    champions = Champions(["cells"], two)
    until(champions, lambda: not champions.preparing)
    assert "release.json" in str(champions.endpoints["cells"])
    shutil.move(folder.with_name("away"), folder)
    until(champions, lambda: isinstance(champions.endpoints["cells"], Endpoint))
    champions.stop()
    releases.close()


def test_a_broken_note_takes_only_its_own_model_down(two: Settings) -> None:
    releases = Releases(two)
    (releases.folder("cells", 1) / COMPILED_FOLDER / NOTE_FILE).write_text("{", encoding="utf-8")
    compile_releases(releases, [releases.read("cells", 1), releases.read("numbers", 1)])
    champions = Champions(["cells", "numbers"], two)
    assert "compiled.json" in str(champions.endpoints["cells"])
    assert isinstance(champions.endpoints["numbers"], Endpoint)
    champions.stop()
    releases.close()


def test_what_a_process_left_undone_is_compiled_alone_and_last_what_it_broke_down_on(
    two: Settings, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases, asked = Releases(two), []

    def breaks_down_on_the_first(module: str, *folders: str) -> None:
        asked.append([Path(folder).parent.name for folder in folders])

    monkeypatch.setattr(preparing, "_child", breaks_down_on_the_first)
    wanted: list[Release] = [releases.read(name, stage.versions[name].version) for name in ("line", "sounds", "numbers")]
    compile_releases(releases, [*wanted, releases.read("cells", 1)])  # of which the last one is compiled
    assert asked == [["line", "sounds", "numbers"], ["sounds"], ["numbers"], ["line"]]
    releases.close()


def test_who_starts_the_service_waits_until_its_models_are_prepared(two: Settings) -> None:
    with start_service(["cells", "numbers"], two, compiling=True) as service:
        assert service.unavailable == {}
        assert httpx.get(f"{service.url}/numbers/readyz", trust_env=False).json()["status"] == "ready"
    assert was_tried(two, "numbers")
