"""Predicting a table of any size: in chunks of bounded memory, checked as every table is, and going on where a killed run stopped."""

import csv
import hashlib
import io
import shutil
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from data_contracts.chunk_checking import Checked, ChunkChecker, Tally
from data_contracts.chunks import Chunk, Stream
from data_contracts.comparing import compare_columns
from data_contracts.duplicates import find_duplicates
from data_contracts.streaming import CHUNK_ROWS, Changed
from infra.locks import hold
from infra.prediction_log import PredictionLog
from infra.pseudonyms import pseudonymiser
from infra.releases import Release
from infra.settings import Settings
from leitstand.errors import Busy, ContractBroken, SourceError, StateError
from leitstand.model import TrainedModel
from leitstand.project import Project
from leitstand.spec import Source
from serving.batch_answers import Answerer
from serving.batch_input import fingerprint, open_input
from serving.batch_job import BatchJob
from serving.batch_log import ALL_UP_TO_ROWS, LogMode, write_log, write_manifest
from serving.batch_output import Target
from serving.batch_replacing import check_replaceable
from serving.read_ahead import read_ahead

WAITING_CHUNKS = 2  # read ahead of the model
UNBOUNDED = 2**62
ABANDONED_SECONDS = 30 * 86_400  # each part that is finished renews the folder's time
Report = Callable[[int, int | None], None]
_Item = tuple[Checked, Chunk, dict[str, Any]]


@dataclass(frozen=True)
class BatchResult:
    """What a batch made.

    Parameters
    ----------
    output : path of the file, or name of the table
    rows : how many were answered
    flagged : doubtful among them
    quarantined : how many rows the contract kept out; they are in ``quarantine``
    seconds, rows_per_second : of this run; rows that were read
    resumed_rows : rows that earlier runs of the same job had read
    changed : what was no longer as in an unfinished run, which was therefore thrown away: of ``input, project, model, contract, log``
    log : what the prediction log holds: ``all`` rows, only the job with its ``ids`` (in ``manifest``), or ``none``
    left_out : columns that the contract does not know and says to ignore
    """

    output: str
    rows: int
    flagged: int
    quarantined: int
    quarantine: Path | None
    seconds: float
    rows_per_second: float
    resumed_rows: int
    changed: tuple[str, ...]
    log: LogMode
    manifest: Path | None
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """What is to be predicted, by which model, and where to.

    Parameters
    ----------
    model : the release's; its estimator may be compiled
    log : None for ``all`` up to 100,000 rows and ``ids`` beyond
    overwrite : whether a file that is not the answers of an earlier batch may be replaced
    """

    project: Project
    model: TrainedModel
    release: Release
    source: Source
    target: Target
    log: LogMode | None = None
    chunk_rows: int = CHUNK_ROWS
    overwrite: bool = False


def predict_batch(
    batch: Batch, settings: Settings, log: PredictionLog, *, report: Report = lambda rows, total: None
) -> BatchResult:
    """Predict every row of a source and write the rows with the answers beside them.

    Killed or interrupted at any point, the same call goes on where this one stopped, with the same ids. The output appears when all is done.
    Unfinished jobs of the project that nobody went on with for 30 days are removed.

    Parameters
    ----------
    report : told how many rows are done, and how many there may be in all

    Returns
    -------
    the output holds the contract's columns as it types them, other known ones (target, identifiers) as they came, and ``prediction_id,
    prediction, score, probability_<class>…, lower, upper, flags, advice``; an own column that the table has already is named
    ``leitstand_<name>``

    Raises
    ------
    UsageError
        If the output would replace a file that is read or learned from, or that is not the answers of an earlier batch.
    ContractBroken
        If the contract stops the run, also early when too many rows are bad already. No output appears then.
    DataError
        If the rows cannot be used, or are not in time order where features look back.
    Busy
        If the same output is being made by another process.
    SourceError, StateError, OSError
        If a database, log, state folder or disk fail. What is finished stays for the next call.
    """
    started = time.perf_counter()
    if batch.target.path is not None:
        check_replaceable(batch.target.path, batch.source, batch.project.spec, settings.workspace, overwrite=batch.overwrite)
    batch.target.check()
    running = settings.folder("batches", batch.project.name, "running")
    key = hashlib.sha256(f"{batch.target.database}\0{batch.target.shown}".encode()).hexdigest()[:16]
    _remove_abandoned(settings, running, key)
    with hold(settings, f"batch-{key}", wait_seconds=0, busy="batch.busy", output=batch.target.shown):
        job = BatchJob(running / key, _order(batch))
        run = _Run(batch, settings, job, report)
        try:
            mode = run.answer_all()
        except BaseException as error:
            if not (job.state.parts and _passes(error, batch.source)):
                job.remove()
            raise
        return run.deliver(mode, log, started)  # what fails from here on can be done again without predicting again


def _remove_abandoned(settings: Settings, running: Path, own: str) -> None:
    """Remove what was left of other jobs that nobody went on with for long: it holds rows as they came."""
    for folder in running.iterdir():
        with suppress(Busy, FileNotFoundError):  # another process works on it, or has just removed it
            if folder.name != own and time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                with hold(settings, f"batch-{folder.name}", wait_seconds=0):
                    shutil.rmtree(folder, ignore_errors=True)


def _passes(error: BaseException, source: Source) -> bool:
    """Return whether the same call may succeed later, so that what is finished should stay."""
    lost = isinstance(error, SourceError) and source.database is not None
    return lost or isinstance(error, KeyboardInterrupt | StateError | OSError)


def _order(batch: Batch) -> dict[str, Any]:
    project = batch.project
    code = hashlib.sha256(project.spec.model_dump_json().encode())
    for file in sorted(project.folder.glob("*.py")):
        code.update(file.read_bytes())
    return {
        "input": fingerprint(batch.source) | {"chunk_rows": batch.chunk_rows},
        "project": code.hexdigest(),
        "model": [batch.release.version, batch.release.sha256],
        "contract": hashlib.sha256(project.contract.model_dump_json().encode()).hexdigest(),
        "log": batch.log,
    }


class _Run:
    """One run of a job, from where it stands to the end."""

    def __init__(self, batch: Batch, settings: Settings, job: BatchJob, report: Report) -> None:
        self._batch, self._settings, self._job, self._report = batch, settings, job, report
        self._project, self._contract = batch.project, batch.project.input_contract
        self._left_out: tuple[str, ...] = ()

    def answer_all(self) -> LogMode:
        """Check and answer every chunk that is not finished, and return what is to be logged."""
        try:
            return self._answer_rest()
        except Changed:
            self._job.begin(("input",))
            return self._answer_rest()

    def _answer_rest(self) -> LogMode:
        stream = open_input(self._project, self._batch.source, self._batch.chunk_rows)
        others = [name for name in self._project.contract.names if name not in self._contract.names]
        self._left_out = compare_columns(stream.names, self._contract, others)
        if not self._job.state.complete:
            tally = self._job.state.tally
            checker = ChunkChecker(
                self._contract,
                stream.names,
                others=others,
                duplicates=find_duplicates(stream, self._contract),
                language=self._settings.language,
                tally=None if tally is None else Tally.of_json(tally),
            )
            try:
                self._work_off(stream, checker)
                if not checker.tally.rows:
                    raise SourceError("batch.no_rows", what=self._batch.source.table or self._batch.source.query)
                checker.judge(None)
            except ContractBroken as error:
                kept_out = self._publish_bad()  # for whoever has to mend the export
                if kept_out is None:
                    raise
                reason = error.render(self._settings.language)
                raise ContractBroken("batch.stopped", reason=reason, path=kept_out) from error
            self._job.state.complete = True
            self._job.save()
        return self._batch.log or ("all" if self._job.state.rows <= ALL_UP_TO_ROWS else "ids")

    def deliver(self, mode: LogMode, log: PredictionLog, started: float) -> BatchResult:
        """Log, and let quarantine and output appear; each step may be done again."""
        batch, job, state = self._batch, self._job, self._job.state
        if mode == "all":
            hide = pseudonymiser(self._settings, self._contract.pseudonymised).inputs
            write_log(job, self._project, batch.release.version, log, hide)
        told = {"input": fingerprint(batch.source), "output": batch.target.shown, "log": mode}
        folder = self._settings.folder("batches", self._project.name)
        manifest = None if mode == "none" else write_manifest(folder, job, self._project, batch.release, told)
        quarantine = self._publish_bad()
        batch.target.publish(job)
        job.remove()
        seconds = time.perf_counter() - started
        return BatchResult(
            output=batch.target.shown,
            rows=sum(state.parts),
            flagged=state.flagged,
            quarantined=state.rows - sum(state.parts),
            quarantine=quarantine,
            seconds=seconds,
            rows_per_second=(state.rows - job.resumed_rows) / seconds,
            resumed_rows=job.resumed_rows,
            changed=job.changed,
            log=mode,
            manifest=manifest,
            left_out=self._left_out,
        )

    def _work_off(self, stream: Stream, checker: ChunkChecker) -> None:
        """Answer in this thread what another one reads and checks, and let a third one write what is answered."""
        job = self._job
        with read_ahead(self._checked(stream, checker), WAITING_CHUNKS) as ahead, ThreadPoolExecutor(1) as writer:
            head = list(islice(ahead, 2))
            single = len(head) == 1 and not job.state.parts
            answerer = Answerer(self._project, self._batch.model, job.ids, history=job.history(), single=single)
            waiting: Future[None] | None = None
            for checked, chunk, tally in chain(head, ahead):
                table, flagged = answerer.answer(checked) if checked.table.num_rows else (None, 0)
                if waiting is None and table is not None:
                    self._batch.target.check(table.column_names)
                if waiting is not None:
                    waiting.result()
                waiting = writer.submit(job.finish, table, flagged, answerer.history, chunk.after, tally)
                self._report(tally["rows"], round(tally["rows"] / chunk.share) if chunk.share else None)
            if waiting is not None:
                waiting.result()

    def _checked(self, stream: Stream, checker: ChunkChecker) -> Generator[_Item]:
        place = len(self._job.state.parts)
        for number, chunk in enumerate(stream.chunks(self._job.state.position), place):
            checked = checker.check(chunk)
            self._job.keep_out(number, checked.bad)
            checker.judge(UNBOUNDED if chunk.most_rows is None else chunk.most_rows)
            yield checked, chunk, checker.tally.as_json()

    def _publish_bad(self) -> Path | None:
        """Let the rows kept out appear as one file that a person can mend; the same rows give the same file."""
        names, files = self._job.state.kept_out, self._job.bad_files()
        if names is None or not files:
            return None
        folder = self._settings.folder("quarantine", self._project.name)
        unfinished = folder / f".{self._job.folder.name}.part"
        digest = hashlib.sha256()
        try:
            with unfinished.open("wb") as file:
                file.write(b"\xef\xbb\xbf" + _line(names))  # Excel takes a CSV file for UTF-8 only with this mark
                for part in files:
                    content = part.read_bytes()
                    digest.update(content)
                    file.write(content)
            path = folder / f"{self._contract.table}-{digest.hexdigest()[:12]}.csv"
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path


def _line(names: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(names)
    return line.getvalue().encode()
