"""One policy on one stream: rows go to the service, labels come back, deliveries come in, the clock jumps, the policy acts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from flows.simulation.ground import Ground, as_delivered
from flows.simulation.stream import Period, Stream
from flows.workspace import Desk
from leitstand.errors import ServiceError
from leitstand.now import set_clock
from serving.client import Client, as_json, as_rows
from serving.launch import Service

ROWS_PER_REQUEST = 500
SWAP_SECONDS = 60.0


@dataclass(frozen=True)
class Acted:
    """What a policy did at the end of a period.

    Parameters
    ----------
    what : ``nothing``, ``trained``, ``promoted``, ``refused``, ``rolled_back``, ``paused``, ``asked`` …
    trained : whether a model was trained
    alarm : whether the policy took the world for changed
    """

    what: str = "nothing"
    trained: bool = False
    alarm: bool = False
    why: str = ""


Policy = Callable[[Desk, Stream, int], Acted]


@dataclass(frozen=True)
class PeriodResult:
    """What one period brought.

    Parameters
    ----------
    version : that answered
    truth, answers : shape (n,) of the labelled rows; an answer is None where the service gave none
    """

    version: int
    truth: np.ndarray
    answers: list[Any]
    acted: Acted
    failed_requests: int


@dataclass
class Lapse:
    """The course of one policy."""

    desk: Desk
    ground: Ground
    stream: Stream
    service: Service
    _truths: dict[int, dict[str, Any]] = field(default_factory=dict)

    def run(self, policy: Policy, report: Callable[[int], None]) -> list[PeriodResult]:
        """Go through all periods."""
        found = []
        with Client(self.service.url, self.desk.project.name, language=self.desk.settings.language) as client:
            for number, period in enumerate(self.stream.periods):
                report(number)
                found.append(self._period(number, period, policy, client))
        return found

    def _period(self, number: int, period: Period, policy: Policy, client: Client) -> PeriodResult:
        set_clock(self.ground.clock, period.start + (period.end - period.start) / 2)
        champion = self.desk.registry.champion(self.desk.project.name)
        assert champion is not None, "the first model was promoted before the stream began"
        self._settled(champion.version)
        answers, failed = self._ask(period, client, number)
        set_clock(self.ground.clock, period.end - timedelta(seconds=1))
        failed += self._tell(number, client)
        self._deliver(number)
        acted = policy(self.desk, self.stream, number)
        target = period.rows[self.desk.project.spec.data.target]
        labelled = target.notna().to_numpy()
        kept = [answer for answer, known in zip(answers, labelled, strict=True) if known]
        return PeriodResult(champion.version, target[labelled].to_numpy(), kept, acted, failed)

    def _ask(self, period: Period, client: Client, number: int) -> tuple[list[Any], int]:
        """Send the rows; remember the labels by prediction id for the period in which they are known."""
        project, failed = self.desk.project, 0
        contract = project.input_contract
        delivered = as_delivered(period.rows, project.contract)
        earlier = self._earlier(number)
        answers: list[Any] = []
        due = number + (period.world.delay if period.world else 0)
        size = min(ROWS_PER_REQUEST, project.spec.serving.max_rows)
        for start in range(0, len(delivered), size):
            part = delivered.iloc[start : start + size]
            before = pd.concat([earlier, delivered.iloc[:start]]).tail(self._looks_back) if self._looks_back else part.iloc[:0]
            try:
                answered = client.predict(as_rows(part, contract), as_rows(before, contract)).predictions
            except ServiceError:
                failed += 1
                answers += [None] * len(part)
                continue
            answers += [one.prediction for one in answered]
            truth = part[project.spec.data.target]
            known = {one.id: as_json(value) for one, value in zip(answered, truth.tolist(), strict=True) if pd.notna(value)}
            self._truths.setdefault(due, {}).update(known)
        return answers, failed

    @property
    def _looks_back(self) -> int:
        """How many rows before a request its features need: those of every series."""
        data = self.desk.project.spec.data
        series = self.stream.first[data.series].nunique() if data.series else 1
        return min(data.history_rows * series, self.desk.project.spec.serving.max_rows)

    def _earlier(self, number: int) -> pd.DataFrame:
        rows = self.stream.periods[number - 1].rows if number else self.stream.first
        return as_delivered(rows.tail(self._looks_back), self.desk.project.contract)

    def _tell(self, number: int, client: Client) -> int:
        """Feed back the labels that are known now; return how many requests failed."""
        failed, due = 0, list(self._truths.pop(number, {}).items())
        for start in range(0, len(due), ROWS_PER_REQUEST):
            try:
                client.feedback(dict(due[start : start + ROWS_PER_REQUEST]))
            except ServiceError:
                failed += 1
        return failed

    def _deliver(self, number: int) -> None:
        """Put the rows whose truth is known now into the watched folder."""
        for earlier, period in enumerate(self.stream.periods[: number + 1]):
            if earlier + (period.world.delay if period.world else 0) != number:
                continue
            rows = as_delivered(period.rows, self.desk.project.contract)
            fresh = self.ground.incoming / f".period_{earlier:04d}.parquet"
            rows.to_parquet(fresh, index=False)
            fresh.rename(self.ground.incoming / f"period_{earlier:04d}.parquet")

    def _settled(self, version: int) -> None:
        """Return when the service answers with the champion: a jump of the clock must not make seconds of a swap look like days."""
        import httpx

        deadline = time.monotonic() + SWAP_SECONDS
        while time.monotonic() < deadline:
            answer = httpx.get(f"{self.service.url}/{self.desk.project.name}/model", trust_env=False)
            if answer.status_code != 200 or _served(answer.json()) == version:
                return
            time.sleep(0.05)


def _served(model: Mapping[str, Any]) -> int | None:
    return model.get("version")
