"""What happens to requests under way when a worker is killed, the service stops, the champion changes, the queue or the disk is full."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from own_stage import copied, row, second_version
from small_disk import fill, mounted

from benchmarks.load import Seen, closed, open_loop
from benchmarks.swap import settling, swapped
from infra.prediction_log import PredictionLog
from infra.registry import Registry
from infra.settings import Settings
from serving.launch import Service, start_service
from serving.queue import MOST_WAITING

pytestmark = pytest.mark.slow
CLIENTS = 8
SLEEP = b'{"rows":[{"mode":"sleep"}]}'  # the model of the project faulty takes two seconds for it


@pytest.fixture(scope="module")
def settings(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = copied(stage, tmp_path_factory.mktemp("loaded"))
    patient(made)
    return made


@pytest.fixture(scope="module")
def loaded(settings: Settings) -> Iterator[Service]:
    with start_service(["cells", "faulty"], settings) as running:
        yield running


def patient(settings: Settings) -> None:
    """Give the slow project time enough to answer."""
    file = settings.workspace / "projects" / "faulty" / "project.yaml"
    spec = yaml.safe_load(file.read_text(encoding="utf-8"))
    spec["serving"]["timeout_seconds"] = 60
    file.write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")


@contextmanager
def load(url: str, body: bytes) -> Iterator[Seen]:
    """Let clients send requests while the block lasts; what they saw is complete after it."""
    seen, loop, stop = Seen(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(closed(url, body, CLIENTS, stop, seen)))
    thread.start()
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def newest(seen: Seen) -> int:
    """Return the model version of the last answer."""
    version: int = json.loads(seen.bodies[-1][1])["model"]["version"]
    return version


def body(stage: Any, name: str = "cells") -> bytes:
    return json.dumps({"rows": [row(stage, name)]}).encode()


def logged(settings: Settings, project: str = "cells") -> set[str]:
    log = PredictionLog(settings.database("predictions"))
    ids = set(log.read(project)["id"])
    log.close()
    return ids


def worker_of(service: Service) -> psutil.Process:
    return psutil.Process(service.pid).children()[0]


def test_nothing_acknowledged_is_lost_when_workers_are_killed(stage: Any, loaded: Service, settings: Settings) -> None:
    with load(f"{loaded.url}/cells/predict", body(stage)) as seen:
        for _ in range(3):
            count = seen.answers[200] + 100
            until(lambda count=count: seen.answers[200] > count)
            worker_of(loaded).kill()
        count = seen.answers[200] + 100
        until(lambda: seen.answers[200] > count)
    assert set(seen.answers) <= {200, 0}
    assert seen.answers[0] >= 3
    assert len(set(seen.ids)) == len(seen.ids)
    assert set(seen.ids) <= logged(settings)


def test_promotion_and_rollback_fail_no_request(stage: Any, loaded: Service, settings: Settings, tmp_path: Path) -> None:
    registry = Registry(settings)
    version = second_version(stage, settings, registry, tmp_path / "model")
    with load(f"{loaded.url}/cells/predict", body(stage)) as seen:
        until(lambda: seen.answers[200] > 100)
        registry.promote("cells", version, who="Ada", why="better")
        until(lambda: newest(seen) == version)
        registry.rollback("cells", who="Ada", why="not better")
        until(lambda: newest(seen) == 1)
    registry.close()
    assert seen.failed == 0, seen.answers
    order = seen.versions
    assert {1, version} == set(order)
    first, last = order.index(version), len(order) - order[::-1].index(version)
    assert order[first:last].count(1) <= CLIENTS  # those who asked the one before
    assert set(seen.ids) <= logged(settings)


def test_swaps_under_a_steady_load_fail_no_request_and_each_takes_effect(
    stage: Any, loaded: Service, settings: Settings, tmp_path: Path
) -> None:
    registry = Registry(settings)
    version = second_version(stage, settings, registry, tmp_path / "model")
    registry.close()
    swaps = swapped(settings, "cells", version, f"{loaded.url}/cells/predict", body(stage), rounds=1, per_second=100, apart=4.0)
    seen, acts = asyncio.run(swaps)
    assert seen.failed == 0, (seen.answers, seen.broken)
    assert [act.kind for act in acts] == ["promote", "rollback"]
    assert all(settling(act, seen) < float("inf") for act in acts)  # the service followed each before the next
    assert set(seen.ids) <= logged(settings)


def send(service: Service, sent: bytes, path: str = "/faulty/predict") -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return httpx.post(service.url + path, content=sent, headers=headers, trust_env=False, timeout=60)


def test_a_full_queue_refuses_at_once_and_is_open_again_afterwards(loaded: Service, settings: Settings) -> None:
    seen = Seen()
    surplus = 100
    asyncio.run(open_loop(f"{loaded.url}/faulty/predict", SLEEP, (MOST_WAITING + surplus) / 0.5, 0.5, seen))
    assert set(seen.answers) == {200, 503}
    assert seen.answers[503] >= surplus - 5
    assert seen.without_retry_after == 0
    assert max(seen.refusals) < min(took for _, took in seen.times)  # a refusal waits for no model
    assert send(loaded, b'{"rows":[{"mode":"a"}]}').status_code == 200
    assert len(seen.ids) == len(set(seen.ids) & logged(settings, "faulty"))


def test_requests_under_way_are_answered_before_the_service_stops(stage: Any, settings: Settings) -> None:
    with start_service(["cells", "faulty"], settings) as service, ThreadPoolExecutor(4) as threads:
        family = list(service.family())
        slow = [threads.submit(send, service, SLEEP) for _ in range(4)]
        time.sleep(0.7)
        os.kill(service.pid, signal.SIGTERM)
        answers = [one.result(60) for one in slow]
        assert [answer.status_code for answer in answers] == [200] * 4
        assert {answer.json()["predictions"][0]["id"] for answer in answers} <= logged(settings, "faulty")
        _, alive = psutil.wait_procs(family, timeout=20)
        assert not alive
        with pytest.raises(httpx.ConnectError):
            send(service, body(stage), "/cells/predict")


def test_a_full_disk_costs_no_row_and_passes(stage: Any, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 64 * 1024 * 1024) as disk:
        fill_up(stage, copied(stage, disk), disk)


def fill_up(stage: Any, settings: Settings, disk: Path) -> None:
    with start_service(["cells"], settings) as service:
        assert send(service, body(stage), "/cells/predict").status_code == 200
        ballast = disk / "ballast"
        fill(ballast)
        acknowledged = 1
        many = json.dumps({"rows": [row(stage, "cells")] * 200}).encode()
        answers = [send(service, many, "/cells/predict") for _ in range(20)]
        acknowledged += 200 * sum(answer.status_code == 200 for answer in answers)  # what went into pages that were there
        last = answers[-1]
        assert (last.status_code, last.json()["type"]) == (503, "urn:leitstand:problem:log-unavailable")
        assert len(logged(settings)) == acknowledged
        ballast.unlink()
        assert send(service, many, "/cells/predict").status_code == 200
        assert len(logged(settings)) == acknowledged + 200
