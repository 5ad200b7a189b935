"""Which use case comes first: projects and mere ideas in the order of value × feasibility × time to the first result.

The order is a rule of thumb of our own, kept so simple that it can be worked out by hand; it is no finding of any study.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from leitstand.assumptions import Benefit
from leitstand.benefit import BusinessCase, business_case
from leitstand.contract import Bilingual, Frozen
from leitstand.errors import LeitstandError

UNTRIED = 0.2  # what nobody has tried: the share of feasibility that is there without any evidence
OF_DATA, OF_GATES, OF_CHAMPION = 0.3, 0.2, 0.3
OF_READINESS = 0.2  # between the company that is not ready at all and the one that is: 0.1 less or 0.1 more than untried
OF_STOCK: dict[str, float] = {"good": 0.15, "thin": 0.05, "unusable": 0.0}  # data that are known and that no run has checked yet
ROWS_ENOUGH = 1_000  # a hold-out of a fifth then has 200 rows, and a share of errors is known to about 3 points
MONTHS_THAT_HALVE = 12.0
Basis = Literal["evidence", "estimate", "readiness", "nothing"]


class Idea(Frozen):
    """A use case that is no project yet: one entry of ``ideas.yaml``.

    Parameters
    ----------
    feasibility : somebody's estimate, 0 to 0.5; only evidence of a project can bring more
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: Bilingual
    benefit: Benefit | None = None
    feasibility: float | None = Field(default=None, ge=0, le=0.5)


@dataclass(frozen=True)
class Evidence:
    """What there is of a project today.

    Parameters
    ----------
    data_rows : of the newest data version; 0 where there is none
    synthetic : whether those rows are built-in synthetic data
    gates_passed : by the model in charge when it was promoted
    champion : version of the model in charge
    stock : the worst verdict of the data inventory on the project's sources; None where they are not in it
    """

    data_rows: int = 0
    synthetic: bool = False
    gates_passed: int = 0
    champion: int | None = None
    stock: str | None = None

    @property
    def has_result(self) -> bool:
        """Whether a model on real data is in charge, so that nobody waits for a first result any more."""
        return self.champion is not None and not self.synthetic


@dataclass(frozen=True)
class Candidate:
    """A use case before it has a place.

    Parameters
    ----------
    problem : why it could not be read; nothing else is known then
    """

    name: str
    kind: Literal["project", "idea"]
    title: Bilingual | None = None
    benefit: Benefit | None = None
    evidence: Evidence | None = None
    estimate: float | None = None
    problem: LeitstandError | None = None


@dataclass(frozen=True)
class Place:
    """A use case in the portfolio.

    Parameters
    ----------
    rank : 1, 2, …; None where there are no figures to rank by
    value_eur_per_year : net present value as promised, spread over the years it was counted for
    feasibility : 0 to 1
    basis : what the feasibility rests on
    months_to_first_result : 0 where a model on real data is in charge
    score_eur_per_year : value × feasibility × 12 / (12 + months); a loss stays as it is, for doubts do not make it smaller
    """

    candidate: Candidate
    rank: int | None
    case: BusinessCase | None
    value_eur_per_year: float | None
    feasibility: float | None
    basis: Basis
    months_to_first_result: float | None
    score_eur_per_year: float | None


def feasibility(evidence: Evidence, readiness: float | None = None) -> float:
    """Return how likely a project is to work out, 0 to 1, from what there is of it today.

    It rests on data (up to 0.3, in full from 1,000 rows that a run has checked; 0.15 or 0.05 for data that the inventory calls good or thin), a
    model in charge (0.3), and that it passed gates (0.2). What is there for nothing is 0.2, or 0.1 to 0.3 by the company's readiness. Synthetic
    data are evidence of the software and not of the use case, and bring nothing.

    Parameters
    ----------
    readiness : total of the questionnaire, 0 to 100; None where nobody has answered it
    """
    start = untried(readiness)
    if evidence.synthetic:
        return start
    data = max(OF_DATA * min(1.0, evidence.data_rows / ROWS_ENOUGH), OF_STOCK.get(evidence.stock or "", 0.0))
    return min(1.0, start + data + OF_GATES * (evidence.gates_passed > 0) + OF_CHAMPION * (evidence.champion is not None))


def untried(readiness: float | None) -> float:
    """Return the feasibility of what nobody has tried, 0.1 to 0.3."""
    return UNTRIED if readiness is None else UNTRIED + OF_READINESS * (readiness / 100 - 0.5)


def rank(candidates: Sequence[Candidate], readiness: float | None = None) -> tuple[Place, ...]:
    """Return the candidates in order, the highest score first; those without figures at the end, those that could not be read last.

    Parameters
    ----------
    readiness : of the company, as ``feasibility`` takes it
    """
    placed = [_place(one, readiness) for one in candidates]
    scored = [(one.score_eur_per_year, one) for one in placed if one.score_eur_per_year is not None]
    scored.sort(key=lambda pair: (-pair[0], pair[1].candidate.name))
    rest = [one for one in placed if one.score_eur_per_year is None]
    rest.sort(key=lambda one: (one.candidate.problem is not None, one.candidate.name))
    return (*(_with_rank(one, number) for number, (_, one) in enumerate(scored, start=1)), *rest)


def _place(candidate: Candidate, readiness: float | None) -> Place:
    if candidate.problem is not None:
        return Place(candidate, None, None, None, None, "nothing", None, None)
    likely, basis = _feasibility(candidate, readiness)
    benefit = candidate.benefit
    if benefit is None:
        return Place(candidate, None, None, None, likely, basis, None, None)
    case = business_case(benefit, benefit.expected_error)
    value = (case.net_present_value_eur or 0.0) / benefit.horizon_years
    done = candidate.evidence is not None and candidate.evidence.has_result
    months = 0.0 if done else benefit.months_to_first_result
    speed = MONTHS_THAT_HALVE / (MONTHS_THAT_HALVE + months)
    score = value * likely * speed if value > 0 else value
    return Place(candidate, None, case, value, likely, basis, months, score)


def _feasibility(candidate: Candidate, readiness: float | None) -> tuple[float, Basis]:
    evidence = candidate.evidence
    if evidence is not None and evidence != Evidence(synthetic=evidence.synthetic):
        return feasibility(evidence, readiness), "evidence"
    if candidate.estimate is not None:
        return candidate.estimate, "estimate"
    return untried(readiness), "nothing" if readiness is None else "readiness"


def _with_rank(place: Place, number: int) -> Place:
    return replace(place, rank=number)
