"""What the evidence of a milestone rests on, as short hashes: when one of them changes, the evidence is stale."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from leitstand.contract import Contract
from leitstand.milestones import MilestoneId
from leitstand.spec import ProjectSpec

DIGITS = 16
SECTIONS: dict[str, tuple[str, ...]] = {
    "key_figure": ("key_figure",),
    "owner": ("owner",),
    "benefit": ("benefit",),
    "sourcing": ("sourcing",),
    "rules": ("task", "split", "training", "success", "gates", "parameters"),
    "operation": ("serving", "monitoring", "maintenance", "when_it_errs"),
}
RESTS_ON: dict[MilestoneId, tuple[str, ...]] = {
    "M1": ("data", "contract", "key_figure", "owner", "inventory"),
    "M2": ("benefit", "key_figure"),
    "M3": ("sourcing", "owner", "readiness"),
    "M4": ("data", "contract", "rules", "code", "pilot"),
    "M5": ("operation", "contract"),
}


def fingerprints(spec: ProjectSpec, contract: Contract, others: Mapping[str, str]) -> dict[str, str]:
    """Return one hash per thing that evidence may rest on.

    Parameters
    ----------
    others : hashes of what stands in files beside project.yaml, such as ``data``, ``code`` and ``readiness``; left out where there is no such file
    """
    found = {name: {key: getattr(spec, key) for key in keys} for name, keys in SECTIONS.items()}
    found["rules"]["data"] = spec.data.model_dump(
        mode="json", exclude_defaults=True, exclude={"sources"}
    )  # where they lie does not matter
    return {**{name: digest(section) for name, section in found.items()}, "contract": digest(contract), **others}


def rested_on(milestone: MilestoneId, found: Mapping[str, str]) -> dict[str, str]:
    """Return those hashes that the evidence of one milestone rests on."""
    return {name: found[name] for name in RESTS_ON[milestone] if name in found}


def changed(then: Mapping[str, str], now: Mapping[str, str], milestone: MilestoneId) -> tuple[str, ...]:
    """Return the names of what is not as it was, in the order of ``RESTS_ON``; what came or went since then has changed too."""
    return tuple(name for name in RESTS_ON[milestone] if then.get(name) != now.get(name))


def digest(content: Any) -> str:
    """Return a short hash of anything that JSON or pydantic knows.

    What has its default value is left out, so that a new key with a default makes no evidence stale.
    """
    text = json.dumps(_plain(content), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:DIGITS]


def _plain(content: Any) -> Any:
    if isinstance(content, BaseModel):
        return content.model_dump(mode="json", exclude_defaults=True)
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return content
