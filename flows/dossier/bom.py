"""The bill of materials of the serving package in CycloneDX 1.6: every library in its version, and the model itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from leitstand.roadmap import Record
from serving.packaging.requirements import Pin, pins
from serving.packaging.sources import sources

if TYPE_CHECKING:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

UNKNOWN = ""
OF_LICENCE = "License :: "


@dataclass(frozen=True)
class Part:
    """One library.

    Parameters
    ----------
    licence : as its own metadata tell it; empty where they do not
    hashed : whether installing it is checked against a hash
    """

    pin: Pin
    licence: str
    hashed: bool


@dataclass(frozen=True)
class Bom:
    """The parts of a package, and the CycloneDX document."""

    parts: tuple[Part, ...]
    document: str

    @property
    def unlicensed(self) -> tuple[str, ...]:
        """Names of the parts whose metadata tell no licence."""
        return tuple(part.pin.name for part in self.parts if not part.licence)


def serving_bom(project: str, folder: Path, pilot: Record | None) -> Bom:
    """Return the bill of materials of the package that ``leitstand package`` would make now, without rows to compare with.

    Raises
    ------
    ProjectError
        If model.py imports what is not installed, or a training tool.
    """
    code = folder / "model.py"
    found = pins(sources([code] if code.is_file() else []).imports, explaining=False)
    parts = tuple(Part(pin, licence(metadata(pin.name)), bool(pin.hashes)) for pin in found)
    return Bom(parts, _document(project, parts, pilot))


def licence(told: PackageMetadata) -> str:
    """Return the licence in a line: the SPDX expression, else the classifiers, else the first line of what is told."""
    (expression,) = told.get_all("License-Expression") or [UNKNOWN]
    if expression:
        return str(expression)
    named = {value.rpartition(" :: ")[2] for value in told.get_all("Classifier") or [] if value.startswith(OF_LICENCE)}
    if named - {"OSI Approved"}:  # alone it names no licence
        return "; ".join(sorted(named - {"OSI Approved"}))
    free = str((told.get_all("License") or [UNKNOWN])[0]).strip()
    return free.splitlines()[0][:60] if free else UNKNOWN


def _document(project: str, parts: Sequence[Part], pilot: Record | None) -> str:
    from cyclonedx.model.bom import Bom as Made
    from cyclonedx.model.bom import BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    version = str(pilot.model_version) if pilot and pilot.model_version is not None else None
    package = Component(name=project, version=version, type=ComponentType.APPLICATION, bom_ref=project)
    libraries = [
        Component(
            name=part.pin.name,
            version=part.pin.version,
            bom_ref=part.pin.line,
            purl=PackageURL("pypi", name=part.pin.name, version=part.pin.version),
            licenses=_licences(part.licence),
            properties=_hashes(part.pin),
        )
        for part in parts
    ]
    models = [_model(project, pilot)] if pilot is not None else []
    made = Made(components=[*libraries, *models])
    sha256 = (pilot.details.get("model") or {}).get("sha256", "") if pilot else ""
    name = "|".join([project, version or "", sha256, *(part.pin.line for part in parts)])
    made.serial_number = uuid5(NAMESPACE_URL, name)  # equal content, equal number
    made.metadata = BomMetaData(component=package, timestamp=pilot.time if pilot else None)
    made.register_dependency(package, [*libraries, *models])
    return str(JsonV1Dot6(made).output_as_string(indent=2))


def _model(project: str, pilot: Record) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType

    told = pilot.details.get("model") or {}
    properties = [
        Property(name="leitstand:data_version", value=pilot.data_version),
        Property(name="leitstand:run_id", value=pilot.run_id),
    ]
    return Component(
        name=f"{project}-model",
        version=str(pilot.model_version),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"{project}-model",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=told["sha256"])] if told.get("sha256") else [],
        properties=properties,
    )


def _licences(told: str) -> "list[License]":
    from cyclonedx.contrib.license.factories import LicenseFactory

    return [LicenseFactory().make_from_string(told)] if told else []


def _hashes(pin: Pin) -> "list[Property]":
    from cyclonedx.model import Property

    return [Property(name="leitstand:file-hash", value=value) for value in pin.hashes]
