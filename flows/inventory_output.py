"""What an inventory leaves behind: inventory.yaml, the report, and a proposed contract for each data set."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_contracts.inventory.found import DataSet, Inventory, Said
from data_contracts.odcs import write_contract
from flows.inventory_file import FILE, Entries, read_entries, write_inventory
from flows.inventory_page import write_page
from flows.use_cases import UseCase
from leitstand.contract import Column, Contract
from leitstand.errors import LeitstandError
from leitstand.texts import Language

REPORT, CONTRACTS = "inventory.html", "contracts"


@dataclass(frozen=True)
class Written:
    """Where it stands.

    Parameters
    ----------
    contracts : by name of the data set
    warnings : of what people entered and nobody knows
    """

    inventory: Path
    report: Path
    contracts: dict[str, Path]
    warnings: tuple[Said, ...]


def write_all(found: Inventory, cases: Sequence[UseCase], folder: Path, language: Language) -> Written:
    """Write everything; what people entered into inventory.yaml stays, and is part of report and contracts.

    Raises
    ------
    ProjectError
        If there is an inventory.yaml that cannot be read; nothing is written then.
    """
    entries = read_entries(folder / FILE)
    write_inventory(found, entries, folder / FILE, language)
    write_page(found, entries, cases, folder / REPORT, language)
    contracts: dict[str, Path] = {}
    for one in found.sets:
        if one.contract is not None:
            path = folder / CONTRACTS / f"{_slug(one.name)}.odcs.yaml"
            if path in contracts.values():
                path = path.with_name(f"{_slug(one.name)}_{len(contracts)}.odcs.yaml")
            try:
                write_contract(_with_entries(one.contract, one, entries), path)
            except LeitstandError:  # a column name that no contract can hold; the figures stand in the report all the same
                continue
            contracts[one.name] = path
    return Written(folder / FILE, folder / REPORT, contracts, entries.warnings)


def _slug(name: str) -> str:
    return re.sub(r"[^\w]+", "_", name.casefold()).strip("_")[:80] or "data"


def _with_entries(contract: Contract, one: DataSet, entries: Entries) -> Contract:
    """Return the proposal with what people decided about units and personal data; what they decided is no guess any more."""
    columns = tuple(_decided(column, entries.column(one.name, column.name), one) for column in contract.columns)
    return contract.model_copy(update={"columns": columns})


def _decided(column: Column, entered: Mapping[str, object], one: DataSet) -> Column:
    found = one.column(column.name)
    changes: dict[str, object] = {}
    if found is not None and found.personal is not None:
        changes["personal_data"] = found.personal.contract_class
    decision = entered.get("personal_data")
    if decision in ("none", "ordinary", "special", "criminal", "pseudonymous"):
        changes["personal_data"] = {"none": "none", "special": "special", "criminal": "special"}.get(str(decision), "personal")
    if entered.get("unit") and column.is_number:
        changes["unit"] = str(entered["unit"])
    settled = {name for name, key in (("unit", "unit"), ("personal_data", "personal_data")) if entered.get(key)}
    guesses = [name for name in column.guesses if name not in settled]
    if "personal_data" in changes and decision is None and "personal_data" not in guesses:
        guesses.append("personal_data")
    return column.model_copy(update=changes | {"guesses": tuple(guesses)})
