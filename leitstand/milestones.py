"""The five milestones of the roadmap, and the evidence that closes each."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

MilestoneId = Literal["M1", "M2", "M3", "M4", "M5"]
Verdict = Literal["passed", "refused", "open"]
NAMES: dict[MilestoneId, str] = {
    "M1": "status_quo",
    "M2": "benefit",
    "M3": "strategy",
    "M4": "practice_check",
    "M5": "introduction",
}


class Milestone(BaseModel):
    """One milestone as a run left it.

    Parameters
    ----------
    verdict : ``open`` where the evidence is missing that would close it
    evidence : figures and names, by what they are
    missing : what would close it, as keys of the catalogue's area ``roadmap``
    """

    model_config = ConfigDict(frozen=True)

    id: MilestoneId
    name: str
    verdict: Verdict
    seconds: float
    evidence: dict[str, Any] = {}
    missing: tuple[str, ...] = ()


def milestone(
    id: MilestoneId, verdict: Verdict, seconds: float, evidence: dict[str, Any] | None = None, missing: tuple[str, ...] = ()
) -> Milestone:
    """Return a milestone under its name."""
    return Milestone(id=id, name=NAMES[id], verdict=verdict, seconds=round(seconds, 3), evidence=evidence or {}, missing=missing)
