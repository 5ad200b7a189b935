import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.locks import project_lock
from infra.settings import Settings, load_settings
from leitstand.errors import Busy, StateError

Run = Callable[..., "subprocess.Popen[str]"]
HOLDER = """
    import sys, time
    from pathlib import Path
    from infra.locks import project_lock
    from infra.settings import load_settings
    with project_lock(load_settings(home=Path(sys.argv[1])), "demo"):
        print("held", flush=True)
        time.sleep(600)
"""


def hold_elsewhere(settings: Settings, run_python: Run) -> "subprocess.Popen[str]":
    process = run_python(HOLDER, settings.home)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_holds_the_project(settings: Settings, run_python: Run) -> None:
    process = hold_elsewhere(settings, run_python)
    message = rf"project demo is in use by another run \(process {process.pid}, since 20"
    with pytest.raises(Busy, match=message) as caught, project_lock(settings, "demo"):
        pass
    assert str(process.pid) in caught.value.render("de")


def test_other_projects_are_free(settings: Settings, run_python: Run) -> None:
    hold_elsewhere(settings, run_python)
    with project_lock(settings, "another"):
        pass


def test_kill_9_frees_the_project(settings: Settings, run_python: Run) -> None:
    process = hold_elsewhere(settings, run_python)
    process.kill()
    process.wait()
    with project_lock(settings, "demo", wait_seconds=5):
        pass


def test_threads_of_one_process_exclude_each_other_too(settings: Settings) -> None:
    with project_lock(settings, "demo"), pytest.raises(Busy, match="in use by another run"), project_lock(settings, "demo"):
        pass


def test_an_error_inside_frees_the_project(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError, match="division"), project_lock(settings, "demo"):
        1 / 0  # noqa: B018
    with project_lock(settings, "demo"):
        pass


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(home=tmp_path / "file" / "home")
    with pytest.raises(StateError, match=r"file/home.* cannot be written: Not a directory"), project_lock(settings, "demo"):
        pass
