"""What is noted beside a compiled model: its inputs, and how the comparison with the original ended."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from leitstand.contract import Scalar
from leitstand.texts import Language, text

DATE_PARTS = 4


class Input(BaseModel):
    """One column of the model's inputs.

    Parameters
    ----------
    values : of a text, those that the model knows
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "text", "date"]
    values: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many columns of the matrix it takes."""
        return DATE_PARTS if self.kind == "date" else 1


class Compilation(BaseModel):
    """How compiling a model ended.

    Parameters
    ----------
    model_sha256 : of the original, as the registry noted it
    onnx_sha256 : of the graph; empty where there is none
    used : whether the service may answer with it
    reason : it answers alike (``matches``) or not (``differs``), cannot be written as a graph (``unsupported``), there were no rows to
        compare (``unproven``)
    detail : what cannot be written as a graph
    rows : that were compared
    worst : the largest difference found. Of probabilities; of numbers by the larger of 1 and the number; of anomaly scores by the larger of
        score and threshold
    flipped : rows with another class, or on the other side of the threshold
    inputs : in the order of the model's features
    no_gaps : inputs, numbers and dates, without which the original refuses a row
    most : the largest number that the original takes; None for any
    output : what the graph answers with
    classes : in the order of the probabilities
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_sha256: str
    onnx_sha256: str = ""
    used: bool
    reason: Literal["matches", "differs", "unsupported", "unproven"]
    detail: str = ""
    rows: int = 0
    worst: float | None = None
    flipped: int = 0
    inputs: tuple[Input, ...] = ()
    no_gaps: tuple[str, ...] = ()
    most: float | None = None
    output: Literal["probabilities", "value", "score"] = "value"
    classes: tuple[Scalar, ...] = ()

    def say(self, language: Language) -> str:
        """Return in one sentence whether the compiled form is used, and why not."""
        worst = "–" if self.worst is None else f"{self.worst:.1g}"
        values = {"rows": self.rows, "worst": worst, "flipped": self.flipped, "detail": self.detail}
        return text(f"compiling.{self.reason}", language, **values)
