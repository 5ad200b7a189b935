"""The assumptions of a business case: the section ``benefit`` of ``project.yaml``, and the same section of an idea."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from leitstand.contract import Frozen

KINDS = ("missed", "false_alarm")
BY_KIND = ("cost_per_error_eur", "errors_today", "expected_error")
MOST = 1e12  # of any figure: more is a slip of the keyboard, and sums stay exact to the cent below
VARIED = (
    "cases_per_year",
    *BY_KIND,
    "minutes_per_case_today",
    "minutes_per_case_then",
    "hourly_rate_eur",
    "investment_eur",
    "running_cost_eur_per_year",
    "ramp_up_months",
    "discount_rate",
)


class _Figures(Frozen):
    model_config = ConfigDict(allow_inf_nan=False)


class CostPerKind(_Figures):
    """What one wrong decision costs, by its kind.

    Parameters
    ----------
    missed : what should have been found and was not, EUR
    false_alarm : what was found and is not there, EUR
    """

    missed: float = Field(ge=0)
    false_alarm: float = Field(ge=0)


class ErrorsPerKind(_Figures):
    """Wrong decisions by their kind, each as a share of all decisions (not of the cases that matter), 0 to 1."""

    missed: float = Field(ge=0, le=1)
    false_alarm: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _shares_of_one_whole(self) -> Self:
        if self.missed + self.false_alarm > 1:
            raise ValueError("missed and false_alarm are shares of all decisions; together they are at most 1")
        return self

    @property
    def total(self) -> float:
        """All wrong decisions as a share of all decisions."""
        return self.missed + self.false_alarm


def _form(value: Any) -> str:
    """Return which form a figure has, so that a wrong one is told about that form alone."""
    return "kinds" if isinstance(value, dict | BaseModel) else "figure"


_Figure = Annotated[float, Field(ge=0), Tag("figure")]
Errors = float | ErrorsPerKind
GivenErrors = Annotated[_Figure | Annotated[ErrorsPerKind, Tag("kinds")], Discriminator(_form)]
GivenCost = Annotated[_Figure | Annotated[CostPerKind, Tag("kinds")], Discriminator(_form)]


class Range(_Figures):
    """Between which bounds an assumption lies.

    Parameters
    ----------
    shape : ``triangular`` where the figure itself is the likeliest, ``uniform`` where any value between the bounds is as likely
    """

    low: float = Field(ge=0)
    high: float = Field(ge=0)
    shape: Literal["triangular", "uniform"] = "triangular"


class Benefit(_Figures):
    """The value formula's assumptions.

    Parameters
    ----------
    currency : the only one there is, so that figures of projects can be added up
    source : where the figures come from
    cases_per_year : predictions or decisions a year
    cost_per_error_eur : what one wrong decision costs: one figure, or for two classes ``missed`` and ``false_alarm``
    errors_today : share of wrong decisions today, 0 to 1, or by kind as shares of all decisions (for regression: mean absolute error in
        the target's unit)
    expected_error : the same as the business case promises it
    minutes_per_case_today, minutes_per_case_then : handling time
    hourly_rate_eur : of that time
    investment_eur, running_cost_eur_per_year : of the project
    ramp_up_months : until the full savings are reached; they grow evenly from nothing, running cost is there from the start
    horizon_years : how long savings are counted, for net present value and return on investment
    discount_rate : what money costs a year, 0.08 for 8 %
    months_to_first_result : until somebody can judge a pilot, for the order of the portfolio
    ranges : bounds of single assumptions by their key (of a kind: ``cost_per_error_eur.missed``); the others vary by 20 % either way
    """

    currency: Literal["EUR"] = "EUR"
    source: str | None = None
    cases_per_year: float = Field(gt=0)
    cost_per_error_eur: GivenCost = 0.0
    errors_today: GivenErrors = 0.0
    expected_error: GivenErrors = 0.0
    minutes_per_case_today: float = Field(default=0, ge=0)
    minutes_per_case_then: float = Field(default=0, ge=0)
    hourly_rate_eur: float = Field(default=0, ge=0)
    investment_eur: float = Field(default=0, ge=0)
    running_cost_eur_per_year: float = Field(default=0, ge=0)
    ramp_up_months: float = Field(default=0, ge=0)
    horizon_years: int = Field(default=5, ge=1, le=30)
    discount_rate: float = Field(default=0.08, ge=0, lt=1)
    months_to_first_result: float = Field(default=6, ge=0)
    max_payback_months: float = Field(default=24, gt=0)
    ranges: dict[str, Range] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _errors_are_known_as_their_cost_is(self) -> Self:
        if isinstance(self.cost_per_error_eur, CostPerKind):
            lumped = [key for key in BY_KIND[1:] if isinstance(given := getattr(self, key), float) and given > 0]
            if lumped:
                raise ValueError(
                    f"cost_per_error_eur tells missed and false_alarm apart, so {' and '.join(lumped)} must do so too: "
                    "{missed: …, false_alarm: …}, each a share of all decisions"
                )
        return self

    @model_validator(mode="after")
    def _figures_can_be(self) -> Self:
        bounds = {f"ranges.{key}": one.high for key, one in self.ranges.items()}
        for key, value in {**self.figures(), **bounds}.items():
            if value > MOST:
                raise ValueError(f"{key}: {value:g} is more than any company has ({MOST:g}); check the unit")
            if "." in key.removeprefix("ranges.") and "error_eur" not in key and value > 1:
                raise ValueError(f"{key}: {value:g} is a share of all decisions and at most 1")
        return self

    @model_validator(mode="after")
    def _ranges_hold_their_figure(self) -> Self:
        figures = self.figures()
        for key, bounds in self.ranges.items():
            if key not in figures:
                raise ValueError(f"ranges.{key}: there is no such assumption; expected one of {', '.join(figures)}")
            if not bounds.low <= figures[key] <= bounds.high:
                raise ValueError(f"ranges.{key}: {bounds.low:g} to {bounds.high:g} must hold the figure itself, {figures[key]:g}")
        if "cases_per_year" in self.ranges and self.ranges["cases_per_year"].low == 0:
            raise ValueError("ranges.cases_per_year: low must be above 0")
        return self

    def figures(self, error: Errors | None = None) -> Mapping[str, float]:
        """Return every assumption that may vary, by its key; those per kind as ``errors_today.missed``.

        Parameters
        ----------
        error : stands in for ``expected_error``, such as the measured one. Where the cost tells kinds apart and the error does not, all of
            it counts as the dearer kind, so that the case never looks better than it is
        """
        given = {key: getattr(self, key) for key in VARIED}
        if error is not None:
            given["expected_error"] = error
        cost = self.cost_per_error_eur
        dearer = max(KINDS, key=lambda kind: getattr(cost, kind)) if isinstance(cost, CostPerKind) else None
        flat: dict[str, float] = {}
        for key, value in given.items():
            if isinstance(value, CostPerKind | ErrorsPerKind):
                flat |= {f"{key}.{kind}": getattr(value, kind) for kind in KINDS}
            elif key in BY_KIND and dearer is not None:
                flat |= {f"{key}.{kind}": value if kind == dearer else 0.0 for kind in KINDS}
            else:
                flat[key] = float(value)
        return flat

    @property
    def tells_kinds_apart(self) -> bool:
        """Whether anything is given for missed ones and false alarms each."""
        return any(not isinstance(getattr(self, key), float) for key in BY_KIND)
