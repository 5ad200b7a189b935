"""May these rows come in? The contract says so, row by row."""

from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from data_contracts.broken import MOST_EXAMPLES, Broken, BrokenRule, reason
from data_contracts.comparing import REASON, ROW, compare_columns
from data_contracts.expectations import run_expectations
from data_contracts.files import check_files
from data_contracts.parsing import parse
from data_contracts.result import CheckResult
from leitstand.conforming import settled
from leitstand.contract import Contract
from leitstand.now import now as current_time
from leitstand.texts import Language


def check(
    frame: pd.DataFrame,
    contract: Contract,
    *,
    others: Collection[str] = (),
    now: datetime | None = None,
    language: Language = "en",
) -> CheckResult:
    """Check every row against the contract.

    Parameters
    ----------
    frame : as read; texts are turned into the contract's types first, and what cannot be is a broken rule too
    others : columns that may stand beside the contract's and are left out, such as the target in rows that are to be predicted
    now : what freshness is measured against; UTC where it has no zone
    language : of the reasons beside quarantined rows

    Raises
    ------
    ContractBroken
        If a column of the contract is missing, and which column it may have become; or if the data have a column that the contract does
        not know, unless it says to ignore such.
    """
    extra = compare_columns([str(name) for name in frame.columns], contract, others)
    raw = frame.copy(deep=False)
    raw.index = pd.RangeIndex(len(raw))
    typed, broken = parse(raw, contract)
    unparsed = {
        name: np.concatenate([item.rows for item in broken if item.column == name]) for name in {item.column for item in broken}
    }
    found, expectations = run_expectations(typed, contract, now or current_time())
    broken += [item for item in (_without(item, unparsed) for item in found) if item is not None]
    files = [column for column in contract.columns if column.type == "file"]
    for column in files:
        broken += check_files(typed[column.name], column)
    broken.sort(key=lambda item: -len(item.rows))
    quarantined, good = _quarantine(raw, broken, language)
    return CheckResult(
        contract=contract,
        accepted=typed if good.all() else settled(typed[good].reset_index(drop=True), contract),
        quarantined=quarantined,
        broken=tuple(_told(item, raw, typed) for item in broken),
        rows=len(raw),
        expectations=expectations + len(contract.columns) + len(files),  # every column's type is a rule too
        extra=extra,
    )


def _without(item: Broken, unparsed: dict[str, np.ndarray]) -> Broken | None:
    """Return a 'required' without the rows whose value is only missing because it could not be parsed."""
    if item.rule != "required" or item.column not in unparsed:
        return item
    rows = np.setdiff1d(item.rows, unparsed[item.column])
    return Broken(item.column, item.rule, rows, item.expected) if len(rows) else None


def _quarantine(raw: pd.DataFrame, broken: Sequence[Broken], language: Language) -> tuple[pd.DataFrame, np.ndarray]:
    reasons = np.full(len(raw), "", dtype=object)
    for item in broken:
        what = f"{item.column}: {reason(item.rule, item.expected, language)}"
        reasons[item.rows] = [f"{before}; {what}" if before else what for before in reasons[item.rows]]
    good = reasons == ""
    kept = raw[~good].drop(columns=[ROW, REASON], errors="ignore")
    kept.insert(0, ROW, np.flatnonzero(~good) + 1)
    kept.insert(1, REASON, reasons[~good])
    return kept.reset_index(drop=True), good


def _told(item: Broken, raw: pd.DataFrame, typed: pd.DataFrame) -> BrokenRule:
    examples: tuple[str, ...]
    if item.rule == "freshness":
        examples = (str(typed[item.column].max()),)
    elif item.rule == "required":
        examples = tuple(f"#{row + 1}" for row in item.rows[:MOST_EXAMPLES])
    elif item.column in raw.columns:
        examples = tuple(str(value)[:80] for value in raw[item.column].iloc[item.rows[:1000]].drop_duplicates()[:MOST_EXAMPLES])
    else:
        keys = typed[item.column.split(", ")].iloc[item.rows[:1000]].drop_duplicates()[:MOST_EXAMPLES]
        examples = tuple(" / ".join(map(str, key)) for key in keys.itertuples(index=False))
    return BrokenRule(item.column, item.rule, len(item.rows), len(raw), item.expected, examples)
