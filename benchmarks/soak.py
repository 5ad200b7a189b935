"""What the service stands: hours at 70 % of its capacity, twice its capacity, and workers that are killed. ``python -m benchmarks.soak``.

The load generator is ours (``benchmarks.load``) and runs beside the service: an open loop, so that a service that falls behind cannot slow down
what it is asked.
"""

import argparse
import asyncio
import gc
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd
import psutil
import uvloop

from benchmarks.load import Seen, closed, open_loop, quantile
from benchmarks.serving import BIN, Peer, prepared, running

SETTLE_SECONDS = 30  # until caches are full and the allocator has what it keeps
CLIENTS = 32


def main() -> None:
    """Run what was asked for and print one line each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="at 70 %% of the capacity; 0 leaves it out")
    parser.add_argument("--overload-seconds", type=float, default=120, help="at twice the capacity; 0 leaves it out")
    parser.add_argument("--kills", type=int, default=20, help="of the worker under load; 0 leaves it out")
    parser.add_argument("--rows", type=int, default=1, help="per request")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.disable()  # or the load generator's own pauses would be taken for the service's
    with tempfile.TemporaryDirectory() as scratch:
        workspace = prepared(Path(scratch))
        own = {"LEITSTAND_HOME": str(workspace / ".leitstand"), "LEITSTAND_WORKSPACE": str(workspace)}
        frame = pd.read_csv(workspace / "table.csv", nrows=arguments.rows).drop(columns="faulty")
        body = json.dumps({"rows": frame.to_dict("records")}).encode()
        command = [str(BIN / "leitstand"), "serve", "bench_job", "--port", "{port}"]
        peer = Peer("leitstand", command, "/bench_job/predict", body.decode(), own)
        with running(peer, Path(scratch)) as (url, _, family):
            good = uvloop.run(soak(url, body, family[0], workspace / ".leitstand", arguments))
    sys.exit(0 if good else 1)


async def soak(url: str, body: bytes, top: psutil.Process, home: Path, arguments: argparse.Namespace) -> bool:
    """Run all parts; return whether every goal was reached."""
    capacity = await measured(url, body)
    print(f"capacity: {capacity:.0f} requests/s of {arguments.rows} rows, {CLIENTS} clients", flush=True)
    good = [True]
    if arguments.overload_seconds:
        good.append(await overload(url, body, capacity, arguments.overload_seconds))
    if arguments.minutes:
        good.append(await endurance(url, body, 0.7 * capacity, 60 * arguments.minutes, top))
    if arguments.kills:
        good.append(await kills(url, body, top, arguments.kills, home))
    return all(good)


async def measured(url: str, body: bytes, seconds: float = 10) -> float:
    """Return how many requests per second are answered when clients always wait for one."""
    for length in (3.0, seconds):  # warm-up first
        seen, stop = Seen(), asyncio.Event()
        asyncio.get_running_loop().call_later(length, stop.set)
        await closed(url, body, CLIENTS, stop, seen)
    return seen.answers[200] / seconds


async def overload(url: str, body: bytes, capacity: float, seconds: float) -> bool:
    """Send twice the capacity, then a tenth of it until all is normal again."""
    calm, seen, after = Seen(keep=False), Seen(keep=False), Seen(keep=False)
    await open_loop(url, body, capacity / 10, 5, calm)
    await open_loop(url, body, 2 * capacity, seconds, seen)
    ended = time.perf_counter()
    await open_loop(url, body, capacity / 10, 10, after)
    normal = max(5 * calm.ms(0.99), 20.0)
    slow = [due - ended for due, took in after.times if took * 1000 > normal]
    back = max(slow, default=0.0) if not after.failed else float("inf")
    p99, refused = seen.ms(0.99), quantile(seen.refusals, 0.99) * 1000
    print(
        f"overload: {seconds:g} s at {2 * capacity:.0f}/s: {seen.answers[200]} accepted, p50 {seen.ms(0.5):.0f} ms, p99 {p99:.0f} ms; "
        f"{seen.answers[503]} refused, p99 {refused:.0f} ms, {seen.without_retry_after} without Retry-After; other answers "
        f"{ {status: count for status, count in seen.answers.items() if status not in (200, 503)} } {dict(seen.broken)}; "
        f"normal again after {back:.1f} s",
        flush=True,
    )
    return p99 < 1000 and set(seen.answers) <= {200, 503} and back <= 5 and not seen.without_retry_after


async def endurance(url: str, body: bytes, per_second: float, seconds: float, top: psutil.Process) -> bool:
    """Send at a steady rate; compare memory and latency of the last third with those of the first."""
    await open_loop(url, body, per_second, SETTLE_SECONDS, Seen(keep=False))
    memory: list[float] = []

    async def watch() -> None:
        while True:
            memory.append(worker(top).memory_info().rss / 1e6)
            await asyncio.sleep(min(10, seconds / 30))

    seen, started = Seen(keep=False), time.perf_counter()
    watching = asyncio.create_task(watch())
    await open_loop(url, body, per_second, seconds, seen)
    watching.cancel()
    third, part = seconds / 3, max(1, len(memory) // 3)
    p99 = [seen.ms(0.99, started + i * third, started + (i + 1) * third) for i in range(3)]
    first, last = sum(memory[:part]) / part, sum(memory[-part:]) / part
    print(
        f"endurance: {seconds / 60:g} min at {per_second:.0f}/s: {seen.answers.total()} requests, {seen.failed} failed {dict(seen.broken)}; "
        f"p50 {seen.ms(0.5):.1f} ms, p99 by third {', '.join(f'{value:.1f}' for value in p99)} ms; "
        f"memory {first:.0f} to {last:.0f} MB ({last / first - 1:+.1%})",
        flush=True,
    )
    return not seen.failed and last < 1.05 * first and p99[2] < 2 * max(p99[0], 5.0)


async def kills(url: str, body: bytes, top: psutil.Process, count: int, home: Path) -> bool:
    """Kill the worker again and again; every id that a client got must be in the log."""
    seen, stop = Seen(), asyncio.Event()
    clients = asyncio.create_task(closed(url, body, CLIENTS // 2, stop, seen, pause=0.01))
    away: list[float] = []
    for turn in range(count):
        await asyncio.sleep(2 + 0.137 * turn % 1)  # at another moment of the group commit each time
        answered = seen.answers[200]
        worker(top).kill()
        killed = time.perf_counter()
        await asyncio.sleep(0.1)  # answers that had left before
        answered = seen.answers[200]
        while seen.answers[200] == answered:
            await asyncio.sleep(0.01)
        away.append(time.perf_counter() - killed)
    stop.set()
    await clients
    missing = await asyncio.to_thread(lost, seen.ids, home)
    print(
        f"kills: {count} workers killed, {seen.answers[200]} requests acknowledged, {missing} of them missing in the log; "
        f"away for {quantile(away, 0.5):.1f} s (median), {max(away):.1f} s at most",
        flush=True,
    )
    return not missing and max(away) <= 3


def lost(ids: Sequence[str], home: Path) -> int:
    """Return how many ids are not in the log."""
    given = sorted(set(ids))
    with closing(sqlite3.connect(f"file:{home / 'predictions.db'}?mode=ro", uri=True)) as log:
        find = "SELECT count(*) FROM leitstand_predictions WHERE id = ?"
        return sum(log.execute(find, (one,)).fetchone()[0] == 0 for one in given)


def worker(top: psutil.Process) -> psutil.Process:
    """Return the process that answers."""
    found = [one for one in top.children(recursive=True) if any("worker.service" in part for part in one.cmdline())]
    return found[-1]


if __name__ == "__main__":
    main()
