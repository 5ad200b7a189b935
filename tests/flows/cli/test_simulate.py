"""How a time-lapse looks on the terminal."""

import pytest

from flows.cli.app import call
from flows.cli.simulate import FIGURES, _show
from flows.simulation.figures import PolicyFigures, TimeLapse
from leitstand.figures import whole
from leitstand.texts import Language, text


@pytest.fixture
def found() -> TimeLapse:
    one = PolicyFigures(
        cost_eur=6071.6,
        trainings=12,
        detection_delay_periods=3,
        false_alarms=None,
        rollbacks=1,
        failed_requests=0,
        promotions=2,
        errors=(0.5,),
        events=(),
        seconds=123.45,
    )
    policies = {"never": one, "always": one.model_copy(update={"cost_eur": 1234567.0}), "leitstand": one, "oracle": one}
    content = {"seed": 0, "periods": 1, "moved": None, "changes": (0,), "cost_assumed": False, "synthetic": True, "regret": 0.1}
    return TimeLapse(project="parts", stream="sudden_shift", policies=policies, picture="x.png", seconds=1.0, **content)


@pytest.mark.parametrize(
    ("language", "figures"), [("de", ("6.072", "1.234.567", "123,5")), ("en", ("6,072", "1,234,567", "123.5"))]
)
def test_figures_stand_in_the_language_and_no_word_is_cut_in_eighty_columns(
    language: Language,
    figures: tuple[str, ...],
    found: TimeLapse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(call, "language", language)
    _show(found)
    told = capsys.readouterr().err
    words = told.split()
    assert set(figures) <= set(words)
    for key in (*(f"column_{name}" for name in FIGURES), *(f"policy_{name}" for name in found.policies)):
        assert set(text(f"simulation.{key}", language).split()) <= set(words), key


def test_a_whole_number_sets_its_thousands_apart_as_the_language_does() -> None:
    assert (whole(-1234567.4, "de"), whole(-1234567.4, "en"), whole(999, "de")) == ("−1.234.567", "−1,234,567", "999")
