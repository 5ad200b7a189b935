"""What MLflow shows of a model: an ``MLmodel`` file with flavor, signature and requirements, all told, nothing inferred.

The flavor is our own. MLflow's scikit-learn and pyfunc flavors are left out on purpose: their loaders trust what the model file says of
itself, and ours (``leitstand.model_file.load_model``) is the only way a model gets into a process.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from leitstand.contract import Contract
from leitstand.model import ModelCard
from leitstand.model_file import CARD_FILE, MODEL_FILE

FLAVOR = "leitstand"
_TYPES = {"string": "string", "file": "string", "date": "datetime", "timestamp": "datetime"}


def signature(inputs: Contract, card: ModelCard) -> Any:
    """Return the MLflow signature of a model that answers for rows of ``inputs``; all types as ``contract.conform`` settles them."""
    columns = [ColSpec(_TYPES.get(column.type, "double"), column.name, required=False) for column in inputs.columns]
    return ModelSignature(Schema(columns), Schema([ColSpec(kind, name) for name, kind in _answers(card)]))


def _answers(card: ModelCard) -> list[tuple[str, str]]:
    if card.task == "regression":
        bounds = [("lower", "double"), ("upper", "double")] if card.interval is not None else []
        return [("prediction", "double"), *bounds]
    if card.task == "anomaly":
        return [("prediction", "boolean"), ("score", "double")]
    kind = "string" if all(isinstance(value, str) for value in card.classes) else "double"
    return [("prediction", kind), *((f"probability_{value}", "double") for value in card.classes)]


def write_description(
    folder: Path, *, inputs: Contract, card: ModelCard, sha256: str, run_id: str, model_id: str, requirements: Sequence[str]
) -> None:
    """Write ``MLmodel`` and ``requirements.txt`` into ``folder``."""
    flavor = {"model": MODEL_FILE, "card": CARD_FILE, "sha256": sha256, "candidate": card.candidate, "task": card.task}
    model = Model(run_id=run_id, model_id=model_id, signature=signature(inputs, card), flavors={FLAVOR: flavor})
    model.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
