"""What a contract check found, and keeping what it kept out. Free of Great Expectations, so that it can be read where that is not loaded."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_contracts.broken import MOST_EXAMPLES, BrokenRule
from data_contracts.odcs_text import write_atomically
from leitstand.contract import Contract
from leitstand.errors import ContractBroken
from leitstand.texts import Language, text


@dataclass(frozen=True)
class CheckResult:
    """What the contract lets in and what it keeps out.

    Parameters
    ----------
    accepted : the good rows, typed, in the contract's columns and order
    quarantined : the bad rows as they came, with ``_row`` (1-based number of the data row) and ``_reason`` (all reasons)
    broken : every broken rule, the most frequent first
    rows : how many rows were checked
    expectations : how many rules were checked
    extra : columns that the contract does not know and says to ignore; they are left out
    """

    contract: Contract
    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    broken: tuple[BrokenRule, ...]
    rows: int
    expectations: int
    extra: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no rule is broken."""
        return not self.broken

    def raise_if_stopped(self, language: Language = "en") -> None:
        """Stop the run if the contract says so.

        Raises
        ------
        ContractBroken
            If a rule is broken and the contract says stop, a rule of the whole table is broken, more rows are bad than the contract bears,
            or no row is left.
        """
        stop_if_broken(self.contract, self.broken, bad=len(self.quarantined), rows=self.rows, language=language)


def stop_if_broken(
    contract: Contract, broken: Sequence[BrokenRule], *, bad: int, rows: int, language: Language, most: int | None = None
) -> None:
    """Stop a run if the contract says so; see ``CheckResult.raise_if_stopped``.

    Parameters
    ----------
    bad, rows : how many rows are bad, of how many that were looked at
    most : how many rows there may be in the end, when not all were looked at yet; by default ``rows``
    """
    if not broken:
        return
    told = [rule.describe(language) for rule in broken[:MOST_EXAMPLES]]
    if len(broken) > MOST_EXAMPLES:
        told.append(text("contracts.more_rules", language, count=len(broken) - MOST_EXAMPLES))
    total = max(rows if most is None else most, 1)
    shown = {"contract": contract.id, "broken": " ".join(told)}
    if contract.on_broken == "stop" or any(rule.rows == 0 for rule in broken):
        raise ContractBroken("contracts.stopped", **shown)
    if bad / total > contract.max_quarantine_share or bad == total:
        limit = f"{contract.max_quarantine_share:.0%}"
        raise ContractBroken("contracts.too_many_bad_rows", **shown, bad=bad, rows=rows, limit=limit)


def save_quarantine(result: CheckResult, folder: Path) -> Path | None:
    """Write the bad rows as a CSV file that a person can mend, whole or not at all; the same rows give the same file.

    Returns
    -------
    the file, or None when no row is bad

    Raises
    ------
    OSError
        If the disk is full or read-only.
    """
    if result.quarantined.empty:
        return None
    content = result.quarantined.to_csv(index=False)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    path = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', result.contract.table)}-{digest}.csv"
    write_atomically("\ufeff" + content, path)  # Excel takes a CSV file for UTF-8 only with this mark
    return path
