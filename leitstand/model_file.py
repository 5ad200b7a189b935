"""Storing and loading models without executing anything that a file brings along.

A model is a folder of two files: ``model.skops`` (the estimator) and ``card.json``. Two checks stand before every load: the SHA-256 of both
files against the one the registry noted when the model was made, and the types in the skops file against ``TRUSTED_TYPES``. Pickle is never
read. skops alone is no boundary when the list of trusted types comes from the model itself (GHSA-w582-9x45-8mpx): ours is in this file.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from leitstand.errors import ModelError, TamperedModel
from leitstand.model import ModelCard, TrainedModel

MODEL_FILE, CARD_FILE = "model.skops", "card.json"

TRUSTED_TYPES: tuple[str, ...] = (
    "leitstand.estimators.DateParts",
    "leitstand.estimators.NearestNormal",
    "leitstand.estimators.PcaResidual",
    "leitstand.estimators.ShortText",
    "numpy.dtype",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.tree._tree.Tree",
)
"""Types that may stand in a model file besides those skops trusts by default.

To add one: it must hold data only (no code runs when it is built from its state), come from scikit-learn, numpy, scipy or this package, and get a
round-trip test in ``tests/leitstand/test_model_file.py``. Never add a name because a file asks for it.
"""


def save_model(model: TrainedModel, folder: Path) -> str:
    """Write the model into ``folder`` (made if missing) and return its SHA-256 in hex.

    Raises
    ------
    ModelError
        If the estimator holds a type that is not trusted, so that it could never be loaded again.
    """
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model.estimator, folder / MODEL_FILE)
    _refuse_untrusted(folder / MODEL_FILE, model.card.project)
    (folder / CARD_FILE).write_text(model.card.model_dump_json(indent=2), encoding="utf-8")
    return digest(folder)


def load_model(folder: Path, sha256: str) -> TrainedModel:
    """Return the model in ``folder`` if it is exactly the one with this hash.

    Raises
    ------
    TamperedModel
        If a file is missing or changed, or holds a type that is not trusted.
    """
    import skops.io  # brings scikit-learn along, which a service of compiled models does without

    card = load_card(folder, sha256)
    _refuse_untrusted(folder / MODEL_FILE, card.project)
    estimator: Any = skops.io.load(folder / MODEL_FILE, trusted=list(TRUSTED_TYPES))
    return TrainedModel(estimator, card)


def load_card(folder: Path, sha256: str) -> ModelCard:
    """Return the card of the model in ``folder`` if both are exactly those with this hash; the model itself is not loaded.

    Raises
    ------
    TamperedModel
        If a file is missing or changed.
    """
    found = digest(folder)
    if not hmac.compare_digest(found, sha256):
        raise TamperedModel("errors.model_hash", path=folder, expected=sha256[:12], found=found[:12])
    try:
        return ModelCard.model_validate_json((folder / CARD_FILE).read_text(encoding="utf-8"))
    except ValidationError as error:
        raise ModelError("errors.model_card", path=folder / CARD_FILE) from error


def digest(folder: Path) -> str:
    """Return the SHA-256 over both files of a stored model, in hex.

    Raises
    ------
    TamperedModel
        If a file is missing.
    """
    whole = hashlib.sha256()
    for name in (CARD_FILE, MODEL_FILE):
        try:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except FileNotFoundError as error:
            raise TamperedModel("errors.model_file_missing", path=folder / name) from error
    return whole.hexdigest()


def _refuse_untrusted(file: Path, project: str) -> None:
    import skops.io

    unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED_TYPES))
    if unknown:
        raise ModelError("errors.model_types", project=project, types=", ".join(unknown[:5]))
