"""One pass of the maintenance loop while it is under way: what it works with, and what it has done so far."""

from dataclasses import dataclass, field
from typing import Literal

from flows.practice_check import Pilot
from flows.watch import Looked
from flows.workspace import Desk
from infra.history import Standing
from leitstand.incident import Statement

Acted = Literal["none", "promoted", "refused", "waiting", "trial", "withdrawn", "rolled_back", "paused", "resumed"]


@dataclass(frozen=True)
class Step:
    """One thing that a pass did.

    Parameters
    ----------
    version : that it was done with
    why : in sentences of the catalogue
    """

    did: Acted
    version: int
    why: tuple[Statement, ...]


@dataclass
class Pass:
    """A pass under way.

    Parameters
    ----------
    who : in whose name it acts
    pilot : the challenger, once one was trained
    overtaken : what was decided does not apply any more, because of what was done before it
    """

    desk: Desk
    who: str
    looked: Looked
    steps: list[Step] = field(default_factory=list)
    pilot: Pilot | None = None
    overtaken: bool = False

    @property
    def standing(self) -> Standing:
        """Who answers for the project now."""
        found = self.desk.registry.standing(self.desk.project.name)
        assert found is not None, "a project under maintenance has a champion"
        return found

    @property
    def acted(self) -> Acted:
        """The last thing that was done."""
        return self.steps[-1].did if self.steps else "none"

    def did(self, what: Acted, version: int, *why: Statement) -> None:
        """Note one thing that was done."""
        self.steps.append(Step(what, version, why))
