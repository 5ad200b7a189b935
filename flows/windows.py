"""Which rows a look at the champion is about: the window, the labels that came, and what earlier passes have already counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from flows.workspace import Desk
from infra.history import CROWNING, Promotion
from infra.label_reading import coverage, labelled_since
from infra.passes import Pass
from infra.prediction_log import logged_inputs
from infra.registry import ModelVersion
from leitstand.decision import Look, Signals
from leitstand.now import is_ahead, now
from monitoring.labels import labels_of
from monitoring.result import Labels

ANSWERS = ("prediction", "score", "lower", "upper", "label", "time")
INSTANT = timedelta(microseconds=1)  # windows begin after what the one before has counted


@dataclass(frozen=True)
class Rows:
    """What one look is about.

    Parameters
    ----------
    start, end : of the window, ``start`` exclusive; ``start`` is None where there is no row
    labelled : the answers whose label came after ``labels_start``, however old they are
    """

    window: pd.DataFrame
    start: datetime | None
    end: datetime
    labelled: pd.DataFrame
    labels_start: datetime | None
    labels: Labels


def rows_of_window(
    desk: Desk,
    champion: ModelVersion,
    looks: Sequence[Look],
    passes: Sequence[Pass],
    history: Sequence[Promotion],
    *,
    rehearsed: bool = False,
) -> Rows:
    """Return the champion's rows since the last look that counted, or of the last ``window_hours``.

    Labels are counted when they come: those of a late truth are judged then, and each is judged in one window only. Where too few came in a
    window for a verdict, they wait for more.

    Parameters
    ----------
    looks : earlier looks at this champion, since it is in charge; none for a report of everything
    passes : all earlier passes of the project, for what is usual
    history : of the project: a champion that came back, or a model that answers again after a pause, is looked at from then on
    rehearsed : also answers to a trial of the service, whose rows and labels are those of the hold-out
    """
    policy, end = desk.project.spec.monitoring, now()
    reign, resumed = back_in_charge_since(champion, history), resumed_at(history)
    counted = max((look.end for look in looks if look.enough), default=reign)
    start = counted if policy.window_hours is None else end - timedelta(hours=policy.window_hours)
    start = max((moment for moment in (start, resumed) if moment is not None), default=None)
    judged = max((look.end for look in looks if look.judged), default=reign)
    labels_start = min(judged, start) if judged is not None and start is not None else judged
    begin = None if start is None else start + INSTANT
    logged = desk.log.read(
        desk.project.name, model_version=champion.version, since=begin, until=end + INSTANT, rehearsed=rehearsed
    )
    if start is None and len(logged):
        start = logged["time"].iloc[0].to_pydatetime() - INSTANT
    labelled = labelled_since(desk.log.database, desk.project.name, champion.version, labels_start, end, rehearsed=rehearsed)
    if labels_start is None and len(labelled):
        labels_start = labelled["label_time"].min().to_pydatetime() - INSTANT
    labels = _labels(desk, start, end, passes)
    return Rows(in_use(desk, logged), start, end, in_use(desk, labelled), labels_start, labels)


def in_use(desk: Desk, logged: pd.DataFrame) -> pd.DataFrame:
    """Return logged predictions as monitoring takes them: the contract's inputs, the answers, and the labels where they came."""
    watched = [column.name for column in desk.project.input_contract.columns if column.type != "file"]
    inputs = logged_inputs(logged, watched)
    answers = [name for name in logged.columns if (name in ANSWERS or name.startswith("probability_")) and name not in watched]
    return inputs.assign(**{name: logged[name] for name in answers})


def looks_at(champion: ModelVersion, passes: Sequence[Pass], history: Sequence[Promotion]) -> list[Look]:
    """Return the passes that looked at this champion since it is in charge, as later decisions take them.

    Passes ahead of the clock were noted before it was set back; what they looked at is looked at again.
    """
    since = in_charge_since(history)
    return [
        as_look(one)
        for one in passes
        if one.model_version == champion.version
        and (since is None or one.time >= since)
        and one.signals.get("end") is not None
        and not is_ahead(one.time)
    ]


def as_look(one: Pass) -> Look:
    """Return a pass as later decisions take it."""
    seen = Signals.model_validate(one.signals)
    return Look(
        start=seen.start,
        end=seen.end or one.time,
        labels_start=seen.labels_start,
        enough=seen.enough and seen.season_known,
        judged=seen.performance_drop is not None,
        findings=seen.findings,
    )


def in_charge_since(history: Sequence[Promotion]) -> datetime | None:
    """Return when the champion was put in charge the last time; where the clock was set back since then, the time before that."""
    return next((entry.time for entry in reversed(history) if entry.kind in CROWNING and not is_ahead(entry.time)), None)


def back_in_charge_since(champion: ModelVersion, history: Sequence[Promotion]) -> datetime | None:
    """Return since when a champion that was one before is in charge again; None for one that never was replaced."""
    crowned = [entry for entry in history if entry.kind in CROWNING]
    again = any(entry.to_version == champion.version for entry in crowned[:-1])
    return in_charge_since(history) if again else None


def resumed_at(history: Sequence[Promotion]) -> datetime | None:
    """Return when the model began to answer again after the last pause; None where there was none since it is in charge."""
    kinds = ("resume", *CROWNING)
    latest = next((entry for entry in reversed(history) if entry.kind in kinds and not is_ahead(entry.time)), None)
    return latest.time if latest is not None and latest.kind == "resume" else None


def _labels(desk: Desk, start: datetime | None, end: datetime, passes: Sequence[Pass]) -> Labels:
    """Count the labels of the answers that are just old enough: the window, moved back by how long the truth usually takes."""
    policy = desk.project.spec.monitoring
    delay = timedelta(hours=policy.label_delay_hours)
    old, known = coverage(desk.log.database, desk.project.name, None if start is None else start - delay, end - delay)
    earlier = [Labels.model_validate(one.figures["labels"]) for one in passes if one.figures.get("labels") is not None]
    return labels_of(policy, old, known, earlier)
