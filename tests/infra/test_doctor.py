import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.doctor import PORTS, Finding, examine
from infra.installation import lock_file, locked_requirements
from infra.settings import NO_TELEMETRY, Settings
from leitstand.texts import messages


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def look(settings: Settings, name: str, **values: Path) -> Finding:
    return next(finding for finding in examine(settings, **values) if finding.name == name)


def test_nothing_is_left_behind(settings: Settings, tmp_path: Path) -> None:
    examine(settings)

    assert list(tmp_path.iterdir()) == []


def test_what_is_ill_says_how_to_mend_it_in_both_languages(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")

    for language in ("de", "en"):
        found = examine(settings.model_copy(update={"language": language}))
        assert all(bool(each.mend) != each.ok and each.title and each.detail for each in found)


def test_every_illness_has_a_mend_in_the_catalogue() -> None:
    keys = messages("doctor").keys()

    assert {f"title_port_{name}" for name in PORTS} <= set(keys)
    assert {key.removeprefix("mend_") for key in keys if key.startswith("mend_")} - {"database"} <= set(keys)


# --- packages


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    original = lock_file()
    assert original is not None
    return Path(shutil.copy(original, tmp_path / "requirements.lock"))


def test_a_package_of_another_version_is_named(settings: Settings, lock: Path) -> None:
    pinned = next(each for each in locked_requirements(lock) if each.name == "pandas")
    lock.write_text(lock.read_text().replace(str(pinned).split(";")[0].strip(), "pandas==1.0.0", 1))

    finding = look(settings, "packages", lock=lock)

    assert not finding.ok
    assert finding.detail.startswith("Not as locked")
    assert finding.detail.count("(") == 2  # the explanation and this one
    assert "pandas" in finding.detail
    assert "(1.0.0)" in finding.detail


def test_a_missing_package_is_named(settings: Settings, lock: Path) -> None:
    lock.write_text(lock.read_text() + "no-such-package==1.2.3 \\\n    --hash=sha256:00\n")

    assert "no-such-package missing (1.2.3)" in look(settings, "packages", lock=lock).detail


def test_packages_for_other_pythons_and_systems_are_no_mismatch(settings: Settings, lock: Path) -> None:
    lock.write_text("pandas==1.0.0 ; python_full_version < '3.11' \\\nnot-here==1 ; sys_platform == 'amiga'\n")

    assert look(settings, "packages", lock=lock).ok


def test_the_lock_of_this_repository_is_found_and_read() -> None:
    path = lock_file()

    assert path is not None
    assert path.parent == Path(__file__).parents[2]
    assert {"mlflow", "dvc", "prefect", "great-expectations", "bentoml", "evidently"} <= {
        each.name for each in locked_requirements(path)
    }


# --- ports


@pytest.fixture
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        monkeypatch.setitem(PORTS, "mlflow", port)
        yield port


def test_a_taken_port_is_named_with_its_holder(settings: Settings, taken_port: int) -> None:
    finding = look(settings, "port_mlflow")

    assert not finding.ok
    assert f"Port {taken_port} is held by" in finding.detail
    assert str(os.getpid()) in finding.detail


def test_a_port_held_by_our_own_service_is_well(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "prefect_stand_in.py"
    script.write_text(
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\ninput()\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        monkeypatch.setitem(PORTS, "prefect", int(process.stdout.readline()))
        finding = look(settings, "port_prefect")
        process.communicate("\n")

    assert finding.ok
    assert str(process.pid) in finding.detail


def test_a_free_port_is_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setitem(PORTS, "service", server.getsockname()[1])

    assert look(settings, "port_service").ok


# --- state folder and disk


def test_a_file_in_place_of_the_state_folder_is_found(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")

    finding = look(settings, "writing")

    assert (finding.ok, "is a file" in finding.detail) == (False, True)


def test_a_folder_on_a_file_system_without_writing_is_found() -> None:
    finding = look(Settings(home=Path("/proc/leitstand") if Path("/proc").is_dir() else Path("/dev/leitstand")), "writing")

    assert not finding.ok
    assert "cannot be written" in finding.detail


def test_a_folder_made_immutable_is_found(settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o500)
    immutable = os.geteuid() == 0 and shutil.which("chattr") is not None
    if immutable and subprocess.run(["chattr", "+i", str(home)], check=False, capture_output=True).returncode:
        pytest.skip("this file system knows no immutable folders")
    try:
        finding = look(settings, "writing")
    finally:
        if immutable:
            subprocess.run(["chattr", "-i", str(home)], check=True)
        home.chmod(0o700)

    assert not finding.ok


def test_a_full_disk_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.doctor.NEEDED_GB", 10**9)  # nobody's disk has an exabyte free

    finding = look(settings, "disk")

    assert (finding.ok, "1000000000 GB are needed" in finding.detail) == (False, True)


# --- databases


def test_a_sound_database_answers(settings: Settings) -> None:
    settings.folder()
    with sqlite3.connect(settings.root / "mlflow.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()

    assert look(settings, "database_mlflow").detail.endswith("mlflow.db answers.")


def test_a_file_that_is_no_database_is_found(settings: Settings) -> None:
    (settings.folder() / "predictions.db").write_text("this is not a database, whatever its name says" * 50)

    finding = look(settings, "database_predictions")

    assert not finding.ok
    assert "not a readable database" in finding.detail


def test_a_locked_database_is_found(settings: Settings) -> None:
    path = settings.folder() / "prefect.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN IMMEDIATE")
    try:
        finding = look(settings, "database_prefect")
    finally:
        holder.close()

    assert not finding.ok
    assert "locked" in finding.detail


@pytest.mark.postgresql
def test_a_postgresql_server_answers(tmp_path: Path, postgresql_url: str) -> None:
    finding = look(Settings(home=tmp_path, database_url=SecretStr(postgresql_url)), "database_mlflow")

    assert finding.ok
    assert finding.detail.endswith("answers.")


def test_a_database_server_that_is_not_there_is_found_without_its_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = Settings(home=tmp_path, database_url=SecretStr(f"postgresql://someone:secret@127.0.0.1:{port}/x"))

    finding = look(settings, "database_predictions")

    assert not finding.ok
    assert "secret" not in finding.detail + finding.mend


# --- byte-code, telemetry, clock: the state of a whole process, so in a process of their own


def in_process(code: str, **environment: str) -> str:
    call = [sys.executable, "-c", code]
    shown = subprocess.run(call, env=os.environ | environment, capture_output=True, text=True, check=True)
    return shown.stdout.strip()


EXAMINE = (
    "from pathlib import Path\nfrom infra.settings import Settings\nfrom infra.doctor import examine\n"
    "found = {each.name: each for each in examine(Settings(home=Path('.nowhere')))}\n"
)


def test_the_byte_code_switch_is_seen() -> None:
    shown = in_process(EXAMINE + "print(found['byte_code'].detail)", PYTHONDONTWRITEBYTECODE="1")

    assert "PYTHONDONTWRITEBYTECODE" in shown or "Not compiled" in shown


def test_missing_byte_code_is_found(tmp_path: Path) -> None:
    shown = in_process(EXAMINE + "print(found['byte_code'].ok)", PYTHONPYCACHEPREFIX=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")

    assert shown == "False"


def test_telemetry_is_off_once_the_tools_are_calmed() -> None:
    on = dict.fromkeys(NO_TELEMETRY, "")
    calm, shown = "from infra.settings import calm_tools\ncalm_tools()\n", "print(found['telemetry'].ok)"

    assert in_process(EXAMINE + shown, **on) == "False"
    assert in_process(calm + EXAMINE + shown, **on) == "True"


def test_a_clock_behind_this_installation_is_found(settings: Settings, lock: Path) -> None:
    tomorrow = time.time() + 86_400
    os.utime(lock, (tomorrow, tomorrow))

    finding = look(settings, "clock", lock=lock)

    assert not finding.ok
    assert "cannot be" in finding.detail


def test_a_sound_clock_is_well(settings: Settings) -> None:
    assert look(settings, "clock").ok
