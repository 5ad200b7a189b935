"""Both sides of a comparison made ready: the same columns, the same season, and how many rows they are worth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.basis import Basis
from leitstand.conforming import conform
from leitstand.contract import Column, Contract
from leitstand.dependence import design_effect
from leitstand.project import Project
from leitstand.season import TIME, phases, same_season
from monitoring.drift import Watched, drifts, watch, watched_inputs
from monitoring.result import ColumnDrift


@dataclass(frozen=True)
class Compared:
    """What became of the columns.

    Parameters
    ----------
    before, now : conformed columns of ``contract``
    enough : whether both sides have enough rows
    season_known : whether the reference has rows of the window's season
    watched : inputs and answers as they were compared; empty where there is no verdict
    inputs : those that moved most first
    """

    contract: Contract
    before: pd.DataFrame
    now: pd.DataFrame
    enough: bool
    season_known: bool
    watched: tuple[Watched, ...]
    inputs: tuple[ColumnDrift, ...]
    answers: tuple[ColumnDrift, ...]

    @property
    def share(self) -> float:
        """Share of the inputs that drifted, 0 to 1."""
        return sum(column.drifted for column in self.inputs) / len(self.inputs) if self.inputs else 0.0

    @property
    def weight(self) -> float | None:
        """Share of the model's importance that the drifted inputs carry, 0 to 1; None where it is unknown of one of them."""
        weights = [column.weight for column in self.inputs if column.drifted]
        return None if None in weights else float(sum(weight for weight in weights if weight is not None))


def compare(project: Project, reference: pd.DataFrame, window: pd.DataFrame, basis: Basis) -> Compared:
    """Return which inputs and answers have moved; parameters as ``monitoring.report.monitor`` takes them."""
    settings, contract = project.spec.monitoring, as_logged(project.input_contract)
    before, now = conform(reference, contract), conform(window, contract)
    enough = min(len(before), len(now)) >= settings.minimum_rows
    part = _part(project, reference, window) if enough else None
    season_known = not enough or part is not None
    if part is None or len(part) < settings.minimum_rows:
        return Compared(contract, before, now, enough, season_known and part is None, (), (), ())
    dependence = _dependence(project, reference, now, basis)
    inputs = watched_inputs(contract, before.iloc[part], now, dependence)
    answers = _answers(project, reference.iloc[part], window, dependence)
    found = drifts([*inputs, *answers], settings.threshold)
    weighed = [one.model_copy(update={"weight": basis.weights.get(one.name)}) for one in found[: len(inputs)]]
    return Compared(
        contract,
        before,
        now,
        enough,
        True,
        (*answers, *inputs),
        tuple(sorted(weighed, key=_strength)),
        tuple(found[len(inputs) :]),
    )


def as_logged(contract: Contract) -> Contract:
    """Return the contract of what can be watched: without files, and with pseudonyms, which only show that there is a value, as texts."""
    kept = [
        Column(name=column.name, type="string", required=column.required, pseudonymise=True)
        if column.is_pseudonymised
        else column
        for column in contract.columns
        if column.type != "file"
    ]
    return contract.model_copy(update={"columns": tuple(kept)})


def _part(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> np.ndarray | None:
    """Return positions in the reference: all, or those of the window's season; None where that is not to be had."""
    season = project.spec.monitoring.season
    if season == "none":
        return np.arange(len(reference))
    time = project.spec.data.time
    known = next((name for name in (TIME, time) if name is not None and name in reference.columns), None)
    told = next((name for name in (time, "time") if name in window.columns and window[name].notna().any()), None)
    if known is None or told is None:
        return None
    return same_season(phases(reference[known], season), phases(window[told], season))


def _dependence(project: Project, reference: pd.DataFrame, now: pd.DataFrame, basis: Basis) -> dict[str, tuple[float, float]]:
    """Return how many neighbouring rows of either side count as one.

    What training found in its time order holds for both; a thinned reference depends on itself less. Where training had no order, its rows
    count in full, and the window's own order tells.
    """
    step = (basis.rows or len(reference)) / len(reference)
    known = {name: (max(1.0, rows / step), rows) for name, rows in basis.dependence.items()}
    other = [column.name for column in project.input_contract.columns if column.name in now and column.name not in known]
    return known | {name: (1.0, design_effect(now[name])) for name in other}


def _answers(
    project: Project, reference: pd.DataFrame, window: pd.DataFrame, dependence: dict[str, tuple[float, float]]
) -> list[Watched]:
    """Return prediction and score; they depend on their neighbours at least as much as the window shows."""
    names = [name for name in ("prediction", "score") if name in reference.columns and name in window.columns]
    numbers = {"score"} | ({"prediction"} if project.spec.task == "regression" else set())
    slowest = float(np.median([rows for rows, _ in dependence.values()] or [1.0]))
    watched = [
        watch(name, reference[name], window[name], name in numbers, (slowest, design_effect(window[name].infer_objects())))
        for name in names
    ]
    return [column for column in watched if len(column.reference) and len(column.window)]


def _strength(column: ColumnDrift) -> tuple[bool, float]:
    return not column.drifted, -(column.effect if column.effect is not None else float("inf"))
