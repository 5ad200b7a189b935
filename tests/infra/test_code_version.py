import hashlib
import subprocess
from pathlib import Path

import pytest

from infra.code_version import code_version
from infra.settings import Settings, load_settings


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Anna", "-c", "user.email=anna@firma.example"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def settings_of(workspace: Path) -> Settings:
    return load_settings(home=workspace.parent / "home", workspace=workspace)


def test_a_workspace_without_git_has_no_commit(workspace: Path) -> None:
    found = code_version(settings_of(workspace))
    assert (found.commit, found.dirty, str(found)) == ("none", False, "none")


def test_a_clean_workspace_names_its_commit(workspace: Path) -> None:
    git(workspace, "init", "-q")
    (workspace / "model.py").write_text("x = 1\n")
    git(workspace, "add", ".")
    git(workspace, "commit", "-q", "-m", "first")
    found = code_version(settings_of(workspace))
    assert (found.commit, found.dirty) == (git(workspace, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize("file", ["model.py", "new.py"])
def test_changed_and_unknown_files_make_it_dirty(workspace: Path, file: str) -> None:
    test_a_clean_workspace_names_its_commit(workspace)
    (workspace / file).write_text("x = 2\n")
    found = code_version(settings_of(workspace))
    assert found.dirty
    assert str(found).endswith("+changes")


def test_a_repository_without_commits_has_none(workspace: Path) -> None:
    git(workspace, "init", "-q")
    assert code_version(settings_of(workspace)).commit == "none"


def test_a_machine_without_git_has_none(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(workspace))
    assert code_version(settings_of(workspace)).commit == "none"


def test_the_lock_of_the_workspace_goes_before_the_shipped_one(workspace: Path) -> None:
    shipped = code_version(settings_of(workspace)).lock_hash
    assert shipped != "none"
    (workspace / "requirements.lock").write_text("numpy==2\n")
    assert code_version(settings_of(workspace)).lock_hash == hashlib.sha256(b"numpy==2\n").hexdigest() != shipped
