"""The fire drill: shift, drift, retraining, promotion, an injected regression, rollback. ``python -m benchmarks.drill``.

A year of weeks as in a time-lapse, with the real flows, registry, stores and service. After the loop has answered the shift, somebody puts a model in
charge whose labels were shuffled; the loop has to take it back. Prints the timeline with seconds; exit code 1 where a step is missing.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from infra.settings import calm_tools, follow_clock, load_settings
from leitstand.now import set_clock
from leitstand.scenarios import Scenario

calm_tools()

from flows.prefect_server import prefect_server  # noqa: E402 - after the tools were calmed
from flows.simulation.ground import lay  # noqa: E402
from flows.simulation.lapse import Acted, Lapse, PeriodResult  # noqa: E402
from flows.simulation.policies import leitstand  # noqa: E402
from flows.simulation.stream import Stream, built_in  # noqa: E402
from flows.workspace import Desk, open_project  # noqa: E402

PERIODS, INJECTED_AFTER = 16, 3  # periods after the first promotion
STEPS = ("shift", "noticed", "promoted", "regression", "rolled_back")


def main() -> None:
    """Run the drill and print its timeline."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drill", description=__doc__)
    parser.add_argument("--project", default="virtual_sensor")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    settings = load_settings()
    with (
        tempfile.TemporaryDirectory() as scratch,
        prefect_server(settings.model_copy(update={"home": Path(scratch) / "prefect"})) as server,
    ):
        from flows.stage import orchestrated

        project = open_project(arguments.project, settings)
        stream = built_in(project, PERIODS, Scenario.sudden_shift, arguments.seed)
        ground = lay(Path(scratch) / "drill", project, stream, settings)
        set_clock(ground.clock, stream.periods[0].start)
        follow_clock(ground.settings)
        desk = Desk(open_project(arguments.project, ground.settings), ground.settings)
        with orchestrated(ground.settings, server):
            drill = Drill(desk, stream)
            drill.run(ground)
    missing = [step for step in STEPS if step not in drill.reached]
    print("missing: " + ", ".join(missing) if missing else "all steps were seen")
    sys.exit(1 if missing else 0)


class Drill:
    """The course of the drill; ``reached`` maps each step to the period in which it was seen."""

    def __init__(self, desk: Desk, stream: Stream) -> None:
        self.desk, self.stream, self.reached = desk, stream, dict[str, int]()
        self._started = time.perf_counter()

    def run(self, ground: object) -> list[PeriodResult]:
        """Put the first model in charge, serve it, and go through the periods."""
        from flows.introduction import promote
        from flows.practice_check import practice_check
        from flows.status_quo import status_quo
        from serving.launch import start_service

        promote(self.desk, practice_check(self.desk, status_quo(self.desk)), "drill", "the first model")
        self._tell(-1, "first", "the first model is in charge")
        with start_service([self.desk.project.name], self.desk.settings) as service:
            lapse = Lapse(self.desk, ground, self.stream, service)  # type: ignore[arg-type]
            found = lapse.run(self._act, lambda number: None)
        errors = " ".join(f"{np.nanmean(_errors(one)):.3g}" for one in found)
        print(f"mean error by period: {errors}; failed requests: {sum(one.failed_requests for one in found)}")
        return found

    def _act(self, desk: Desk, stream: Stream, number: int) -> Acted:
        world = stream.periods[number].world
        if world is not None and world.changed:
            self._tell(number, "shift", f"the world changes: {stream.moved} moves by {world.offset:g} standard deviations")
        began = time.perf_counter()
        acted = leitstand(desk, stream, number)
        self._tell(number, acted.what, f"{acted.why} ({time.perf_counter() - began:.1f} s)")
        if acted.alarm and "shift" in self.reached:
            self.reached.setdefault("noticed", number)
        if self.reached.get("promoted", number) + INJECTED_AFTER == number and "regression" not in self.reached:
            self._inject(number)
        return acted

    def _inject(self, number: int) -> None:
        """Put a model in charge that has learned from shuffled labels, as a mistake of a person would."""
        from flows.practice_check import examine, reference, split
        from flows.registration import register
        from leitstand.training import train

        latest = self.desk.snapshots.latest(self.desk.project.name)
        assert latest is not None, "the first model was trained on one"
        part, holdout, _ = split(self.desk, latest)
        shuffled = replace(part, target=np.random.default_rng(0).permutation(part.target))
        made = train(shuffled, latest.version, False)
        judgement = examine(self.desk, made, part, holdout, latest)
        known = reference(made, part)
        version = register(self.desk, latest, made, judgement, None, known, part, holdout)
        self.desk.registry.promote(self.desk.project.name, version.version, who="drill", why="injected regression")
        self._tell(number, "regression", "somebody puts a model in charge that has learned from shuffled labels")

    def _tell(self, number: int, step: str, what: str) -> None:
        if step in STEPS:
            self.reached.setdefault(step, number)
        print(f"{time.perf_counter() - self._started:7.1f} s  period {number + 1:3d}  {step:12s}  {what}", flush=True)


def _errors(result: PeriodResult) -> np.ndarray:
    pairs = [(truth, answer) for truth, answer in zip(result.truth, result.answers, strict=True) if answer is not None]
    if not pairs:
        return np.array([np.nan])
    numbers = isinstance(pairs[0][1], int | float) and not isinstance(pairs[0][1], bool)
    return np.array(
        [abs(float(truth) - float(answer)) if numbers else float(str(truth) != str(answer)) for truth, answer in pairs]
    )


if __name__ == "__main__":
    main()
