"""Promotions and rollbacks under load: what they cost the clients, and how long the old model goes on. ``python -m benchmarks.swap``.

The service, the registry and the history are the real ones. Requests come at a fixed rate from an open loop (``benchmarks.load``). A rollback
counts from the call until the last answer of the model that was taken back.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import uvloop

from benchmarks.load import Seen, open_loop
from benchmarks.measure import median
from benchmarks.serving import prepared
from infra.registry import Registry
from infra.settings import Settings, load_settings
from infra.tracking import Tracker
from leitstand.model import TrainedModel
from leitstand.model_file import load_model, save_model
from serving.launch import start_service
from serving.loading import served_project

PROJECT = "bench_job"
APART_SECONDS = 4.0  # between two acts, so that each has settled
GOAL_SECONDS = 5.0


@dataclass(frozen=True)
class Act:
    """One change of the champion; ``started`` by ``perf_counter``."""

    kind: Literal["promote", "rollback"]
    version: int
    started: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of a promotion and a rollback")
    parser.add_argument("--per-second", type=float, default=200, help="requests")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = prepared(Path(scratch))
        settings = load_settings(home=workspace / ".leitstand", workspace=workspace)
        body = json.dumps({"rows": pd.read_csv(workspace / "table.csv", nrows=1).drop(columns="faulty").to_dict("records")})
        good = measured(settings, body.encode(), arguments.rounds, arguments.per_second)
    sys.exit(0 if good else 1)


def measured(settings: Settings, body: bytes, rounds: int, per_second: float) -> bool:
    """Run the load and the acts on a service of its own and print what came of it; return whether the goals were reached."""
    version = again(settings, PROJECT)
    with start_service([PROJECT], settings, compiling=True) as service:
        url = f"{service.url}/{PROJECT}/predict"
        seen, acts = uvloop.run(swapped(settings, PROJECT, version, url, body, rounds, per_second))
    took = {kind: [settling(act, seen) for act in acts if act.kind == kind] for kind in ("promote", "rollback")}
    print(
        f"swap: {seen.answers.total()} requests at {per_second:g}/s, {seen.failed} failed {dict(seen.answers)}, "
        f"p50 {seen.ms(0.5):.1f} ms, p99 {seen.ms(0.99):.1f} ms, at most {seen.ms(1):.0f} ms"
    )
    for kind, seconds in took.items():
        print(
            f"{kind}: {len(seconds)} times, until the service had followed {median(seconds):.2f} s (median), {max(seconds):.2f} s at most"
        )
    return not seen.failed and max(took["rollback"]) <= GOAL_SECONDS


async def swapped(
    settings: Settings,
    project: str,
    version: int,
    url: str,
    body: bytes,
    rounds: int,
    per_second: float,
    apart: float = APART_SECONDS,
) -> tuple[Seen, Sequence[Act]]:
    """Put a load on the service while ``version`` is promoted and rolled back again and again; return what the clients saw, and the acts."""
    seen, acts, registry = Seen(), list[Act](), Registry(settings)
    load = asyncio.create_task(open_loop(url, body, per_second, apart * (2 * rounds + 1), seen))
    before = registry.champion(project)
    assert before is not None
    steps: tuple[tuple[Literal["promote", "rollback"], int], ...] = (("promote", version), ("rollback", before.version))
    for _ in range(rounds):
        for kind, to in steps:
            await asyncio.sleep(apart)
            acts.append(Act(kind, to, time.perf_counter()))
            act = registry.promote if kind == "promote" else registry.rollback
            await asyncio.to_thread(act, project, version=to, who="benchmark", why="swap under load")
    await load
    registry.close()
    return seen, acts


def settling(act: Act, seen: Seen) -> float:
    """Return the seconds from the call to the last answer of another version before the next act; infinite if the new one never answered."""
    answers = [(when, json.loads(body)["model"]["version"]) for when, body in seen.bodies if when >= act.started]
    first = next((place for place, (_, version) in enumerate(answers) if version == act.version), None)
    if first is None:
        return float("inf")
    later = [when for when, version in answers[first:] if version != act.version and when < answers[first][0] + 1]
    return max([answers[first][0], *later]) - act.started


def again(settings: Settings, project: str) -> int:
    """Register the champion's model once more, with another card, and return its version."""
    registry, tracker = Registry(settings), Tracker(settings)
    champion = registry.champion(project)
    assert champion is not None
    with tempfile.TemporaryDirectory() as scratch:
        model = load_model(registry.model_folder(champion), champion.sha256)
        other = TrainedModel(model.estimator, model.card.model_copy(update={"candidate": "again"}))
        sha256 = save_model(other, Path(scratch) / "model")
        run = tracker.start(project, "again", {}, {})
        contract = served_project(project, settings).input_contract
        tracker.log_model(run, Path(scratch) / "model", inputs=contract, requirements=["scikit-learn"])
        tracker.finish(run)
        version = registry.register(project, run, sha256, {"data_version": champion.data_version})
    registry.close()
    return version.version


if __name__ == "__main__":
    main()
