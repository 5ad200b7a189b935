"""Are the columns of some data those of the contract?"""

import difflib
import re
from collections.abc import Collection, Sequence

from leitstand.contract import Contract
from leitstand.errors import ContractBroken

ROW, REASON = "_row", "_reason"
"""What stands beside quarantined rows: their number and what is wrong with them."""


def compare_columns(present: Sequence[str], contract: Contract, others: Collection[str]) -> tuple[str, ...]:
    """Return the columns to ignore, when those of the data are the contract's.

    Parameters
    ----------
    others : columns that may stand beside the contract's

    Raises
    ------
    ContractBroken
        If a column is missing, stands twice, or is unknown and the contract does not say to ignore such.
    """
    if twice := sorted({name for name in present if present.count(name) > 1}):
        raise ContractBroken("contracts.duplicate_columns", path=contract.id, names=", ".join(twice[:5]))
    missing = [name for name in contract.names if name not in present]
    known = {*contract.names, *others, ROW, REASON}  # the last two when somebody mended quarantined rows and hands them in again
    extra = [name for name in present if name not in known]
    if not missing and (not extra or contract.extra_columns == "ignore"):
        return tuple(extra)
    told = {"contract": contract.id, "extra": ", ".join(extra[:20]) or "–"}
    if not missing:
        raise ContractBroken("contracts.columns_extra", count=len(extra), **told)
    renamed = [f"{name} → {close}?" for name in missing if (close := _closest(name, extra))]
    key = "contracts.columns_renamed" if renamed else "contracts.columns_missing"
    raise ContractBroken(
        key,
        **told,
        count=len(missing),
        names=", ".join(missing[:20]),
        close=", ".join(renamed),
        present=", ".join(present[:40]),
    )


def _closest(name: str, candidates: Sequence[str]) -> str | None:
    plain = {_plain(candidate): candidate for candidate in candidates}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", re.sub(r"\[.*?\]|\(.*?\)", "", name)).casefold()
