"""Where a project stands on the roadmap today: a pure function of the evidence that runs left and of what holds now.

Nobody types a status in. A milestone is passed while its newest evidence says so and everything that this rests on is as it was; when data,
model or assumptions change, the evidence is stale and the milestone open again.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from leitstand.fingerprints import changed
from leitstand.milestones import NAMES, MilestoneId, Verdict
from leitstand.texts import messages

Status = Literal["passed", "open", "refused", "stale", "none"]
Alarm = Literal["performance", "drift"]


class Record(BaseModel):
    """The evidence that one run left for one milestone.

    Parameters
    ----------
    number : 1, 2, … within the project
    evidence : figures and names, by what they are
    missing : what would close the milestone, as keys of the catalogue's area ``roadmap``
    details : what else the run found out, as its report has it
    fingerprints : hashes of what the evidence rests on
    run_id : of the run in MLflow that made the model; None where no model was made
    """

    model_config = ConfigDict(frozen=True)

    project: str
    number: int
    milestone: MilestoneId
    verdict: Verdict
    evidence: dict[str, Any] = {}
    missing: tuple[str, ...] = ()
    details: dict[str, Any] = {}
    fingerprints: dict[str, str] = {}
    run_id: str | None = None
    data_version: str | None = None
    model_version: int | None = None
    time: AwareDatetime


class Today(BaseModel):
    """What holds now.

    Parameters
    ----------
    fingerprints : of everything that evidence may rest on
    champion : version in charge; None without one
    data_version : delivered last; None before the first delivery
    alarm : what monitoring found of the model in charge, confirmed as project.yaml asks; None where it is calm or nobody looked
    """

    model_config = ConfigDict(frozen=True)

    fingerprints: dict[str, str] = {}
    champion: int | None = None
    data_version: str | None = None
    alarm: Alarm | None = None


class Standing(BaseModel):
    """Where one milestone stands.

    Parameters
    ----------
    status : ``stale`` where evidence that once closed it no longer holds, ``none`` where no run has got there
    reasons : why it is stale, as keys of the catalogue's area ``roadmap`` after ``stale_``
    missing : what would close it, as keys after ``missing_``
    record : number of the newest evidence
    """

    model_config = ConfigDict(frozen=True)

    id: MilestoneId
    name: str
    status: Status
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    record: int | None = None
    run_id: str | None = None
    data_version: str | None = None
    model_version: int | None = None
    time: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether it holds today."""
        return self.status == "passed"


def standings(records: Sequence[Record], today: Today) -> tuple[Standing, ...]:
    """Return where each of the five milestones stands.

    Parameters
    ----------
    records : all evidence of one project, oldest first
    """
    newest: dict[str, Record] = {record.milestone: record for record in records}
    shown = frozenset(one.model_version for one in records if one.milestone == "M4" and one.verdict == "passed")
    return tuple(_standing(id, newest, shown, today) for id in NAMES)


def first_open(found: Iterable[Standing]) -> Standing | None:
    """Return the first milestone that is not closed; None where all are."""
    return next((one for one in found if not one.closed), None)


def next_step(one: Standing) -> str:
    """Return what to do next about a milestone, as a key of the catalogue's area ``roadmap`` after ``next_``."""
    if one.closed:
        return "none"
    if "measured" in one.reasons:
        return "measured"
    if one.reasons:
        return "watch" if set(one.reasons) <= {"performance", "drift"} else "run"
    if one.status == "refused":
        return "benefit_case" if one.id == "M2" else "gates"
    known = (name for name in one.missing if f"next_{name}" in messages("roadmap"))
    return next(known, "run")


def _standing(id: MilestoneId, newest: Mapping[str, Record], shown: Set[int | None], today: Today) -> Standing:
    record = newest.get(id)
    if record is None:
        return Standing(id=id, name=NAMES[id], status="none", missing=("run",))
    reasons = (*changed(record.fingerprints, today.fingerprints, id), *_overtaken(record, newest, shown, today))
    missing = _still_missing(record, today)
    status: Status = "passed" if _beaten_by_champion(record) and today.champion in shown else record.verdict
    if status == "open" and not missing:
        status = "passed"
    if reasons:
        status = "stale"
    return Standing(
        id=id,
        name=NAMES[id],
        status=status,
        reasons=reasons,
        missing=missing,
        record=record.number,
        run_id=record.run_id,
        data_version=record.data_version,
        model_version=record.model_version,
        time=record.time,
    )


def _overtaken(record: Record, newest: Mapping[str, Record], shown: Set[int | None], today: Today) -> tuple[str, ...]:
    """Return what happened since that the fingerprints do not show.

    Parameters
    ----------
    shown : versions that have passed a practice check; where the loop puts one of them in charge, the introduction still holds
    """
    if record.milestone in ("M1", "M4") and today.data_version not in (None, record.data_version):
        return ("delivery",)
    if record.milestone == "M2" and _beyond_limit(newest.get("M4")):
        return ("measured",)
    if record.milestone != "M5":
        return ()
    if today.champion is None:
        return ("no_champion",) if record.verdict == "passed" else ()
    if today.champion != record.model_version and (record.verdict == "passed") and today.champion not in shown:
        return ("model",)
    return (today.alarm,) if today.alarm is not None else ()


def _beyond_limit(pilot: Record | None) -> bool:
    """Whether the errors that the newest pilot showed pay back too late."""
    measured = (pilot.details.get("benefit") or {}).get("measured") if pilot else None
    return measured is not None and not measured["within_limit"]


def _beaten_by_champion(record: Record) -> bool:
    """Return whether a practice check said no only because the model in charge is as good: then that one still holds."""
    refused = [gate["name"] for gate in record.details.get("gates") or () if not gate["passed"]]
    by_champion = bool(refused) and all(name.startswith("champion") for name in refused)
    return record.milestone == "M4" and record.verdict == "refused" and by_champion


def _still_missing(record: Record, today: Today) -> tuple[str, ...]:
    """Return what is missing of what was: an approval may have been given since, which leaves the service to be tried."""
    waited = {"approval", "promotion"} & set(record.missing)
    if not (record.milestone == "M5" and waited and record.model_version == today.champion):
        return record.missing
    return (*(name for name in record.missing if name not in waited), "service")
