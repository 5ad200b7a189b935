"""An explanation in a few sentences, in German or English."""

from leitstand.contract import Column, Scalar
from leitstand.explanation import Contribution, Explanation
from leitstand.figures import ROUNDED, figure
from leitstand.project import Project
from leitstand.texts import Language, text

NAMED = 3  # columns after the first
LONGEST_DESCRIPTION = 60  # characters; longer ones make no sentence
AS_GIVEN, ROUGH = 6, 2  # significant digits of a value and a contribution; an answer has ROUNDED


def in_words(explanation: Explanation, project: Project, language: Language) -> list[str]:
    """Return three to five sentences: the answer against the average, the columns that matter, what is doubtful, and how it was found."""
    sentences = [_answer(explanation, language), *_columns(explanation, project, language)]
    if explanation.outside:
        sentences.append(text("explain.outside", language, columns=", ".join(explanation.outside)))
    return [*sentences, _method(explanation, language)]


def unit_in_words(explanation: Explanation, language: Language) -> str:
    """Return what ``prediction``, ``base`` and the contributions are measured in."""
    if explanation.quantity == "target" and explanation.unit is None:
        return text("explain.unit_target_plain", language, subject=explanation.subject)
    return text(f"explain.unit_{explanation.quantity}", language, subject=explanation.subject, unit=explanation.unit)


def _answer(explanation: Explanation, language: Language) -> str:
    key = "threshold" if explanation.threshold is not None else explanation.quantity
    threshold = figure(explanation.threshold, language) if explanation.threshold is not None else ""
    return text(
        f"explain.in_words_{key}",
        language,
        subject=_shown(explanation.subject, language),
        value=_level(explanation, explanation.prediction, language),
        base=_level(explanation, explanation.base, language),
        rows=explanation.background_rows,
        threshold=threshold,
    )


def _columns(explanation: Explanation, project: Project, language: Language) -> list[str]:
    moving = [part for part in explanation.contributions if part.contribution != 0]
    if not moving:
        return [text("explain.moves_nothing", language)]
    first, *others = moving
    what = text(f"explain.what_{explanation.quantity}", language)
    named = _named(first, project, language, described=True)
    amount = _amount(explanation, abs(first.contribution), language)
    sentences = [
        text("explain.raises" if first.contribution > 0 else "explain.lowers", language, column=named, what=what, amount=amount)
    ]
    if not others:
        return sentences
    listed = others if len(others) == NAMED + 1 else others[:NAMED]  # one left over is named, too
    rest = others[len(listed) :]
    shown = ", ".join(
        f"{_named(part, project, language)} ({_signed(explanation, part.contribution, language)})" for part in listed
    )
    if not rest:
        return [*sentences, text("explain.next", language, columns=shown)]
    together = _signed(explanation, sum(part.contribution for part in rest), language)
    return [*sentences, text("explain.next_and_rest", language, columns=shown, count=len(rest), rest=together)]


def _method(explanation: Explanation, language: Language) -> str:
    if explanation.method != "permutation_shap":
        return text("explain.exact", language)
    if explanation.standard_error is None:
        return text("explain.sampled_once", language, evaluations=explanation.evaluations)
    if explanation.standard_error == 0:
        return text("explain.sampled_agreeing", language, evaluations=explanation.evaluations)
    error = _amount(explanation, explanation.standard_error, language, dative=True)
    return text("explain.sampled", language, evaluations=explanation.evaluations, error=error)


def _named(part: Contribution, project: Project, language: Language, described: bool = False) -> str:
    """Return a column with its value and unit."""
    column = next((each for each in project.input_contract.columns if each.name == part.column), None)
    name = _described(column, language) if described and column is not None else part.column
    if part.value is None:
        return text("explain.column_missing", language, column=name)
    value = _shown(part.value, language, AS_GIVEN if column is not None else ROUNDED)
    if column is not None and column.unit:
        value = text("explain.with_unit", language, figure=value, unit=column.unit)
    shown = text("explain.column_value", language, column=name, value=value)
    return text("explain.column_looks_back", language, column=shown) if part.looks_back and described else shown


def _described(column: Column, language: Language) -> str:
    description = column.description.in_language(language) if column.description else ""
    fits = description and len(description) <= LONGEST_DESCRIPTION and not set(description) & set(".:;")
    return f"{description} ({column.name})" if fits else column.name


def _shown(value: Scalar, language: Language, digits: int = AS_GIVEN) -> str:
    if isinstance(value, bool):
        return text(f"explain.value_{str(value).lower()}", language)
    return figure(value, language, digits) if isinstance(value, int | float) else str(value)


def _level(explanation: Explanation, value: float, language: Language) -> str:
    if explanation.quantity == "probability":
        return _percent(100 * value, language)
    shown = figure(value, language)
    return text("explain.with_unit", language, figure=shown, unit=explanation.unit) if explanation.unit else shown


def _percent(percent: float, language: Language) -> str:
    if percent > 99.99:
        return text("explain.percent_over", language, figure=figure(99.99, language, 4))
    if percent < 0.01:
        return text("explain.percent_under", language, figure=figure(0.01, language))
    return text("explain.percent", language, figure=figure(percent, language, 4 if percent > 99 else 3))


def _amount(explanation: Explanation, value: float, language: Language, dative: bool = False) -> str:
    if explanation.quantity != "probability":
        shown = figure(value, language, ROUGH)
        return text("explain.with_unit", language, figure=shown, unit=explanation.unit) if explanation.unit else shown
    shown = figure(round(100 * value, 3), language, ROUGH)
    key = "points_one" if shown == "1" else "points_dative" if dative else "points"
    return text(f"explain.{key}", language, **({} if shown == "1" else {"figure": shown}))


def _signed(explanation: Explanation, value: float, language: Language) -> str:
    return ("−" if value < 0 else "+") + _amount(explanation, abs(value), language)
