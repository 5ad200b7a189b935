"""Is there enough data for a use case: which columns are there, how many labelled rows, how long a history, and what to start recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data_contracts.inventory.found import ColumnFigures, DataSet, Inventory, Said
from data_contracts.inventory.verdict import FEWEST_ROWS, ROWS_PER_COLUMN
from leitstand.contract import Bilingual, Column
from leitstand.project import Project

Answer = Literal["enough", "thin", "missing"]
FEWEST_PER_CLASS = 30
"""A fifth of them held out are six, of which one more right one is 17 points: below, no judgement of a class is worth its name."""
DAYS_OF_A_YEAR = 365
CSS: dict[Answer, str] = {"enough": "good", "thin": "thin", "missing": "unusable"}


@dataclass(frozen=True)
class UseCase:
    """What the inventory says to one project.

    Parameters
    ----------
    reasons : figures that speak for or against; ``missing`` : columns that were found nowhere; ``record`` : what to begin with
    """

    project: str
    title: Bilingual
    verdict: Answer
    reasons: tuple[Said, ...]
    missing: tuple[Said, ...]
    record: tuple[Said, ...]
    missing_columns: tuple[str, ...]

    @property
    def css(self) -> str:
        """The page's word for how good that is."""
        return CSS[self.verdict]

    def document(self, language: Any) -> dict[str, Any]:
        """Return it as JSON knows it, its sentences in one language."""
        return {
            "project": self.project,
            "verdict": self.verdict,
            "reasons": [one.render(language) for one in self.reasons],
            "missing_columns": list(self.missing_columns),
            "start_recording": [one.render(language) for one in self.record],
        }


def judge_use_case(project: Project, found: Inventory) -> UseCase:
    """Return whether the data sets that were found carry the project, by its contract and its task."""
    sets = [one for one in found.sets if one.problem is None]
    data, contract = project.spec.data, project.contract
    places = {column.name: _holders(sets, column.name) for column in contract.columns}
    lacking = [column for column in contract.columns if not places[column.name] and _matters(project, column)]
    missing = tuple(Said("inventory.case_column_missing", {"column": one.name}) for one in lacking)
    record = [_record(one) for one in lacking]
    if project.spec.key_figure.today is None:
        record.append(Said("inventory.case_record_key_figure", {"name": project.spec.key_figure.name.en}))
    reasons: list[tuple[bool, Said]] = []
    holders = places.get(data.target, [])
    if holders:
        reasons += _labels(project, holders)
        reasons += _history(project, sets, holders)
    verdict: Answer = "missing" if not holders else "thin" if lacking or not all(good for good, _ in reasons) else "enough"
    record += [said for good, said in _more(project, reasons)]
    return UseCase(
        project.name,
        project.spec.title,
        verdict,
        tuple(said for _, said in reasons),
        missing,
        tuple(record),
        tuple(one.name for one in lacking),
    )


def _matters(project: Project, column: Column) -> bool:
    return column.name == project.spec.data.target or column.name not in project.spec.data.drop


def _holders(sets: Sequence[DataSet], name: str) -> list[tuple[DataSet, ColumnFigures]]:
    """Return the data sets that have a column of the name, in any case of letters, the largest first."""
    held = [(one, column) for one in sets for column in one.columns if column.name.casefold() == name.casefold()]
    return sorted(held, key=lambda pair: -(pair[0].rows or 0))


def _labels(project: Project, holders: list[tuple[DataSet, ColumnFigures]]) -> list[tuple[bool, Said]]:
    one, target = holders[0]
    read, rows = one.figures_of or one.rows or 1, one.rows or 0
    labelled = round(rows * (read - target.missing) / read)
    features = max(len(project.contract.columns) - len(project.spec.not_learned & set(project.contract.names)), 1)
    needed = max(FEWEST_ROWS, ROWS_PER_COLUMN * features)
    key = "case_rows_enough" if labelled >= needed else "case_rows_few"
    made = [
        (
            labelled >= needed,
            Said(
                f"inventory.{key}",
                {"dataset": one.name, "rows": labelled, "target": target.name, "needed": needed, "columns": features},
            ),
        )
    ]
    if project.spec.task == "classification" and 1 < target.distinct <= len(target.histogram):
        smallest = round(min(target.histogram) * labelled / max(sum(target.histogram), 1))
        key = "case_class_enough" if smallest >= FEWEST_PER_CLASS else "case_class_few"
        made.append(
            (
                smallest >= FEWEST_PER_CLASS,
                Said(f"inventory.{key}", {"rows": smallest, "classes": target.distinct, "needed": FEWEST_PER_CLASS}),
            )
        )
    return made


def _history(project: Project, sets: Sequence[DataSet], holders: list[tuple[DataSet, ColumnFigures]]) -> list[tuple[bool, Said]]:
    timed = next((one.time for one, _ in holders if one.time is not None), None)
    if timed is None:
        asked = project.spec.data.time
        return [(False, Said("inventory.case_no_time", {"column": asked}))] if asked else []
    days = (timed.last - timed.first).total_seconds() / 86_400
    key = "case_history_year" if days >= DAYS_OF_A_YEAR else "case_history_short"
    # Short is said and not held against it: whether there are seasons, only people know.
    return [
        (
            True,
            Said(
                f"inventory.{key}",
                {"days": round(days), "first": f"{timed.first:%Y-%m-%d}", "last": f"{timed.last:%Y-%m-%d}", "gaps": timed.gaps},
            ),
        )
    ]


def _record(column: Column) -> Said:
    unit = f" [{column.unit}]" if column.unit else ""
    return Said("inventory.case_record", {"column": f"{column.name}{unit}", "type": Said(f"inventory.type_{column.type}")})


def _more(project: Project, reasons: Sequence[tuple[bool, Said]]) -> list[tuple[bool, Said]]:
    if any(not good and said.key in ("inventory.case_rows_few", "inventory.case_class_few") for good, said in reasons):
        return [(False, Said("inventory.case_record_labels", {"target": project.spec.data.target}))]
    return []
