"""What one answer costs inside the service, by part, with sixteen requests that arrive together. ``python -m benchmarks.serving_parts PROJECT BODY``.

Run in a workspace whose project has a compiled champion; BODY is a file with one request.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import median
from infra.group_commit import GroupCommit
from infra.prediction_entries import LogEntry, new_ids
from infra.prediction_log import PredictionLog
from infra.settings import load_settings
from serving.endpoint import Answered, Endpoint
from serving.loading import Champions

TOGETHER, ROUNDS = 16, 300


def main(project: str, body: bytes) -> None:
    """Print microseconds per request."""
    champions = Champions([project], load_settings())
    while champions.preparing:
        time.sleep(0.1)
        champions.look()
    endpoint = champions.endpoints[project]
    if not isinstance(endpoint, Endpoint):
        raise SystemExit(str(endpoint))
    asked = endpoint.read(body)
    answered = [one for one in endpoint.answer([asked] * TOGETHER) if isinstance(one, Answered)]
    parts = {
        "validation against the contract": repeated(lambda: [endpoint.read(body) for _ in range(TOGETHER)]),
        "model, flags, JSON": repeated(lambda: endpoint.answer([asked] * TOGETHER)),
        "log until it is on disk, 16 waiting": asyncio.run(logged(project, answered)),
    }
    for name, seconds in parts.items():
        print(f"| {name} | {seconds / TOGETHER * 1e6:.0f} |")


def repeated(work: Callable[[], object]) -> float:
    """Return the median seconds of a call."""
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return median(found)


async def logged(project: str, answered: list[Answered]) -> float:
    """Return the median seconds until sixteen answers are committed."""
    with tempfile.TemporaryDirectory() as folder:
        log = PredictionLog(f"sqlite:///{folder}/log.db")
        commit = GroupCommit(log)
        found = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            entries = [entry(project, one) for one in answered]
            await asyncio.gather(*(commit.commit(one) for one in entries))
            found.append(time.perf_counter() - started)
        await commit.close()
        log.close()
    return median(found)


def entry(project: str, answered: Answered) -> LogEntry:
    """Return an answer as the log takes it, under new ids: an id is stored once."""
    ids = new_ids(len(answered.rows))
    rows = [(id_, inputs, output) for id_, (_, inputs, output) in zip(ids, answered.rows, strict=True)]
    return LogEntry(project, 1, None, datetime.now(UTC), None, 1.0, rows)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).read_bytes())
