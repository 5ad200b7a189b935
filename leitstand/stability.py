"""How much a model's answers change when its inputs are blurred a little: a sensor's last digit must not turn good into bad."""

import numpy as np
import pandas as pd

from leitstand.model import TrainedModel
from leitstand.prediction import Predictions

NOISE = 0.01  # standard deviations of each column: about what a second measurement of the same part differs by
MOST_ROWS = 1000
FEWEST_VALUES = 10  # a number column with fewer is a code or a count, of which a hundredth means nothing


def instability(model: TrainedModel, features: pd.DataFrame, seed: int = 0) -> float:
    """Return how much the answers change under small noise in the number columns; 0 where there are none.

    The flip probability of Hendrycks & Dietterich (2019), "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    section 3, with Gaussian noise; for numbers their mean change instead.

    Parameters
    ----------
    features : shape (n, …): model inputs; of many rows 1,000 evenly spread ones are taken

    Returns
    -------
    For classes and alarms the share that changed, 0 to 1; for numbers the mean change in standard deviations of the answers.
    """
    inputs = features[list(model.card.feature_names)].iloc[:: -(-len(features) // MOST_ROWS)]
    before, after = model.answer(inputs), model.answer(blurred(inputs, features, seed))
    return _change(before, after, model.card.task == "regression")


def blurred(inputs: pd.DataFrame, scale: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the inputs with noise in each number column of a standard deviation of 1 % of that in ``scale``."""
    generator = np.random.default_rng(seed)
    noisy = {
        name: inputs[name] + generator.normal(0, NOISE * float(scale[name].std()), len(inputs))
        for name in inputs.columns
        if pd.api.types.is_float_dtype(scale[name]) and scale[name].nunique() >= FEWEST_VALUES
    }
    return inputs.assign(**noisy)


def _change(before: Predictions, after: Predictions, numbers: bool) -> float:
    if not numbers:
        return float(np.mean(before.value != after.value))
    spread = float(np.std(before.value))
    return float(np.mean(np.abs(after.value - before.value))) / spread if spread > 0 else 0.0
