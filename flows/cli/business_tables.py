"""The tables of 'leitstand roadmap benefit' and 'leitstand roadmap portfolio'."""

from collections.abc import Sequence

from rich.markup import escape

from flows.business import Analysis
from flows.cli.app import call
from flows.cli.console import say, shown, table
from leitstand.portfolio import Place
from leitstand.texts import text
from leitstand.uncertainty import Band, Bar


def show_analysis(found: Analysis) -> None:
    """Print the business case, its break-even, what each assumption changes, and how likely the limit is kept."""
    figure, limit = found.spec.key_figure, shown(found.benefit.max_payback_months)
    unsaid = text("benefit.not_said", call.language)
    name, source = escape(figure.name.in_language(call.language)), escape(figure.source or unsaid)
    say("benefit.key_figure", name=name, today=shown(figure.today), unit=escape(figure.unit), source=source)
    if found.benefit.source:
        say("benefit.source", source=escape(found.benefit.source))
    columns = ["benefit.figure", "benefit.promised", *(["benefit.measured"] if found.measured else []), "benefit.band"]
    table(text("benefit.case_title", call.language, project=found.spec.project), columns, _case_rows(found))
    _show_break_even(found)
    table(
        text("benefit.tornado_title", call.language),
        ("benefit.assumption", "benefit.range", "benefit.npv_range", "benefit.payback_range"),
        [_bar(bar) for bar in found.tornado],
    )
    sure = found.simulation
    within, gain = shown(round(100 * sure.probability_within_limit, 1)), shown(round(100 * sure.probability_of_gain, 1))
    say("benefit.odds", within=within, draws=shown(float(sure.draws)), months=limit, gain=gain)
    verdict = "within" if found.within_limit else "beyond" if not found.promised.within_limit else "measured_beyond"
    say(f"benefit.verdict_{verdict}", months=limit)


def show_portfolio(places: Sequence[Place]) -> None:
    """Print the portfolio in its order, and below it what has no place."""
    language = call.language
    rows = [
        (
            place.rank,
            place.candidate.name + (f" ({text('benefit.idea', language)})" if place.candidate.kind == "idea" else ""),
            place.value_eur_per_year,
            f"{shown(place.feasibility)} ({text(f'benefit.basis_{_basis(place)}', language)})",
            place.months_to_first_result,
            place.score_eur_per_year,
        )
        for place in places
        if place.rank is not None
    ]
    columns = ("rank", "name", "value", "feasibility", "months", "score")
    table(text("benefit.portfolio_title", language), [f"benefit.{column}" for column in columns], rows)
    for place in places:
        if place.candidate.problem is not None:
            say("benefit.unreadable", name=escape(place.candidate.name), problem=escape(place.candidate.problem.render(language)))
        elif place.rank is None:
            say("benefit.no_case", name=place.candidate.name)
    say("benefit.portfolio_how")


def named(key: str) -> str:
    """Return the name of an assumption in the call's language."""
    return text(f"benefit.{key.replace('.', '_')}", call.language)


def _case_rows(found: Analysis) -> list[tuple[object, ...]]:
    benefit, cases = found.benefit, [found.promised, *([found.measured] if found.measured else [])]
    years = benefit.horizon_years
    rate, sure = shown(round(100 * benefit.discount_rate, 2)), found.simulation
    rows: list[tuple[object, ...]] = [(text("benefit.error", call.language), *(one.error for one in cases), None)]
    if any(one.missed is not None for one in cases):
        rows += [
            (text(f"benefit.{kind}", call.language), *(getattr(one, kind) for one in cases), None)
            for kind in ("missed", "false_alarm")
        ]
    returns = [None if one.return_on_investment is None else round(100 * one.return_on_investment, 1) for one in cases]
    return [
        *rows,
        (text("benefit.savings", call.language), *(one.savings_eur_per_year for one in cases), _band(sure.savings_eur_per_year)),
        (text("benefit.net", call.language), *(one.net_eur_per_year for one in cases), None),
        (text("benefit.investment", call.language), *(benefit.investment_eur for _ in cases), None),
        (
            text("benefit.payback", call.language),
            *(_months(one.payback_months) for one in cases),
            _band(sure.payback_months, never=True),
        ),
        (
            text("benefit.npv", call.language, years=years, rate=rate),
            *(one.net_present_value_eur for one in cases),
            _band(sure.net_present_value_eur),
        ),
        (text("benefit.roi", call.language, years=years), *returns, None),
    ]


def _show_break_even(found: Analysis) -> None:
    even, figures = found.break_even, found.benefit
    rows = [
        (text("benefit.savings", call.language), found.promised.savings_eur_per_year, even.savings_eur_per_year),
        (text("benefit.error", call.language), found.promised.error, even.error),
        (named("cases_per_year"), figures.cases_per_year, even.cases_per_year),
        (named("minutes_per_case_then"), figures.minutes_per_case_then, even.minutes_per_case_then),
    ]
    title = text("benefit.break_even_title", call.language, months=shown(even.limit_months))
    table(title, ("benefit.figure", "benefit.promised", "benefit.break_even"), [row for row in rows if row[2] is not None])


def _bar(bar: Bar) -> tuple[object, ...]:
    one = bar.assumption
    name = named(one.key) + (" *" if one.declared else "")
    paybacks = f"{_months(bar.payback_at_low_months)} … {_months(bar.payback_at_high_months)}"
    return name, f"{shown(one.low)} … {shown(one.high)}", f"{shown(bar.npv_at_low_eur)} … {shown(bar.npv_at_high_eur)}", paybacks


def _band(band: Band, never: bool = False) -> str:
    show = _months if never else shown
    return f"{show(band.low)} … {show(band.high)}"


def _months(months: float | None) -> str:
    return text("benefit.never", call.language) if months is None else shown(months)


def _basis(place: Place) -> str:
    evidence = place.candidate.evidence
    return "synthetic" if evidence is not None and evidence.synthetic else place.basis
