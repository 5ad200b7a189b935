import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.prefect_server import PrefectServer, answers, asynchronous, prefect_server
from flows.warming import tools_aside
from infra.settings import Settings
from leitstand.errors import ContractBroken, ServiceError

NOWHERE = "http://127.0.0.1:9/api"


def test_a_temporary_server_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    with prefect_server(Settings(home=tmp_path, prefect_url=NOWHERE)) as server:
        server.wait()
        assert answers(server.url)
        assert server.process is not None
        child = psutil.Process(server.process.pid)
    assert not child.is_running()
    assert not answers(server.url)


def test_a_running_server_is_used_and_left_running(tmp_path: Path) -> None:
    with prefect_server(Settings(home=tmp_path / "first", prefect_url=NOWHERE)) as first:
        first.wait()
        with prefect_server(Settings(home=tmp_path / "second", prefect_url=first.url)) as second:
            assert second == PrefectServer(first.url)
        assert answers(first.url)


@pytest.mark.parametrize("wait", ["server.wait()", "pass"], ids=["answering", "booting"])
def test_the_temporary_server_ends_with_a_killed_parent(tmp_path: Path, wait: str) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from infra.settings import Settings\n"
        "from flows.prefect_server import prefect_server\n"
        f"with prefect_server(Settings(home=Path({str(tmp_path)!r}), prefect_url={NOWHERE!r})) as server:\n"
        f"    {wait}\n"
        "    print(server.process.pid, flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 15
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_server_that_dies_says_where_its_log_is(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    dead.wait()
    with pytest.raises(ServiceError, match=r"ended with code 7\. Its log .*server\.log"):
        PrefectServer(NOWHERE, dead, tmp_path / "server.log").wait()


def test_prefect_gets_the_asynchronous_driver() -> None:
    assert asynchronous("sqlite:////a/b.db") == "sqlite+aiosqlite:////a/b.db"
    assert asynchronous("postgresql+psycopg://u@h/d") == "postgresql+asyncpg://u@h/d"
    assert asynchronous("postgresql://u@h/d") == "postgresql+asyncpg://u@h/d"


def test_a_broken_contract_comes_through_from_the_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from builders import contract, parts

    monkeypatch.delitem(sys.modules, "data_contracts.checking", raising=False)
    frame = parts(40)
    with tools_aside() as tools:
        assert len(tools.check(frame, contract(frame)).accepted) == 40
        with pytest.raises(ContractBroken, match="pressure") as caught:
            tools.check(frame.rename(columns={"pressure": "pressure_bar"}), contract(frame))
    assert "data_contracts.checking" not in sys.modules
    assert caught.value.render("de") != str(caught.value)


def test_the_second_process_ends_with_a_killed_parent() -> None:
    code = (
        "import multiprocessing, time\n"
        "from flows.warming import tools_aside\n"
        "with tools_aside() as tools:\n"
        "    print(multiprocessing.active_children()[0].pid, flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(6)  # it watches its parent once it runs
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    gone, _ = psutil.wait_procs([child], timeout=15)
    assert child in gone or child.status() == psutil.STATUS_ZOMBIE
