import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from leitstand.dependence import design_effect, longest_run

GENERATOR = np.random.default_rng(5)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_design_effect_is_that_of_a_process_with_known_memory(memory: float) -> None:
    values = lfilter([1.0], [1.0, -memory], GENERATOR.normal(size=20_000))
    assert design_effect(pd.Series(values)) == pytest.approx((1 + memory) / (1 - memory), rel=0.35)


def test_categories_that_come_in_blocks_count_less() -> None:
    blocks = pd.Series(np.repeat(GENERATOR.choice(["A", "B"], 200), 10))
    assert design_effect(blocks) == pytest.approx(10, rel=0.4)
    assert design_effect(blocks.sample(frac=1, random_state=0)) < 1.5


def test_what_never_changes_or_is_too_short_counts_in_full() -> None:
    assert design_effect(pd.Series([3.0] * 100)) == 1
    assert design_effect(pd.Series([1.0, 2.0])) == 1


def test_the_longest_run_passes_over_gaps() -> None:
    assert longest_run(pd.Series([1.0, 2.0, None, 2.0, 2.0, 1.0])) == 3
    assert longest_run(pd.Series([], dtype=float)) == 0
