"""The job several times in one process that has everything imported, as a standing worker does it; prints the seconds of each run."""

import sys
import time

from infra.settings import calm_tools, load_settings

calm_tools()

from flows.lifecycle import lifecycle  # noqa: E402 - after the tools were calmed
from flows.prefect_server import prefect_server  # noqa: E402
from flows.stage import orchestrated  # noqa: E402
from flows.workspace import Desk, open_project  # noqa: E402


def main(runs: int) -> None:
    """Run the job ``runs`` times."""
    settings = load_settings()
    with prefect_server(settings) as server, orchestrated(settings, server):
        for _ in range(runs):
            started = time.perf_counter()
            lifecycle(Desk(open_project("bench_job", settings), settings), "benchmark", False)
            print(f"seconds {time.perf_counter() - started:.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
