"""How the world changes in a time-lapse: what is measured moves, what is true stays.

A change of a measurement alone (a new sensor, a worn one, material of another supplier) breaks what a model has learned and can be learned
anew. So every scenario has a known beginning, and a model that follows it has a known reason to be better than one that does not.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from sklearn.feature_selection import f_classif, f_regression

from leitstand.contract import Column
from leitstand.errors import UsageError
from leitstand.project import Project

BEGINS, ENDS = 0.3, 0.6  # of the periods
SHIFT = 1.5  # standard deviations
WEAR = 2.0  # standard deviations that creeping wear reaches at the end
SUPPLIER_SHARE = 0.5  # of the rows
CYCLES = 2  # of a seasonal scenario
BROKEN_PERIODS = 3
DELAY_PERIODS = 4


class Scenario(StrEnum):
    """The worlds there are."""

    stationary = "stationary"
    sudden_shift = "sudden_shift"
    creeping_wear = "creeping_wear"
    new_supplier = "new_supplier"
    seasonal = "seasonal"
    broken_sensor = "broken_sensor"
    label_delay = "label_delay"
    recovery = "recovery"


@dataclass(frozen=True)
class World:
    """What is different in one period.

    Parameters
    ----------
    offset : of what is measured, in standard deviations
    share : of the rows that it concerns, 0 to 1
    broken : whether the sensor shows the same value all the time
    changed : whether the world is another one than in the period before
    delay : periods until the truth is known
    """

    offset: float = 0.0
    share: float = 1.0
    broken: bool = False
    changed: bool = False
    delay: int = 0


def worlds(scenario: Scenario, periods: int) -> tuple[World, ...]:
    """Return the world of every period of a scenario."""
    begin, end = round(BEGINS * periods), round(ENDS * periods)
    made = []
    for period in range(periods):
        inside = period >= begin
        match scenario:
            case Scenario.stationary:
                made.append(World())
            case Scenario.sudden_shift:
                made.append(World(SHIFT if inside else 0.0, changed=period == begin))
            case Scenario.label_delay:
                made.append(World(SHIFT if inside else 0.0, changed=period == begin, delay=DELAY_PERIODS))
            case Scenario.recovery:
                made.append(World(SHIFT if begin <= period < end else 0.0, changed=period in (begin, end)))
            case Scenario.new_supplier:
                made.append(World(SHIFT if inside else 0.0, SUPPLIER_SHARE, changed=period == begin))
            case Scenario.creeping_wear:
                worn = max(0.0, (period - begin + 1) / (periods - begin))
                made.append(World(WEAR * worn, changed=inside))
            case Scenario.seasonal:
                made.append(World(float(np.sin(2 * np.pi * CYCLES * period / periods)), changed=period > 0))
            case Scenario.broken_sensor:
                stuck = begin <= period < begin + BROKEN_PERIODS
                made.append(World(broken=stuck, changed=period in (begin, begin + BROKEN_PERIODS)))
    return tuple(made)


def telling_column(project: Project, frame: pd.DataFrame) -> Column:
    """Return the numeric input that tells most about the target by itself (F-test of one column): the one that a scenario moves.

    Parameters
    ----------
    frame : conformed columns of the project's contract

    Raises
    ------
    UsageError
        If no input is a number.
    """
    numbers = [column for column in project.input_contract.columns if column.is_number and not column.allowed]
    known = frame[frame[project.spec.data.target].notna()]
    inputs = known[[column.name for column in numbers]].astype("float64")
    inputs = inputs.fillna(inputs.median()).fillna(0.0)
    varied = inputs.columns[inputs.nunique() > 1]
    if varied.empty:
        raise UsageError("simulation.no_number", project=project.name)
    target, test = known[project.spec.data.target], f_regression if project.spec.task == "regression" else f_classif
    scores, _ = test(inputs[varied], target.astype(float) if project.spec.task == "regression" else target.astype(str))
    best = varied[int(np.nanargmax(scores))]
    return next(column for column in numbers if column.name == best)


def changed(frame: pd.DataFrame, world: World, column: Column, deviation: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows as they are measured in a world; what leaves the contract's range stops at its bound, as a sensor does.

    Parameters
    ----------
    deviation : standard deviation of the column in the unchanged world
    """
    if not world.offset and not world.broken:
        return frame
    values = frame[column.name].astype("float64")
    if world.broken:
        values = values.where(values.isna(), values.dropna().iloc[0] if values.notna().any() else np.nan)
    else:
        values = values + world.offset * deviation * (rng.random(len(values)) < world.share)
    values = values.clip(column.minimum, column.maximum)
    return frame.assign(**{column.name: values.round() if column.type == "integer" else values})
