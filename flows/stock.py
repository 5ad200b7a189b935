"""What inventory.yaml says about the data of one project: evidence for its first milestone, and entries that only people can make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.inventory_file import ENTRIES, FILE
from infra.settings import Settings
from leitstand.errors import LeitstandError
from leitstand.spec import ProjectSpec, read_yaml

FOLDER = "inventory"  # in the workspace, where 'leitstand inventory' writes it


@dataclass(frozen=True)
class Stock:
    """One data set of the inventory that a project learns from.

    Parameters
    ----------
    verdict : as the inventory gave it; None where the set could not be read
    entered : what people entered: owner, note, purpose, retention, source_system
    """

    name: str
    rows: int | None
    verdict: str | None
    entered: dict[str, str]

    def plain(self) -> list[Any]:
        """Return what of it is evidence: when this changes, the inventory has changed for the project."""
        return [self.name, self.rows, self.verdict, self.entered]


def stock_of(spec: ProjectSpec, settings: Settings) -> tuple[Stock, ...]:
    """Return the data sets of the inventory that are sources of a project; empty without an inventory, or one that cannot be read."""
    try:
        content = read_yaml(settings.workspace / FOLDER / FILE)
    except LeitstandError:
        return ()
    listed = content.get("datasets") if isinstance(content, dict) else None
    places = set(_places(spec, settings))
    return tuple(_stock(one) for one in listed or () if isinstance(one, dict) and _place(one, settings) in places)


def _places(spec: ProjectSpec, settings: Settings) -> Iterator[Path]:
    for source in spec.data.sources.values():
        if source.sample is not None:
            yield (settings.root / "samples" / spec.project / source.sample).resolve()
        elif source.file is not None or source.folder is not None:
            yield (settings.workspace / (source.file or source.folder or "")).expanduser().resolve()


def _place(one: dict[str, Any], settings: Settings) -> Path:
    """Return the file or folder of a data set, less the sheet or table behind the sign."""
    return (settings.workspace / str(one.get("path", "")).partition("#")[0]).expanduser().resolve()


def _stock(one: dict[str, Any]) -> Stock:
    found, by_hand = one.get("found") or {}, one.get("by_hand") or {}
    entered = {name: str(by_hand[name]) for name in ENTRIES if name != "columns" and by_hand.get(name)}
    return Stock(str(one.get("name")), found.get("rows"), found.get("verdict"), entered)
