import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.bootstrap import Estimate
from leitstand.needs_ai import needs_ai


@pytest.mark.parametrize(
    ("gain", "worth", "verdict"),
    [
        (Estimate(0.2, 0.1, 0.3), 0.0, "yes"),
        (Estimate(0.2, 0.1, 0.3), 0.1, "not_shown"),
        (Estimate(0.1, -0.1, 0.3), 0.0, "not_shown"),
        (Estimate(0.0, 0.0, 0.0), 0.0, "no"),
        (Estimate(-0.2, -0.3, -0.1), 0.0, "no"),
        (Estimate(0.2, 0.1, 0.3), 0.5, "no"),
        (Estimate(0.2, math.nan, math.nan), 0.0, "not_shown"),
    ],
)
def test_only_a_certain_gain_over_the_rule_needs_ai(gain: Estimate, worth: float, verdict: str) -> None:
    found = needs_ai(gain, worth)
    assert found.verdict == verdict
    assert found.gate.passed == (verdict == "yes")
    assert found.gate.threshold == worth


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted), st.floats(0, 1))
def test_a_rule_as_good_as_the_model_never_passes(figures: list[float], worth: float) -> None:
    low, value, high = figures
    assert needs_ai(Estimate(value, low, high), worth).gate.passed == (low > worth)
