"""inventory.yaml: what was found, beside what people entered; the one is written anew on every run, the other is kept to the letter.

Each data set has a part ``by_hand`` that belongs to people and a part ``found`` that belongs to the program.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from data_contracts.inventory.found import ColumnFigures, DataSet, Inventory, Said
from flows.yaml_file import write_yaml, yaml_with_comments
from leitstand.errors import ProjectError
from leitstand.texts import Language, text

FILE = "inventory.yaml"
ENTRIES = ("owner", "note", "purpose", "retention", "source_system", "columns")
COLUMN_ENTRIES = ("unit", "note", "personal_data")
DECISIONS = ("none", "ordinary", "special", "criminal", "pseudonymous")


@dataclass(frozen=True)
class Entries:
    """What people entered.

    Parameters
    ----------
    sets : by name of the data set; each as it stands in the file, with its comments
    warnings : keys and values that nobody knows; they are kept and have no effect
    """

    sets: dict[str, CommentedMap]
    paths: dict[str, str]
    warnings: tuple[Said, ...]
    document: CommentedMap

    def of(self, name: str) -> Mapping[str, Any]:
        """Return the entries about a data set."""
        return self.sets.get(name) or {}

    def column(self, name: str, column: str) -> Mapping[str, Any]:
        """Return the entries about one of its columns."""
        columns = self.of(name).get("columns")
        entered = columns.get(column) if isinstance(columns, dict) else None
        return entered if isinstance(entered, dict) else {}


def read_entries(path: Path) -> Entries:
    """Return what people entered into the file; nothing where there is none yet.

    Raises
    ------
    ProjectError
        If it is no YAML, or has another shape than the program writes; it stays as it is then.
    """
    if not path.exists():
        return Entries({}, {}, (), CommentedMap())
    try:
        content = yaml_with_comments().load(path.read_text(encoding="utf-8")) or CommentedMap()
    except (YAMLError, UnicodeDecodeError) as error:
        raise ProjectError("errors.yaml_broken", path=path, detail=" ".join(str(error).split())) from error
    listed = content.get("datasets") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "name" in one for one in listed):
        raise ProjectError("inventory.file_shape", path=path)
    sets: dict[str, CommentedMap] = {}
    for one in listed:
        by_hand = one.get("by_hand")
        if by_hand is not None and not isinstance(by_hand, dict):
            raise ProjectError("inventory.file_shape", path=path)
        sets[str(one["name"])] = one
    warnings = tuple(_unknown(content, listed, path))
    return Entries(
        {name: one["by_hand"] for name, one in sets.items() if one.get("by_hand")},
        {name: str(one.get("path", "")) for name, one in sets.items()},
        warnings,
        content,
    )


def write_inventory(found: Inventory, entries: Entries, path: Path, language: Language) -> None:
    """Write the file whole or not at all: the findings anew, the entries as they were.

    A data set that is no longer found stays, marked as gone, where somebody entered something about it.
    """
    document = CommentedMap()
    document.yaml_set_start_comment(text("inventory.file_head", language))
    document.update({"made": found.made.isoformat(timespec="seconds"), "places": list(found.places)})
    for key, value in entries.document.items():
        if key not in ("made", "places", "datasets", "joins", "other_files"):
            document[key] = value
    document["datasets"] = CommentedSeq(_items(found, entries))
    document["joins"] = [_join(one) for one in found.joins]
    document["other_files"] = _flow(found.other)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    write_yaml(document, fresh)
    fresh.replace(path)


def _items(found: Inventory, entries: Entries) -> Iterator[CommentedMap]:
    before = {str(one["name"]): one for one in entries.document.get("datasets") or ()}
    for one in found.sets:
        old = before.get(one.name) or CommentedMap()
        item = CommentedMap({"name": one.name, "path": one.path})
        item.update({key: value for key, value in old.items() if key not in ("name", "path", "by_hand", "found")})
        item["by_hand"] = old.get("by_hand") or CommentedMap({"owner": None, "note": None})
        item["found"] = _found(one)
        yield item
    names = {one.name for one in found.sets}
    for name, old in before.items():
        if name not in names and _entered(old):
            old["found"] = CommentedMap({"state": "gone"})
            yield old


def _entered(old: Mapping[str, Any]) -> bool:
    by_hand = old.get("by_hand") or {}
    return any(value not in (None, "", {}) for value in by_hand.values()) or bool(set(old) - {"name", "path", "by_hand", "found"})


def _found(one: DataSet) -> CommentedMap:
    made = CommentedMap({"format": one.format, "files": one.files})
    if one.problem is not None:
        made["error"] = str(one.problem)
        return made
    made.update({"rows": one.rows, "duplicates": one.duplicates, "keys": [_flow_list(key) for key in one.keys]})
    if one.figures_of is not None:
        made["figures_of_rows"] = one.figures_of
    if one.time is not None:
        made["time"] = _flow(
            {
                "column": one.time.column,
                "first": one.time.first.isoformat(sep=" ", timespec="seconds"),
                "last": one.time.last.isoformat(sep=" ", timespec="seconds"),
                "step_seconds": one.time.step_seconds,
                "gaps": one.time.gaps,
            }
        )
    made["targets"] = [_flow({"column": target.column, "task": target.task}) for target in one.targets]
    made["verdict"] = one.verdict.level if one.verdict else None
    made["columns"] = [_column(column) for column in one.columns]
    return made


def _column(column: ColumnFigures) -> CommentedMap:
    facts: dict[str, Any] = {"name": column.name, "type": column.type, "unit": column.unit, "missing": column.missing or None}
    facts |= {"invalid": column.invalid or None, "distinct": column.distinct, "constant": column.constant or None}
    facts |= {"min": _short(column.minimum), "max": _short(column.maximum), "outliers": column.outliers or None}
    if column.personal is not None:
        facts |= {"personal_data": column.personal.gdpr, "kind": column.personal.kind, "by": column.personal.by}
    if column.mentions:
        facts["mentions"] = _flow(dict(column.mentions))
    return _flow({key: value for key, value in facts.items() if value is not None})


def _short(value: float | str | None) -> float | str | None:
    """Return a number with seven digits, which is what people read and single precision holds; whole ones without a point."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else float(f"{value:.7g}")


def _join(join: Any) -> CommentedMap:
    return _flow(
        {
            "left": f"{join.left}.{join.left_column}",
            "right": f"{join.right}.{join.right_column}",
            "overlap": join.overlap,
            "declared": join.declared,
        }
    )


def _flow(values: Mapping[str, Any]) -> CommentedMap:
    made = CommentedMap(values)
    made.fa.set_flow_style()
    return made


def _flow_list(values: Sequence[str]) -> CommentedSeq:
    made = CommentedSeq(values)
    made.fa.set_flow_style()
    return made


def _unknown(content: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], path: Path) -> Iterator[Said]:
    """Yield a warning for each key and decision that nobody knows."""
    yield from _strange(content, ("made", "places", "datasets", "joins", "other_files"), FILE, path)
    for one in listed:
        name = str(one["name"])
        yield from _strange(one, ("name", "path", "by_hand", "found"), name, path)
        by_hand = one.get("by_hand") or {}
        yield from _strange(by_hand, ENTRIES, name, path)
        columns = by_hand.get("columns") or {}
        if not isinstance(columns, dict):
            yield Said("inventory.entry_columns", {"path": path, "dataset": name})
            continue
        for column, entered in columns.items():
            if not isinstance(entered, dict):
                yield Said("inventory.entry_columns", {"path": path, "dataset": name})
                continue
            yield from _strange(entered, COLUMN_ENTRIES, f"{name}.{column}", path)
            decision = entered.get("personal_data")
            if decision is not None and decision not in DECISIONS:
                yield Said(
                    "inventory.entry_decision",
                    {"path": path, "place": f"{name}.{column}", "found": decision, "known": ", ".join(DECISIONS)},
                )


def _strange(entered: Mapping[str, Any], known: Sequence[str], place: str, path: Path) -> Iterator[Said]:
    for key in entered:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            meant = close[0] if close else ", ".join(known)
            yield Said("inventory.entry_unknown", {"path": path, "place": place, "key": key, "meant": meant})
