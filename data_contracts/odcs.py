"""Contracts as files: Open Data Contract Standard 3.1 in YAML (https://bitol-io.github.io/open-data-contract-standard/v3.1.0/).

Where the standard has a field we use it: ``logicalType`` and its options for types, ranges and patterns, the quality metric
``invalidValues`` for allowed values, ``classification`` for personal data, ``slaProperties`` for freshness. What it has no field for
stands in ``customProperties``. A rule that we do not check is an error when read, never silently ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import BaseModel, ValidationError

from data_contracts.odcs_text import contract_text, write_atomically
from leitstand.contract import Bilingual, Column, ColumnType, Contract
from leitstand.errors import ProjectError, UnknownName
from leitstand.spec import describe, read_yaml

TYPES: tuple[ColumnType, ...] = ("integer", "number", "string", "boolean", "date", "timestamp")
NUMBERS = ("integer", "number")
HOURS = {"m": 1 / 60, "min": 1 / 60, "h": 1, "hour": 1, "hours": 1, "d": 24, "day": 24, "days": 24}
OPTIONS = {"minimum": NUMBERS, "maximum": NUMBERS, "pattern": ("string",), "maxLength": ("string",)}
COLUMN_PROPERTIES = ("unit", "descriptionDe", "mediaType", "maxBytes", "decimal", "pseudonymise", "guesses")
CONTRACT_PROPERTIES = ("onBroken", "maxQuarantineShare", "extraColumns", "timeColumn")


def find_contract(file_name: str, roots: Sequence[Path]) -> Path:
    """Return the path of the contract ``file_name`` below the first of ``roots`` that has it.

    Raises
    ------
    ProjectError
        If none has it, or the name points out of its folder.
    """
    if Path(file_name).name != file_name:
        raise ProjectError("contracts.name_illegal", name=file_name)
    candidates = [root / "data_contracts" / file_name for root in roots]
    for path in candidates:
        if path.is_file():
            return path
    raise ProjectError("contracts.not_found", name=file_name, places=", ".join(str(path.parent) for path in candidates))


def read_contract(path: Path) -> Contract:
    """Return the contract in an ODCS file.

    Raises
    ------
    ProjectError
        If the file is missing, is no YAML, is no ODCS contract of one table, or holds a rule or a key that we do not know.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ProjectError("contracts.not_a_contract", path=path)
    try:
        _refuse_unknown_keys(content)
        return _contract(OpenDataContractStandard.model_validate(content))
    except ValidationError as error:
        raise ProjectError("contracts.invalid", path=path, problems=describe(error)) from error
    except _Problem as problem:
        raise ProjectError("contracts.invalid", path=path, problems=str(problem)) from problem


def write_contract(contract: Contract, path: Path) -> None:
    """Write the contract as an ODCS file that a person can read and edit; whole or not at all.

    Raises
    ------
    ProjectError
        If a column has a rule that its type cannot have, such as a pattern on a number, or freshness has no time to be read from.
    """
    for column in contract.columns:
        for name, types in (
            ("minimum", NUMBERS),
            ("maximum", NUMBERS),
            ("pattern", OPTIONS["pattern"]),
            ("max_length", OPTIONS["maxLength"]),
        ):
            if getattr(column, name) is not None and column.type not in types:
                raise ProjectError("contracts.rule_does_not_fit", column=column.name, rule=name, type=column.type)
    if _freshness_cannot_be_judged(contract):
        time = "–" if contract.time_column is None else contract.column(contract.time_column).type
        raise ProjectError("contracts.rule_does_not_fit", column=contract.time_column or "–", rule="freshness", type=time)
    write_atomically(contract_text(contract), path)


class _Problem(Exception):
    """What is wrong in the file, in one sentence with its place."""


def _contract(document: OpenDataContractStandard) -> Contract:
    tables = document.schema_ or []
    if len(tables) != 1 or not tables[0].properties:
        raise _Problem(f"schema: expected exactly one table with properties, found {len(tables)} tables")
    table = tables[0]
    if any(rule.type != "text" for rule in table.quality or []):
        raise _Problem(f"schema.{table.name}.quality: rules about the whole table are not checked by Leitstand")
    custom = _custom(document, CONTRACT_PROPERTIES, "customProperties")
    given = {
        "id": document.id,
        "version": document.version,
        "table": table.name,
        "columns": tuple(_column(item, i) for i, item in enumerate(table.properties or [])),
        "freshness_hours": _freshness(document),
        "time_column": custom.get("timeColumn"),
        "on_broken": custom.get("onBroken"),
        "max_quarantine_share": custom.get("maxQuarantineShare"),
        "extra_columns": custom.get("extraColumns"),
    }
    contract = Contract.model_validate({key: value for key, value in given.items() if value is not None})
    if _freshness_cannot_be_judged(contract):
        raise _Problem("slaProperties.freshness: needs a timeColumn of type date or timestamp")
    return contract


def _freshness_cannot_be_judged(contract: Contract) -> bool:
    times = [column.name for column in contract.columns if column.is_time]
    return contract.freshness_hours is not None and contract.time_column not in times


def _freshness(document: OpenDataContractStandard) -> float | None:
    for item in document.slaProperties or []:
        if item.property == "freshness":
            if item.unit not in HOURS or isinstance(item.value, str | bool) or item.value is None:
                raise _Problem(f"slaProperties.freshness: expected a number with unit h or d, found {item.value!r} {item.unit!r}")
            return item.value * HOURS[item.unit]
    return None


def _column(item: SchemaProperty, position: int) -> Column:
    place = f"schema.properties.{item.name or position}"
    if item.logicalType not in TYPES:
        raise _Problem(f"{place}: logicalType {item.logicalType!r} is none of {', '.join(TYPES)}")
    kind = "file" if item.physicalType == "file" and item.logicalType == "string" else item.logicalType
    custom = _custom(item, COLUMN_PROPERTIES, place)
    options = _options(item, kind, place)
    given = {
        "name": item.name,
        "type": kind,
        "unit": custom.get("unit"),
        "description": _description(item.description, custom.get("descriptionDe")),
        "required": item.required,
        "unique": item.unique,
        "primary_key_position": (item.primaryKeyPosition or 1) if item.primaryKey else None,
        "minimum": options.get("minimum"),
        "maximum": options.get("maximum"),
        "allowed": _allowed(item, place),
        "pattern": options.get("pattern"),
        "max_length": options.get("maxLength"),
        "media_type": custom.get("mediaType"),
        "max_bytes": custom.get("maxBytes"),
        "decimal": custom.get("decimal"),
        "personal_data": item.classification if item.classification in ("personal", "special") else None,
        "pseudonymise": custom.get("pseudonymise"),
        "guesses": custom.get("guesses"),
    }
    try:
        return Column.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise _Problem(f"{place}: {describe(error)}") from error


def _description(english: str | None, german: str | None) -> Bilingual | None:
    if english is None and german is None:
        return None
    return Bilingual(en=english if english is not None else german or "", de=german if german is not None else english or "")


def _options(item: SchemaProperty, kind: str, place: str) -> Mapping[str, Any]:
    options = item.logicalTypeOptions or {}
    for name in options:
        if name not in OPTIONS:
            raise _Problem(f"{place}.logicalTypeOptions: {name!r} is not checked by Leitstand; known are {', '.join(OPTIONS)}")
        if kind not in OPTIONS[name]:
            raise _Problem(f"{place}.logicalTypeOptions: {name!r} does not fit the type {kind}")
    return options


def _allowed(item: SchemaProperty, place: str) -> tuple[Any, ...]:
    allowed = tuple(entry.value for entry in item.enum or ())  # ODCS 3.2; 3.1 says the same with a quality metric
    for rule in item.quality or []:
        if rule.type == "text":
            continue
        values = (rule.arguments or {}).get("validValues")
        if rule.metric != "invalidValues" or not isinstance(values, list) or rule.mustBe != 0:
            raise _Problem(
                f"{place}.quality: only the metric invalidValues with validValues and mustBe: 0 is checked by Leitstand"
            )
        allowed = tuple(values)
    return allowed


def _custom(item: OpenDataContractStandard | SchemaProperty, known: Sequence[str], place: str) -> dict[str, Any]:
    found = {entry.property or "": entry.value for entry in item.customProperties or []}
    for name in found:
        if name not in known:
            raise _Problem(f"{place}: {UnknownName('property', name, known)}")
    return found


def _refuse_unknown_keys(content: Mapping[str, Any]) -> None:
    """Say which key is misspelt: the standard's package closes only the outermost level."""
    for value, model, place in _levels(content):
        known = [field.alias or name for name, field in model.model_fields.items()]
        for key in value:
            if key not in known:
                raise _Problem(f"{place}: {UnknownName('property', str(key), known)}")


def _levels(content: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], type[BaseModel], str]]:
    yield content, OpenDataContractStandard, "document"
    for table in _mappings(content.get("schema")):
        yield table, SchemaObject, "schema"
        for item in _mappings(table.get("properties")):
            yield item, SchemaProperty, f"schema.properties.{item.get('name', '?')}"


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
