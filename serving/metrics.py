"""What the service counts, in the form that Prometheus reads."""

from collections.abc import Iterable
from time import perf_counter
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from infra.prediction_entries import Role

Outcome = Literal["logged", "dropped", "failed"]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one process. Labels hold project names, paths and statuses of ours only, so that no request can make them grow."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("project", "path", "status")
        self._requests = Counter("leitstand_requests", "Answered requests.", labels, registry=self._registry)
        self._seconds = Histogram(
            "leitstand_request_seconds",
            "From the first byte to the answer.",
            ("project", "path"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._rows = Counter("leitstand_rows", "Predicted rows.", ("project",), registry=self._registry)
        self._flags = Counter("leitstand_flagged_rows", "Predicted rows with a flag.", ("project",), registry=self._registry)
        self._roles = Counter(
            "leitstand_answered_rows", "Answered rows by whose answer it was.", ("project", "role"), registry=self._registry
        )
        self._shadow = Counter(
            "leitstand_shadow_rows",
            "Rows that a challenger was to answer silently.",
            ("project", "outcome"),
            registry=self._registry,
        )
        self._canary = Counter(
            "leitstand_canary_failures", "Requests that the champion answered after all.", ("project",), registry=self._registry
        )
        self._paused = Gauge("leitstand_paused", "Whether the project is paused.", ("project",), registry=self._registry)
        self._trial = Gauge(
            "leitstand_challenger_version", "Version on trial, 0 for none.", ("project",), registry=self._registry
        )
        self._version = Gauge("leitstand_model_version", "Version that answers.", ("project",), registry=self._registry)
        self._kept: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._answered: dict[tuple[str, Role], tuple[Counter, Counter]] = {}

    def answered(self, project: str, path: str, status: int, started: float) -> None:
        """Count one request; ``started`` is ``perf_counter`` when it came."""
        kept = self._kept.get((project, path, status))
        if kept is None:  # looking labels up costs more than counting
            made = (self._requests.labels(project, path, str(status)), self._seconds.labels(project, path))
            kept = self._kept[project, path, status] = made
        kept[0].inc()
        kept[1].observe(perf_counter() - started)

    def predicted(self, project: str, rows: int, flagged: int, role: Role = "champion") -> None:
        """Count predicted rows."""
        kept = self._answered.get((project, role))
        if kept is None:
            kept = self._answered[project, role] = (self._rows.labels(project), self._roles.labels(project, role))
        kept[0].inc(rows)
        kept[1].inc(rows)
        if flagged:
            self._flags.labels(project).inc(flagged)

    def shadowed(self, project: str, outcome: Outcome, rows: int) -> None:
        """Count rows that a challenger was to answer silently."""
        self._shadow.labels(project, outcome).inc(rows)

    def canary_failed(self, project: str) -> None:
        """Count a request that the challenger could not answer."""
        self._canary.labels(project).inc()

    def page(self, served: Iterable[tuple[str, int, int, bool]]) -> bytes:
        """Return all figures as text.

        Parameters
        ----------
        served : per project its name, the version that answers, the version on trial (0 for none), and whether it is paused
        """
        for project, version, challenger, paused in served:
            self._version.labels(project).set(version)
            self._trial.labels(project).set(challenger)
            self._paused.labels(project).set(paused)
        return generate_latest(self._registry)
