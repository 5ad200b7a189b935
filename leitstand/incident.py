"""What an incident is: the sum of its events, each of which somebody or something noted."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from leitstand.decision import Reason, Value
from leitstand.errors import LeitstandError
from leitstand.figures import placed
from leitstand.gate_names import in_words
from leitstand.texts import Language, text

Kind = Literal[
    "rollback",
    "pause",
    "refused_challenger",
    "held_back_delivery",
    "failed_pass",
    "decay",
    "broken_input",
    "question",
    "approval",
    "service",
    "reported",
]
Severity = Literal["info", "warning", "critical"]
Event = Literal["opened", "continued", "told", "note", "closed"]
REASON = "decision."
GATES = "gates"
"""The placeholder that stands for names of gates."""
RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


class Statement(BaseModel):
    """One sentence, as a key of the catalogue with its area and the values of its placeholders."""

    model_config = ConfigDict(frozen=True)

    key: str
    values: dict[str, Value] = {}

    @classmethod
    def of(cls, key: str, /, **values: object) -> Self:
        """Return a sentence with any values; what is no number is kept as text."""
        kept = {name: value if isinstance(value, int | float) else str(value) for name, value in values.items()}
        return cls(key=key, values=kept)

    @classmethod
    def of_reason(cls, reason: Reason) -> Self:
        """Return a reason of a decision as a sentence."""
        return cls(key=f"{REASON}{reason.key}", values=reason.values)

    @classmethod
    def of_error(cls, error: Exception) -> Self:
        """Return what an error says; of one that is not ours, its kind and its place, for its message may repeat what stands in the data."""
        if isinstance(error, LeitstandError):
            return cls.of(error.key, **error.values)
        trace = extract_tb(error.__traceback__)
        place = f"{Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else "–"
        return cls.of("incidents.unexpected", kind=type(error).__name__, place=place)

    def render(self, language: Language) -> str:
        """Return the sentence in words; a sentence that this release no longer has, as its key with the values."""
        try:
            if self.key.startswith(REASON):
                return Reason(key=self.key.removeprefix(REASON), values=self.values).render(language)
            shown = {name: _shown(name, value, language) for name, value in self.values.items()}
            return text(self.key, language, **shown)
        except KeyError:
            return " ".join([self.key, *(f"{name}={value}" for name, value in self.values.items())])


def _shown(name: str, value: Value, language: Language) -> str:
    return in_words(str(value), language) if name == GATES else placed(name, value, language)


class IncidentEvent(BaseModel):
    """One thing that happened to an incident.

    Parameters
    ----------
    time : aware, UTC
    content : ``opened`` and ``continued``: severity, what, evidence, model_version; ``told``: channel, severity, problem;
        ``note``: text; ``closed``: why
    """

    model_config = ConfigDict(frozen=True)

    event: Event
    time: datetime
    who: str
    content: dict[str, Any]


class Incident(BaseModel):
    """One incident as it stands.

    Parameters
    ----------
    id : ``<project>-<number>``
    severity : the worst that was reported
    what, evidence, model_version : as reported last
    times : how often it was reported
    opened, seen : when it was reported first and last; aware, UTC
    closed : when it was over; None while it is open
    why : the cause, as whoever closed it put it
    """

    model_config = ConfigDict(frozen=True)

    id: str
    project: str
    number: int
    kind: Kind
    severity: Severity
    what: tuple[Statement, ...]
    evidence: dict[str, Any]
    model_version: int | None
    times: int
    opened: datetime
    opened_by: str
    seen: datetime
    closed: datetime | None
    closed_by: str | None
    why: str | None
    events: tuple[IncidentEvent, ...]

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it yet."""
        return self.closed is None

    @property
    def reports(self) -> tuple[IncidentEvent, ...]:
        """Every time that it was reported, oldest first."""
        return tuple(one for one in self.events if one.event in ("opened", "continued"))

    @property
    def told(self) -> tuple[IncidentEvent, ...]:
        """Who was told, or could not be."""
        return tuple(one for one in self.events if one.event == "told")

    def last_told(self, channel: str) -> IncidentEvent | None:
        """Return the last attempt over a channel."""
        return next((one for one in reversed(self.told) if one.content["channel"] == channel), None)

    def describe(self, language: Language) -> str:
        """Return what happened, in words."""
        return " ".join(one.render(language) for one in self.what)


def incident_of(project: str, number: int, events: Sequence[IncidentEvent]) -> Incident:
    """Return the incident that its events tell of, oldest event first."""
    reports = [one for one in events if one.event in ("opened", "continued")]
    closing = next((one for one in events if one.event == "closed"), None)
    first, last = reports[0], reports[-1]
    return Incident(
        id=f"{project}-{number}",
        project=project,
        number=number,
        kind=first.content["kind"],
        severity=max((one.content["severity"] for one in reports), key=lambda severity: RANK[severity]),
        what=last.content["what"],
        evidence=last.content["evidence"],
        model_version=last.content["model_version"],
        times=len(reports),
        opened=first.time,
        opened_by=first.who,
        seen=last.time,
        closed=closing.time if closing else None,
        closed_by=closing.who if closing else None,
        why=closing.content["why"] if closing else None,
        events=tuple(events),
    )
