"""Whether a problem needs AI at all: a rule that is as good as the model is cheaper, and needs no training."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from leitstand.bootstrap import Estimate
from leitstand.gates import Gate, gate

Need = Literal["yes", "not_shown", "no"]


class NeedsAi(BaseModel):
    """The verdict and the gate behind it.

    Parameters
    ----------
    verdict : ``yes`` where the model is certainly better than the rule, ``no`` where it is certainly not, ``not_shown`` in between
    """

    model_config = ConfigDict(frozen=True)

    verdict: Need
    gate: Gate


def needs_ai(gain: Estimate, worth: float = 0.0) -> NeedsAi:
    """Return whether the model's gain over the project's rule shows that the problem needs AI.

    Parameters
    ----------
    gain : over today's rule on the same hold-out rows, positive where the model is better, with its 95 % interval
    worth : the gain that a model has to bring at least to be worth its maintenance, in the metric's unit; 0 or more
    """
    if math.isnan(gain.low) or math.isnan(gain.high):
        return NeedsAi(verdict="not_shown", gate=gate("needs_ai", None, worth, at_least=True))
    passed = gain.low > worth  # as good as the rule is not enough
    verdict: Need = "yes" if passed else "no" if gain.high <= worth else "not_shown"
    return NeedsAi(verdict=verdict, gate=Gate(name="needs_ai", value=gain.low, threshold=worth, at_least=True, passed=passed))
