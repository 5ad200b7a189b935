"""The card of a model that was released: what the registry knows of it, without loading the model."""

from pydantic import ValidationError

from infra.releases import MODEL_FOLDER, Releases
from infra.settings import Settings
from leitstand.model import ModelCard
from leitstand.model_file import CARD_FILE


def released_card(settings: Settings, project: str, version: int) -> ModelCard | None:
    """Return the card of a version from its release; None where there is none on this machine, such as before a promotion."""
    releases = Releases(settings)
    try:
        file = releases.folder(project, version) / MODEL_FOLDER / CARD_FILE
        return ModelCard.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    finally:
        releases.close()
