"""The text of a contract file: ordered and commented for the person who will edit it."""

import os
import tempfile
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from leitstand.contract import Column, Contract
from leitstand.texts import text


def contract_text(contract: Contract) -> str:
    """Return the ODCS YAML of the contract: columns in their order, and before each column a comment that names its guesses."""
    head = [f"# {line}" for language in ("en", "de") for line in text("contracts.file_head", language).splitlines()]
    columns = "".join(_item(column) for column in contract.columns)
    return (
        "\n".join(head)
        + "\n"
        + _dump(_document(contract))
        + f"schema:\n- name: {_scalar(contract.table)}\n  physicalType: table\n  properties:\n{columns}"
    )


def write_atomically(content: str, path: Path) -> None:
    """Write a text file whole or not at all: under a temporary name in the same folder, then renamed.

    Raises
    ------
    OSError
        If the disk is full or read-only; the old file is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _document(contract: Contract) -> dict[str, Any]:
    custom: dict[str, Any] = {
        "onBroken": contract.on_broken,
        "maxQuarantineShare": contract.max_quarantine_share,
        "extraColumns": contract.extra_columns,
    }
    if contract.time_column is not None:
        custom["timeColumn"] = contract.time_column
    document: dict[str, Any] = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": contract.id,
        "version": contract.version,
        "status": "active",
        "customProperties": _custom(custom),
    }
    if contract.freshness_hours is not None:
        element = {"element": contract.time_column} if contract.time_column is not None else {}
        document["slaProperties"] = [{"property": "freshness", "value": contract.freshness_hours, "unit": "h", **element}]
    return document


def _item(column: Column) -> str:
    content = _dump(_property(column))
    comment = f"# {text('contracts.file_guesses', 'en', names=', '.join(column.guesses))}\n" if column.guesses else ""
    return indent(comment, "  ") + "  - " + indent(content, "    ").removeprefix("    ")


def _property(column: Column) -> dict[str, Any]:
    options = {
        "minimum": _short(column.minimum),
        "maximum": _short(column.maximum),
        "pattern": column.pattern,
        "maxLength": column.max_length,
    }
    custom = {
        "unit": column.unit,
        "descriptionDe": column.description.de if column.description else None,
        "mediaType": column.media_type,
        "maxBytes": column.max_bytes,
        "decimal": column.decimal,
        "pseudonymise": column.pseudonymise,
        "guesses": list(column.guesses) or None,
    }
    valid = {"metric": "invalidValues", "arguments": {"validValues": list(column.allowed)}, "mustBe": 0}
    made = {
        "name": column.name,
        "description": column.description.en if column.description else None,
        "logicalType": "string" if column.type == "file" else column.type,
        "physicalType": "file" if column.type == "file" else None,
        "primaryKey": True if column.primary_key_position is not None else None,
        "primaryKeyPosition": column.primary_key_position,
        "required": column.required or None,
        "unique": column.unique or None,
        "logicalTypeOptions": {name: value for name, value in options.items() if value is not None} or None,
        "classification": column.personal_data if column.personal_data != "none" else None,
        "quality": [valid] if column.allowed else None,
        "customProperties": _custom({name: value for name, value in custom.items() if value is not None}) or None,
    }
    return {name: value for name, value in made.items() if value is not None}


def _custom(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in values.items()]


def _short(value: float | None) -> float | int | None:
    """Return 50.0 as 50, as a person would write it."""
    return int(value) if value is not None and value.is_integer() and abs(value) < 1e15 else value


class _Dumper(yaml.SafeDumper):
    """Writes texts with line breaks or invisible characters in double quotes, escaped, so that each stays on one line."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)


def _dump(value: Any) -> str:
    dumped: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return dumped


def _scalar(value: str) -> str:
    return _dump([value]).removeprefix("- ").rstrip("\n")
