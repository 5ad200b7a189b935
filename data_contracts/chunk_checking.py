"""May these rows come in? The same question as in ``checking``, asked of a table in chunks, with one verdict on the whole.

Rows that certainly keep the contract (``quick_check``) are let in at once; the others go through ``checking.check``. Keys are looked at over the
whole table, freshness and the share of bad rows too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.broken import MOST_EXAMPLES, BrokenRule, Rule, reason
from data_contracts.chunks import Chunk
from data_contracts.comparing import REASON, ROW, compare_columns
from data_contracts.duplicates import Duplicates, Key, keys
from data_contracts.quick_check import beyond_integers, quick_check, to_table
from data_contracts.result import stop_if_broken
from leitstand.contract import Contract
from leitstand.now import now as current_time
from leitstand.texts import Language


@dataclass
class Tally:
    """What was found until now; can be kept as JSON and taken up again.

    Parameters
    ----------
    broken : how many rows break a rule and up to five examples, by column, rule and what it expects
    newest : of the time column, ISO 8601 in UTC
    """

    rows: int = 0
    bad: int = 0
    broken: dict[tuple[str, str, str], tuple[int, list[str]]] = field(default_factory=dict)
    newest: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the tally in types that JSON has."""
        broken = [[*rule, count, examples] for rule, (count, examples) in self.broken.items()]
        return {"rows": self.rows, "bad": self.bad, "broken": broken, "newest": self.newest}

    @classmethod
    def of_json(cls, made: Mapping[str, Any]) -> "Tally":
        """Return the tally that ``as_json`` gave."""
        broken = {(column, rule, expected): (count, examples) for column, rule, expected, count, examples in made["broken"]}
        return cls(made["rows"], made["bad"], broken, made["newest"])

    def note(self, column: str, rule: str, expected: str, rows: int, examples: tuple[str, ...]) -> None:
        """Add rows that break a rule."""
        count, told = self.broken.get((column, rule, expected), (0, []))
        told = [*told, *(example for example in examples if example not in told)][:MOST_EXAMPLES]
        self.broken[column, rule, expected] = (count + rows, told)

    def rules(self) -> list[BrokenRule]:
        """Return the broken rules, the most frequent first."""
        made = [
            BrokenRule(column, cast(Rule, rule), count, self.rows, expected, tuple(examples))
            for (column, rule, expected), (count, examples) in self.broken.items()
        ]
        return sorted(made, key=lambda rule: -rule.rows)


@dataclass(frozen=True)
class Checked:
    """A chunk after the check.

    Parameters
    ----------
    table : pa.Table, the rows let in: the columns that were asked for, those of the contract in its types
    rows : shape (n,), int: their 1-based numbers in the source
    bad : the rows kept out as they came, with ``_row`` and ``_reason``; empty if all are good
    """

    table: Any
    rows: np.ndarray
    bad: pd.DataFrame


class ChunkChecker:
    """Checks chunk after chunk of one table.

    Parameters
    ----------
    contract : of the rows that come in
    names : the columns that the source has
    others : columns that may stand beside the contract's, such as the target; they are let in as they came
    duplicates : of the whole table
    tally : of chunks that were checked before

    Raises
    ------
    ContractBroken
        If a column is missing, or unknown to a contract that does not ignore such.
    """

    def __init__(
        self,
        contract: Contract,
        names: list[str],
        *,
        others: list[str],
        duplicates: Duplicates,
        language: Language = "en",
        tally: Tally | None = None,
    ) -> None:
        compare_columns(names, contract, others)
        self._contract, self._others, self._language = contract, others, language
        self._single = _of_single_rows(contract)
        self._duplicates = duplicates
        self.names = [name for name in names if name in {*contract.names, *others}]
        self.tally = tally or Tally()

    def check(self, chunk: Chunk) -> Checked:
        """Return which rows of the chunk may come in, and count it into the tally.

        Raises
        ------
        ContractBroken
            If a rule is broken and the contract says stop.
        """
        compare_columns(chunk.table.column_names, self._contract, self._others)
        quick = quick_check(chunk.table, self._single, chunk.decimals, chunk.slashes)
        twice = self._duplicates.rows(chunk)
        clean = quick.clean & ~np.logical_or.reduce([np.zeros(len(quick.clean), dtype=bool), *twice.values()])
        self._note_newest(quick.table)
        self.tally.rows += chunk.table.num_rows
        columns = {name: chunk.table.column(name) for name in self.names} | {
            name: quick.table.column(name) for name in self._single.names
        }
        whole = pa.table({name: columns[name] for name in self.names})
        rows = np.arange(chunk.first_row + 1, chunk.first_row + 1 + len(clean))
        if clean.all():
            return Checked(whole, rows, pd.DataFrame())
        return self._doubtful(chunk, whole, rows, np.flatnonzero(~clean), twice)

    def judge(self, most_rows: int | None, now: datetime | None = None) -> None:
        """Stop the run if the contract says so.

        Parameters
        ----------
        most_rows : how many rows there are in the end, at most; None when all were checked, and freshness is judged too

        Raises
        ------
        ContractBroken
            As ``CheckResult.raise_if_stopped`` does.
        """
        tally, stale = self.tally, [] if most_rows is not None else self._stale(now or current_time())
        stop_if_broken(
            self._contract, [*stale, *tally.rules()], bad=tally.bad, rows=tally.rows, language=self._language, most=most_rows
        )

    def _doubtful(
        self, chunk: Chunk, whole: Any, rows: np.ndarray, doubtful: np.ndarray, twice: Mapping[Key, np.ndarray]
    ) -> Checked:
        """Let the judge of last resort see the rows that are not certainly clean."""
        from data_contracts.checking import check  # loads Great Expectations, two seconds that most files do not need

        raw = chunk.doubtful(doubtful)
        result = check(
            raw[[name for name in raw.columns if name in self.names]], self._single, others=self._others, language=self._language
        )
        reasons = np.full(len(doubtful), "", dtype=object)
        reasons[result.quarantined[ROW].to_numpy() - 1] = result.quarantined[REASON]
        accepted = np.flatnonzero(reasons == "")
        for rule in result.broken:
            self.tally.note(rule.column, rule.rule, rule.expected, rule.rows, rule.examples)
        for name, beyond in beyond_integers(result.accepted, self._single).items():
            self._note_more(accepted[beyond], "type", (name,), "integer", raw, reasons)
        for key, mask in twice.items():
            self._note_more(np.flatnonzero(mask[doubtful]), keys(self._contract)[key], key, "", raw, reasons)
        bad = raw.assign(**{ROW: rows[doubtful], REASON: reasons})[reasons != ""]
        self.tally.bad += len(bad)
        typed = to_table(result.accepted, self._single).filter(pa.array(reasons[accepted] == ""))
        merged = _replaced(whole, typed, doubtful, np.flatnonzero(reasons == ""))
        kept = np.ones(len(rows), dtype=bool)
        kept[doubtful[reasons != ""]] = False
        order = [ROW, REASON, *(name for name in raw.columns if name not in (ROW, REASON))]
        return Checked(merged.filter(pa.array(kept)), rows[kept], bad[order])

    def _note_more(
        self, rows: np.ndarray, rule: Rule, names: tuple[str, ...], expected: str, raw: pd.DataFrame, reasons: np.ndarray
    ) -> None:
        """Add what the check of single rows does not see to the reasons and the tally."""
        what = f"{', '.join(names)}: {reason(rule, expected, self._language)}"
        reasons[rows] = [f"{before}; {what}" if before else what for before in reasons[rows]]
        examples = raw[list(names)].iloc[rows[:1000]].drop_duplicates()[:MOST_EXAMPLES]
        told = tuple(" / ".join(map(str, values)) for values in examples.itertuples(index=False))
        self.tally.note(", ".join(names), rule, expected, len(rows), told)

    def _note_newest(self, table: Any) -> None:
        name = self._contract.time_column
        if self._contract.freshness_hours is None or name is None or not _is_time(table.column(name).type):
            return
        newest = pc.max(table.column(name).cast(pa.timestamp("us"), safe=False)).as_py()
        if newest is not None and (self.tally.newest is None or newest.isoformat() > self.tally.newest):
            self.tally.newest = newest.isoformat()

    def _stale(self, now: datetime) -> list[BrokenRule]:
        hours, newest = self._contract.freshness_hours, self.tally.newest
        if hours is None or newest is None:
            return []
        oldest = (now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now) - timedelta(hours=hours)
        if datetime.fromisoformat(newest) >= oldest:
            return []
        return [BrokenRule(str(self._contract.time_column), "freshness", 0, self.tally.rows, f"{hours:g}", (newest,))]


def _of_single_rows(contract: Contract) -> Contract:
    """Return the contract without the rules about several rows; columns of the key stay required."""
    columns = tuple(
        column.model_copy(
            update={
                "unique": False,
                "primary_key_position": None,
                "required": column.required or column.name in contract.primary_key,
            }
        )
        for column in contract.columns
    )
    return contract.model_copy(update={"columns": columns, "freshness_hours": None})


def _replaced(whole: Any, typed: Any, doubtful: np.ndarray, accepted: np.ndarray) -> Any:
    """Return the table with the values that the check accepted in their rows; ``accepted`` are positions among the doubtful rows."""
    if not len(accepted):
        return whole
    order = np.arange(whole.num_rows)
    order[doubtful[accepted]] = whole.num_rows + np.arange(len(accepted))
    columns = {}
    for name in whole.column_names:
        if name in typed.column_names:
            parts = [*whole.column(name).chunks, *typed.column(name).cast(whole.column(name).type).chunks]
            columns[name] = pa.chunked_array(parts, type=whole.column(name).type).take(pa.array(order))
        else:
            columns[name] = whole.column(name)
    return pa.table(columns)


def _is_time(kind: Any) -> Literal[True, False]:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
