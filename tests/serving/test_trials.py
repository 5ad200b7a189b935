"""Challengers and pauses in a running service: who answers, what is logged and counted."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_stage import copied, row, second_version
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.load import Seen, open_loop
from infra.history import History, Kind
from infra.prediction_log import PredictionLog
from infra.registry import Registry
from infra.settings import Settings
from serving.launch import Service, start_service
from serving.rollout import takes

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Trial:
    """A running service of a project with two versions."""

    settings: Settings
    service: Service
    http: httpx.Client
    rows: list[dict[str, Any]]

    def say(self, kind: Kind, version: int, **evidence: object) -> None:
        history = History(self.settings.database("history"))
        history.append("cells", kind, version, who="Ada", why="for the test", evidence=evidence)
        history.close()

    def ask(self, count: int = 1) -> httpx.Response:
        return self.http.post("/cells/predict", json={"rows": self.rows[:count]})

    def figure(self, name: str, **labels: str) -> float:
        """Return one figure of /metrics; 0 where it was never counted."""
        for family in text_string_to_metric_families(self.http.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels.items() >= {"project": "cells", **labels}.items():
                    return float(sample.value)
        return 0.0

    def log(self) -> PredictionLog:
        return PredictionLog(self.settings.database("predictions"))


@pytest.fixture(scope="module")
def trial(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("trials")
    settings = copied(stage, folder)
    registry = Registry(settings)
    assert second_version(stage, settings, registry, folder / "model") == 2
    registry.close()
    rows = [row(stage, "cells", place) for place in range(20)]
    with (
        start_service(["cells"], settings) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http,
    ):
        yield Trial(settings, service, http, rows)


@pytest.fixture(autouse=True)
def settled(trial: Trial) -> None:
    """Begin each test with version 1 alone."""
    trial.say("resume", 1)
    trial.say("promote", 1)
    until(lambda: trial.figure("leitstand_challenger_version") == 0 and trial.figure("leitstand_paused") == 0)
    until(lambda: trial.ask().json()["model"]["version"] == 1)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_shadow_answers_the_same_rows_silently_and_shares_their_labels(trial: Trial) -> None:
    trial.say("shadow", 2)
    until(lambda: trial.figure("leitstand_challenger_version") == 2)
    told = [trial.ask(20).json() for _ in range(3)]
    assert {answer["model"]["version"] for answer in told} == {1}
    ids = [made["id"] for answer in told for made in answer["predictions"]]
    log = trial.log()
    until(lambda: len(log.pairs("cells", 2)) == 60)
    assert trial.http.post("/cells/feedback", json={"labels": [{"id": ids[7], "value": "benign"}]}).json()["matched"] == 1
    pairs = log.pairs("cells", 2)
    assert set(pairs.given["id"]) == set(ids)
    assert not set(pairs.silent["id"]) & set(ids)
    assert pairs.silent["prediction"].tolist() == pairs.given["prediction"].tolist()
    assert pairs.silent["mean radius"].tolist() == pairs.given["mean radius"].tolist()
    assert pairs.silent["request_id"].tolist() == pairs.given["request_id"].tolist()
    labelled = pairs.silent[pairs.silent["label"] == "benign"]
    assert labelled["paired_id"].tolist() == [ids[7]]
    assert not set(log.read("cells")["id"]) & set(pairs.silent["id"])
    log.close()
    assert trial.figure("leitstand_shadow_rows_total", outcome="logged") == 60


def test_a_shadow_that_finds_no_time_is_dropped_and_counted_and_costs_no_answer(trial: Trial) -> None:
    trial.say("shadow", 2)
    until(lambda: trial.figure("leitstand_challenger_version") == 2)
    before = trial.figure("leitstand_shadow_rows_total", outcome="dropped")
    seen, body = Seen(), json.dumps({"rows": trial.rows * 10}).encode()
    asyncio.run(
        open_loop(f"{trial.service.url}/cells/predict", body, 150, 1.0, seen)
    )  # 200 rows each, many more than can be kept
    assert set(seen.answers) <= {200, 503}
    assert trial.figure("leitstand_shadow_rows_total", outcome="dropped") > before
    assert trial.ask().status_code == 200


def test_a_canary_answers_its_share_which_the_request_id_decides(trial: Trial) -> None:
    trial.say("canary", 2, share=0.3)
    until(lambda: trial.figure("leitstand_challenger_version") == 2)
    versions = {
        made["id"]: answer["model"]["version"]
        for answer in (trial.ask().json() for _ in range(150))
        for made in answer["predictions"]
    }
    assert 15 <= list(versions.values()).count(2) <= 80
    log = trial.log()
    kept = log.read("cells").set_index("id").loc[list(versions)]
    log.close()
    assert kept["model_version"].tolist() == list(versions.values())
    for _, one in kept.iterrows():
        expected = takes(one["request_id"], 2, 0.3)
        assert (one["role"], one["model_version"]) == (("canary", 2) if expected else ("champion", 1))
    assert trial.figure("leitstand_answered_rows_total", role="canary") >= list(versions.values()).count(2)


def test_a_paused_project_refuses_with_a_reason_until_it_goes_on(trial: Trial) -> None:
    trial.say("pause", 1)
    until(lambda: trial.figure("leitstand_paused") == 1)
    refused = trial.http.post("/cells/predict", json={"rows": trial.rows[:1]}, headers={"Accept-Language": "de"})
    told = refused.json()
    assert (refused.status_code, told["type"], told["title"]) == (
        503,
        "urn:leitstand:problem:person-decides",
        "Ein Mensch entscheidet",
    )
    assert "for the test." in told["detail"]
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["content-type"] == "application/problem+json"
    assert trial.http.get("/cells/readyz").status_code == 503
    assert trial.http.get("/readyz").json()["projects"]["cells"]["ready"] is False
    assert trial.http.post("/cells/explain", json={"rows": trial.rows[:1]}).json()["type"] == told["type"]
    assert trial.http.get("/cells/schema").status_code == 200
    assert trial.http.post("/cells/feedback", json={"labels": [{"id": "x", "value": "benign"}]}).json()["unknown"] == ["x"]
    trial.say("resume", 1)
    until(lambda: trial.ask().status_code == 200)


def test_a_baseline_that_answers_is_flagged_logged_and_counted_and_cannot_be_explained(trial: Trial) -> None:
    file = trial.settings.workspace / "projects" / "cells" / "project.yaml"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"{before}\nwhen_it_errs: {{fallback: baseline}}\n", encoding="utf-8")
        trial.say("pause", 1)
        until(lambda: trial.ask().json()["model"]["version"] == 0)
        told = trial.ask(3).json()
        assert all(made["flags"] == [{"name": "fallback_used", "columns": []}] for made in told["predictions"])
        log = trial.log()
        kept = log.read("cells", roles=["fallback"]).set_index("id").loc[[made["id"] for made in told["predictions"]]]
        log.close()
        assert kept["model_version"].tolist() == [0, 0, 0]
        assert kept["flags"].tolist() == [["fallback_used"]] * 3
        assert trial.figure("leitstand_answered_rows_total", role="fallback") >= 4
        refused = trial.http.post("/cells/explain", json={"rows": trial.rows[:1]})
        assert (refused.status_code, "baseline" in refused.json()["detail"]) == (503, True)
        assert trial.http.get("/cells/model").json()["card"]["candidate"] == "baseline"
        assert trial.http.get("/cells/").status_code == 200
        assert trial.http.get("/cells/readyz").json() == {"status": "fallback", "version": 0}
    finally:
        file.write_text(before, encoding="utf-8")


def test_promotion_of_a_challenger_ends_its_trial_and_fails_no_request(trial: Trial, tmp_path: Path) -> None:
    seen = Seen()
    body = json.dumps({"rows": trial.rows[:1]}).encode()

    async def swapped() -> None:
        load = asyncio.create_task(open_loop(f"{trial.service.url}/cells/predict", body, 50, 6.0, seen))
        for kind in ("shadow", "canary", "promote"):
            await asyncio.sleep(1.4)
            await asyncio.to_thread(trial.say, kind, 2, share=0.5)  # type: ignore[arg-type]
        await load

    asyncio.run(swapped())
    assert seen.failed == 0, seen.answers
    assert seen.versions[-1] == 2
    assert trial.figure("leitstand_challenger_version") == 0
