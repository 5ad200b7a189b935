"""What befalls a plant's computer while the maintenance loop works: full disks, clocks that jump, a database that is away."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loop import TURNED, agree, desk_of, kinds, maintained, used
from small_disk import fill, mounted
from workshop import Workshop, parts

import flows.practice_check
from infra.history import History
from infra.registry import Registry
from infra.snapshots import SnapshotStore
from leitstand.now import clock_in, follow, set_clock

pytestmark = pytest.mark.slow
SPARE_BYTES = 16 * 1024 * 1024


@pytest.fixture
def on_small_disk(turned: Workshop, tmp_path: Path) -> Iterator[Workshop]:
    """A copy of ``turned`` on a disk of its own, with little space left."""
    held = sum(path.stat().st_blocks * 512 for path in turned.folder.rglob("*"))
    with mounted(tmp_path / "disk", held + SPARE_BYTES) as disk:
        yield turned.copy(disk / "copy")


STAGES = {
    "snapshot": (SnapshotStore, "save"),
    "training": (flows.practice_check, "examine"),
    "registering": (Registry, "register"),
    "publishing": (Registry, "publish"),
    "promoting": (History, "append"),
}


def test_a_disk_that_fills_up_at_any_stage_changes_nothing_and_the_next_pass_is_clean(
    on_small_disk: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop, ballast = on_small_disk, on_small_disk.folder.parent / "ballast"
    answers = len(desk_of(workshop).log.read("parts"))

    def filling(real: Callable[..., Any]) -> Callable[..., Any]:
        def full(*arguments: Any, **options: Any) -> Any:
            fill(ballast)
            return real(*arguments, **options)

        return full

    for stage, (owner, name) in STAGES.items():
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, filling(getattr(owner, name)))
            made = workshop("maintain", "parts")
        assert ballast.exists(), f"{stage} was never reached"
        ballast.unlink()
        assert made.code == 1, f"{stage}: {made.stdout}{made.stderr}"
        assert "Traceback" not in made.stderr, f"{stage}: {made.stderr}"
        assert "ree some space" in made.told, f"{stage}: {made.told}"
        assert agree(workshop) == (1, None), stage
        assert kinds(workshop) == [("promote", 1)], stage
        assert len(desk_of(workshop).log.read("parts")) == answers, stage
    assert maintained(workshop)["acted"] == "promoted"
    champion, challenger = agree(workshop)
    assert challenger is None
    assert kinds(workshop) == [("promote", 1), ("promote", champion)]
    assert workshop.done("history", "parts", "--verify", "--json").document["entries"] == 2


@pytest.fixture
def clock(turned: Workshop, tmp_path: Path) -> Iterator[Callable[[timedelta], None]]:
    """Set the clock that everything of ``turned`` and this process follow, from what it is in truth."""
    file = tmp_path / "clock"
    set_clock(file, datetime.now(UTC))
    turned.environment["LEITSTAND_CLOCK"] = str(file)
    follow(clock_in(file))
    yield lambda ahead: set_clock(file, datetime.now(UTC) + ahead)
    follow(None)


def test_a_clock_that_jumped_ahead_and_was_set_back_blinds_nobody_and_loses_no_answer(
    turned: Workshop, clock: Callable[[timedelta], None]
) -> None:
    turned.edit("parts", serving={"log_days": 30})
    clock(timedelta(0))
    assert maintained(turned)["acted"] == "promoted"
    answers = len(desk_of(turned).log.read("parts"))
    clock(timedelta(days=4000))
    ahead = maintained(turned)
    assert ahead["acted"] in ("none", "refused"), ahead
    assert len(desk_of(turned).log.read("parts")) == answers, "retention trusted the clock at once"
    clock(timedelta(minutes=5))
    back = parts(120, seed=11)  # the world has turned back
    used(turned, back, back["quality"])
    told = maintained(turned)
    assert told["monitoring"]["window_rows"] >= 120, "what came since is looked at, not what lies ahead"
    assert (told["acted"], told["champion"]) == ("rolled_back", 1), told
    assert len(desk_of(turned).log.read("parts")) == answers + 120
    assert agree(turned) == (1, None)
    assert turned.done("history", "parts", "--verify", "--json").document["entries"] == 3


def test_a_training_ahead_of_the_clock_does_not_keep_the_next_one_waiting(
    turned: Workshop, clock: Callable[[timedelta], None]
) -> None:
    turned.edit("parts", maintenance={"rollout": "shadow", "rollout_rows": 60, "cooldown_hours": 24})
    clock(timedelta(days=4000))
    used(turned, parts(80, seed=13), parts(80, seed=13)["quality"].map(TURNED))
    assert maintained(turned)["acted"] == "trial"
    assert agree(turned) == (1, 2)
    clock(timedelta(minutes=5))
    fresh = parts(120, seed=14)
    used(turned, fresh, fresh["quality"].map(TURNED))
    told = maintained(turned)
    assert [(step["did"], step["version"]) for step in told["steps"]] == [("withdrawn", 2)]
    assert agree(turned) == (1, None)
    clock(timedelta(hours=25))  # since the training of version 1
    used(turned, fresh, fresh["quality"].map(TURNED))
    told = maintained(turned)
    assert told["decision"]["action"] == "retrain", told["decision"]
    assert agree(turned)[0] == 1


def test_the_loop_goes_on_after_its_state_folder_was_away(turned: Workshop) -> None:
    away = turned.folder / "away"
    shutil.move(turned.home, away)
    made = turned("maintain", "parts")
    assert made.code == 1
    assert "Traceback" not in made.stderr
    assert "No model is in charge of parts yet" in made.told
    shutil.rmtree(turned.home, ignore_errors=True)
    shutil.move(away, turned.home)
    assert maintained(turned)["acted"] == "promoted"
    assert kinds(turned)[0] == ("promote", 1)
