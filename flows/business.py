"""The business case of one project with all that can be said about it: promised, measured, and how sure it is."""

from dataclasses import asdict, dataclass
from typing import Any

from flows.portfolio import measured
from infra.settings import Settings
from leitstand.assumptions import Benefit, Errors, ErrorsPerKind
from leitstand.benefit import BreakEven, BusinessCase, break_even, business_case
from leitstand.errors import ProjectError, UsageError
from leitstand.folders import locate
from leitstand.spec import ProjectSpec, load_spec
from leitstand.uncertainty import Bar, Simulation, simulate, tornado


@dataclass(frozen=True)
class Analysis:
    """What is known about the business case of a project.

    Parameters
    ----------
    measured : the case with the error of the model in charge, or with the one that was given; None where there is neither
    """

    spec: ProjectSpec
    benefit: Benefit
    promised: BusinessCase
    measured: BusinessCase | None
    break_even: BreakEven
    tornado: tuple[Bar, ...]
    simulation: Simulation

    @property
    def within_limit(self) -> bool:
        """Whether the case pays back in time, as promised and as measured."""
        return self.promised.within_limit and (self.measured is None or self.measured.within_limit)

    def document(self) -> dict[str, Any]:
        """Return all figures as JSON knows them."""
        figure = self.spec.key_figure
        return {
            "project": self.spec.project,
            "key_figure": figure.model_dump(),
            "assumptions": self.benefit.model_dump(),
            "promised": self.promised.model_dump(),
            "measured": self.measured.model_dump() if self.measured else None,
            "within_limit": self.within_limit,
            "break_even": asdict(self.break_even),
            "tornado": [asdict(bar) | {"swing_eur": bar.swing_eur} for bar in self.tornado],
            "simulation": asdict(self.simulation),
        }


def analyse(project: str, settings: Settings, error: Errors | None = None) -> Analysis:
    """Return the analysis of a project's business case.

    Parameters
    ----------
    error : taken as the measured one, instead of that of the model in charge

    Raises
    ------
    UsageError
        If there is no such project, or a regression is given missed ones and false alarms.
    ProjectError
        If project.yaml is wrong or has no section ``benefit``.
    """
    path = locate(project, settings.roots) / "project.yaml"
    spec = load_spec(path)
    if spec.benefit is None:
        raise ProjectError("benefit.no_figures", project=project, path=path)
    if spec.task == "regression" and isinstance(error, ErrorsPerKind):
        raise UsageError("benefit.error_kinds", missed=error.missed, false_alarm=error.false_alarm)
    found = measured(project, settings) if error is None else error
    return Analysis(
        spec=spec,
        benefit=spec.benefit,
        promised=business_case(spec.benefit, spec.benefit.expected_error),
        measured=None if found is None else business_case(spec.benefit, found),
        break_even=break_even(spec.benefit),
        tornado=tornado(spec.benefit),
        simulation=simulate(spec.benefit),
    )
