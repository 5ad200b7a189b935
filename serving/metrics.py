"""What the service counts, in the form that Prometheus reads."""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

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
        self._version = Gauge("leitstand_model_version", "Version that answers.", ("project",), registry=self._registry)
        self._kept: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, project: str, path: str, status: int, started: float) -> None:
        """Count one request; ``started`` is ``perf_counter`` when it came."""
        kept = self._kept.get((project, path, status))
        if kept is None:  # looking labels up costs more than counting
            made = (self._requests.labels(project, path, str(status)), self._seconds.labels(project, path))
            kept = self._kept[project, path, status] = made
        kept[0].inc()
        kept[1].observe(perf_counter() - started)

    def predicted(self, project: str, rows: int, flagged: int) -> None:
        """Count predicted rows."""
        self._rows.labels(project).inc(rows)
        if flagged:
            self._flags.labels(project).inc(flagged)

    def page(self, versions: dict[str, int]) -> bytes:
        """Return all figures as text.

        Parameters
        ----------
        versions : the model version that answers, by project
        """
        for project, version in versions.items():
            self._version.labels(project).set(version)
        return generate_latest(self._registry)
