import asyncio
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.group_commit import GroupCommit
from infra.prediction_log import LogEntry, PredictionLog, new_ids
from leitstand.errors import Busy, StateError

Run = Callable[..., "subprocess.Popen[str]"]
OUTPUT = b'{"prediction":1.5,"score":null,"probabilities":null,"lower":null,"upper":null,"flags":[]}'


@pytest.fixture
def log(any_url: str) -> Iterator[PredictionLog]:
    log = PredictionLog(any_url)
    yield log
    log.close()


@pytest.fixture
def small_log(tmp_path: Path) -> Iterator[PredictionLog]:
    """A log on SQLite that gives up soon when the file is locked."""
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.db'}", wait_seconds=0.3)
    log.append([entry(0, project="other")])
    yield log
    log.close()


@pytest.fixture
def locked(small_log: PredictionLog, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's write transaction on the small log."""
    holder = sqlite3.connect(tmp_path / "log.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    yield holder
    holder.close()


def entry(*numbers: int, project: str = "demo", ids: list[str] | None = None) -> LogEntry:
    rows = [(id_, b'{"number":%d}' % number, OUTPUT) for id_, number in zip(ids or new_ids(len(numbers)), numbers, strict=True)]
    return LogEntry(project, 1, None, datetime.now(UTC), None, None, rows)


def counted(log: PredictionLog) -> list[int]:
    """Return a list that grows by the number of entries of each transaction."""
    groups: list[int] = []
    append = log.append

    def noting(entries: list[LogEntry]) -> None:
        groups.append(len(entries))
        append(entries)

    log.append = noting  # type: ignore[assignment,method-assign]
    return groups


def test_every_entry_is_on_disk_when_its_commit_returns(log: PredictionLog) -> None:
    async def client(commits: GroupCommit, number: int) -> None:
        for turn in range(20):
            one = entry(number * 100 + turn)
            await commits.commit(one)
            if turn == 19:
                found = await asyncio.to_thread(log.count, "demo")
                assert found >= 20

    async def run() -> None:
        commits = GroupCommit(log)
        await asyncio.gather(*(client(commits, number) for number in range(16)))
        assert commits.waiting_rows == 0
        await commits.close()

    asyncio.run(run())
    assert sorted(log.read("demo")["number"]) == sorted(number * 100 + turn for number in range(16) for turn in range(20))


def test_an_answer_is_handed_out_once_its_entry_is_on_disk(log: PredictionLog) -> None:
    async def run() -> None:
        commits = GroupCommit(log)
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        commits.submit(entry(1), done, "the answer")
        assert not done.done()
        assert await done == "the answer"
        assert await asyncio.to_thread(log.count, "demo") == 1
        await commits.close()

    asyncio.run(run())


def test_what_waits_at_one_moment_goes_in_one_transaction(small_log: PredictionLog, locked: sqlite3.Connection) -> None:
    groups = counted(small_log)

    async def run() -> None:
        commits = GroupCommit(small_log)
        first = asyncio.ensure_future(commits.commit(entry(0)))
        await asyncio.sleep(0.1)  # the writer waits for the lock with the first one
        rest = [asyncio.ensure_future(commits.commit(entry(i))) for i in range(1, 200)]
        await asyncio.sleep(0)
        locked.execute("ROLLBACK")
        await asyncio.gather(first, *rest)
        await commits.close()

    asyncio.run(run())
    assert groups == [1, 199]
    assert small_log.count("demo") == 200


def test_a_transaction_has_a_bound_in_rows(small_log: PredictionLog, locked: sqlite3.Connection) -> None:
    groups = counted(small_log)

    async def run() -> None:
        commits = GroupCommit(small_log, most_rows=10)
        first = asyncio.ensure_future(commits.commit(entry(0)))
        await asyncio.sleep(0.1)
        rest = [asyncio.ensure_future(commits.commit(entry(1, 2, 3))) for _ in range(8)]
        await asyncio.sleep(0)
        locked.execute("ROLLBACK")
        await asyncio.gather(first, *rest)
        await commits.close()

    asyncio.run(run())
    assert groups == [1, 4, 4]


def test_more_rows_than_may_wait_are_refused_at_once(small_log: PredictionLog, locked: sqlite3.Connection) -> None:
    async def run() -> None:
        commits = GroupCommit(small_log, most_waiting_rows=5)
        large = asyncio.ensure_future(commits.commit(entry(*range(8))))  # nothing waits, so it may be larger than the bound
        await asyncio.sleep(0)
        with pytest.raises(Busy, match=r"8 predictions wait to be written .* Nothing was written"):
            await commits.commit(entry(9))
        locked.execute("ROLLBACK")
        await large
        await commits.commit(entry(10))
        await commits.close()

    asyncio.run(run())
    assert sorted(small_log.read("demo")["number"]) == [*range(8), 10]


def test_all_who_wait_learn_that_the_database_is_locked_and_later_ones_get_in(
    small_log: PredictionLog, locked: sqlite3.Connection
) -> None:
    async def run() -> None:
        commits = GroupCommit(small_log, most_rows=3)
        started = time.monotonic()
        waiting = [asyncio.ensure_future(commits.commit(entry(i))) for i in range(30)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert time.monotonic() - started < 3  # one wait for all, not one after the other
        assert [type(outcome) for outcome in outcomes] == [Busy] * 30
        assert len({id(outcome) for outcome in outcomes}) == 30
        assert commits.waiting_rows == 0
        locked.execute("ROLLBACK")
        await commits.commit(entry(99))
        await commits.close()

    asyncio.run(run())
    assert small_log.read("demo")["number"].tolist() == [99]


def test_one_bad_entry_takes_no_other_down(log: PredictionLog) -> None:
    taken = new_ids(1)
    log.append([entry(0, ids=taken)])
    no_bytes = LogEntry("demo", 1, None, datetime.now(UTC), None, None, [(new_ids(1)[0], "text", OUTPUT)])  # type: ignore[list-item]

    async def run() -> list[BaseException | None]:
        commits = GroupCommit(log)
        all_of_them = [entry(1), entry(2, ids=taken), entry(3), no_bytes, entry(4)]
        outcomes = await asyncio.gather(*map(commits.commit, all_of_them), return_exceptions=True)
        await commits.close()
        return outcomes

    first, twice, third, broken, last = asyncio.run(run())
    assert (first, third, last) == (None, None, None)
    assert isinstance(twice, StateError)
    assert "refused" in str(twice)
    assert isinstance(broken, StateError)
    assert "not of the form it must have" in str(broken)
    assert isinstance(broken.__cause__, AttributeError)
    assert sorted(log.read("demo")["number"]) == [0, 1, 3, 4]


def test_closing_stores_what_waits_and_refuses_what_comes(log: PredictionLog) -> None:
    async def run() -> None:
        commits = GroupCommit(log)
        waiting = [asyncio.ensure_future(commits.commit(entry(i))) for i in range(50)]
        await asyncio.sleep(0)
        await commits.close()
        await asyncio.gather(*waiting)
        with pytest.raises(StateError, match="closed, because the service is ending"):
            await commits.commit(entry(51))
        await commits.close()

    asyncio.run(run())
    assert log.count("demo") == 50


def test_closing_what_never_worked_does_nothing(log: PredictionLog) -> None:
    asyncio.run(GroupCommit(log).close())


def test_who_gives_up_waiting_keeps_nobody_from_the_log(small_log: PredictionLog, locked: sqlite3.Connection) -> None:
    async def run() -> None:
        commits = GroupCommit(small_log)
        impatient = asyncio.ensure_future(commits.commit(entry(1)))
        patient = asyncio.ensure_future(commits.commit(entry(2)))
        await asyncio.sleep(0.05)
        impatient.cancel()
        locked.execute("ROLLBACK")
        await patient
        assert commits.waiting_rows == 0
        await commits.close()

    asyncio.run(run())
    assert sorted(small_log.read("demo")["number"]) == [1, 2]


LOADED = """
    import asyncio, sys
    from datetime import UTC, datetime
    from infra.group_commit import GroupCommit
    from infra.prediction_log import LogEntry, PredictionLog, new_ids

    OUTPUT = b'{"prediction":1.5,"score":null,"probabilities":null,"lower":null,"upper":null,"flags":[]}'

    async def client(commits):
        while True:
            ids = new_ids(3)
            rows = [(id_, b'{"number":1}', OUTPUT) for id_ in ids]
            await commits.commit(LogEntry("demo", 1, None, datetime.now(UTC), None, None, rows))
            print(*ids, flush=True)

    async def main():
        commits = GroupCommit(PredictionLog(sys.argv[1]))
        await asyncio.gather(*(client(commits) for _ in range(16)))

    asyncio.run(main())
"""


def test_nothing_acknowledged_is_lost_on_kill_9_under_load(any_url: str, run_python: Run) -> None:
    acknowledged: set[str] = set()
    for seed in range(5):
        process = run_python(LOADED, any_url)
        assert process.stdout is not None
        told = [process.stdout.readline()]  # it works now
        time.sleep(random.Random(seed).uniform(0.05, 0.5))
        process.kill()
        told += process.communicate()[0].split("\n")
        new = {id_ for line in told for id_ in line.split() if len(id_) == 36}
        assert len(new) >= 3
        acknowledged |= new
    log = PredictionLog(any_url)
    assert acknowledged <= set(log.read("demo")["id"])
    log.close()
