"""Fitting a template to own data: which column plays which role, and what of project.yaml has no use any more."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from ruamel.yaml.comments import CommentedMap

from data_contracts.adopting import adopt
from flows.making import Wish, as_written, classes_by_text, identifiers, known_class, require_columns, require_target, shown
from flows.yaml_file import remove
from leitstand.contract import Contract
from leitstand.errors import DataError
from leitstand.spec import ProjectSpec

IN_THE_TARGETS_UNIT = ("mae", "rmse")
FIGURES_IN_THAT_UNIT = (
    ("gates", ("minimum_improvement", "champion_tolerance", "slice_floor")),
    ("benefit", ("errors_today", "expected_error", "cost_per_error_eur", "ranges")),
)
MOST_NAMED = 30


@dataclass(frozen=True)
class Roles:
    """Which column of the own data plays which role, and how the rows are split then."""

    target: str
    time: str | None
    series: str | None
    group: str | None
    strategy: str


def fit(
    content: CommentedMap, spec: ProjectSpec, contract: Contract, wish: Wish, frame: pd.DataFrame
) -> tuple[Contract, tuple[str, ...]]:
    """Change a template's project.yaml for own data, and return their contract and what was left out.

    Parameters
    ----------
    content : the template's project.yaml with its comments; changed in place
    spec, contract : the template's

    Raises
    ------
    UnknownName
        If the wish names a column or class that the data do not have.
    DataError
        If a role that the template needs has no column, or one that cannot play it.
    """
    require_columns(wish, frame)
    roles = find_roles(spec, wish, frame)
    sparse = wish.sparse or not contract.column(spec.data.target).required
    require_target(frame[roles.target], sparse)
    own = adopt(contract, frame, source=shown(wish.source) if wish.source else wish.name, time=roles.time)
    target = own.column(roles.target).model_copy(update={"required": not sparse})
    own = own.model_copy(update={"columns": tuple(target if one.name == target.name else one for one in own.columns)})
    require_types(spec, contract, own, roles, frame)
    classes = {} if spec.task == "regression" else classes_by_text(frame[roles.target], target)
    meanings = {name: find_class(name, spec, wish, classes, target.name) for name in ("positive", "normal")}
    new_names = [name for name in identifiers(frame, own) if name not in contract.names]
    _rename(content, spec, roles)
    left_out = [*_fill_in(content, spec, wish, roles, meanings, new_names), *_leave_out(content, spec, contract, own, classes)]
    if spec.task == "regression" and roles.target != spec.data.target:
        left_out += _leave_out_figures(content, spec)
    return own, tuple(left_out)


def find_roles(spec: ProjectSpec, wish: Wish, frame: pd.DataFrame) -> Roles:
    """Return the roles as the wish has them, otherwise as the template does where the data have a column of that name.

    Raises
    ------
    DataError
        If there is no column for the target or for the template's kind of split.
    """

    def role(name: str) -> str | None:
        usual: str | None = getattr(spec.data, name)
        return getattr(wish, name) or (usual if usual in frame.columns else None)

    target, time, group = role("target"), role("time"), role("group")
    found = {"template": spec.project, "found": ", ".join(map(str, frame.columns[:MOST_NAMED]))}
    if target is None:
        raise DataError("flows.role_target", name=spec.data.target, **found)
    strategy: str = spec.split.strategy
    if strategy == "stratified" and (wish.time or wish.ordered or wish.group):
        strategy = "group" if wish.group else "time"
    if strategy == "group" and group is None and wish.ordered:
        strategy = "time"
    if (strategy == "time" and not (time or wish.ordered)) or (strategy == "group" and group is None):
        raise DataError(f"flows.role_{strategy}", name=getattr(spec.data, strategy), **found)
    return Roles(target, time, role("series"), group, strategy)


def require_types(spec: ProjectSpec, contract: Contract, own: Contract, roles: Roles, frame: pd.DataFrame) -> None:
    """Refuse columns that cannot play their role.

    Raises
    ------
    DataError
        If a quantity is no number, two classes are not two, a time is none, or there are no files where the template hears or sees.
    """

    def refusal(key: str, name: str) -> DataError:
        examples = ", ".join(str(value)[:40] for value in frame[name].dropna().unique()[:5])
        return DataError(f"flows.{key}", template=spec.project, column=name, examples=examples)

    if spec.task == "regression" and not own.column(roles.target).is_number:
        raise refusal("target_no_number", roles.target)
    if spec.task == "classification" and spec.data.positive is not None and frame[roles.target].nunique() != 2:
        raise refusal("target_not_two_classes", roles.target)
    if roles.time is not None and not own.column(roles.time).is_time:
        raise refusal("time_no_time", roles.time)
    has_files = [any(column.type == "file" for column in one.columns) for one in (contract, own)]
    if has_files == [True, False]:
        raise DataError("flows.files_missing", template=spec.project, found=", ".join(own.names[:MOST_NAMED]))


def find_class(name: str, spec: ProjectSpec, wish: Wish, classes: dict[str, Any], target: str) -> Any:
    """Return the class that is ``positive`` or ``normal``: the wish's, otherwise the template's where the target has it.

    Raises
    ------
    UnknownName
        If the target has no such class.
    DataError
        If the wish says nothing and the target does not have the template's.
    """
    given, usual = getattr(wish, name), getattr(spec.data, name)
    if given is not None:
        return known_class(given, classes)
    if usual is None or str(usual) in classes:
        return classes.get(str(usual))
    values = ", ".join(list(classes)[:MOST_NAMED])
    raise DataError(f"flows.class_{name}", template=spec.project, usual=usual, target=target, values=values)


def _rename(content: CommentedMap, spec: ProjectSpec, roles: Roles) -> None:
    """Let slices and parameters that name a column with a role name the own data's column with that role."""
    pairs = ((getattr(spec.data, role), getattr(roles, role)) for role in ("target", "time", "series", "group"))
    renamed = {old: new for old, new in pairs if old is not None and new is not None}
    for section, keys in (("data", ("slices",)), ("parameters", list(content.get("parameters", {})))):
        for key in keys:
            value = content[section].get(key)
            if isinstance(value, list):
                value[:] = [renamed.get(item, item) for item in value]
            elif value in renamed:
                content[section][key] = renamed[value]


def _fill_in(
    content: CommentedMap, spec: ProjectSpec, wish: Wish, roles: Roles, meanings: dict[str, Any], new_names: list[str]
) -> Iterator[str]:
    """Write the sources, roles and classes of the own data; yield the roles that nothing plays."""
    data = content["data"]
    if wish.source is not None:
        data["sources"] = {"data": as_written(wish.source)}
    columns = {"target": roles.target, "time": roles.time, "series": roles.series, "group": roles.group}
    for key, value in (columns | meanings | {"ordered": wish.ordered or None}).items():
        if value is not None and key not in data:
            data.insert(list(data).index("target") + 1, key, value)
        elif value is not None:
            data[key] = value
        elif key in data:
            yield f"data.{key}: {data[key]}"
            remove(data, key)
    known = [*columns.values(), *spec.data.drop]
    if drop := [name for name in dict.fromkeys([*wish.drop, *new_names]) if name not in known]:
        data.setdefault("drop", []).extend(drop)
    if roles.strategy != spec.split.strategy:
        content.setdefault("split", CommentedMap())["strategy"] = roles.strategy


def _leave_out(
    content: CommentedMap, spec: ProjectSpec, contract: Contract, own: Contract, classes: dict[str, Any]
) -> Iterator[str]:
    """Take out names of columns and classes that the own data do not have, and yield them."""
    gone = {name for name in contract.names if name not in own.names}
    gone |= {str(value) for value in contract.column(spec.data.target).allowed if str(value) not in classes}
    named = [(content["data"], "data", key) for key in ("slices", "drop", "checked")]
    named += [(content["parameters"], "parameters", key) for key in list(content.get("parameters", {}))]
    for section, name, key in named:
        values = section.get(key)
        lacking = [
            value for value in (values if isinstance(values, list) else [values]) if isinstance(value, str) and value in gone
        ]
        for value in lacking:
            yield f"{name}.{key}: {value}"
            if isinstance(values, list):
                values.remove(value)
        if lacking and (not isinstance(values, list) or not values):
            remove(section, key)


def _leave_out_figures(content: CommentedMap, spec: ProjectSpec) -> Iterator[str]:
    """Take out the figures in the unit of the template's target, which say nothing about another one, and yield them."""
    success = content.get("success", [])
    for criterion in [one for one in success if one["metric"] in IN_THE_TARGETS_UNIT]:
        yield f"success: {criterion['metric']}"
        success.remove(criterion)
    relative = (spec.training.metric or IN_THE_TARGETS_UNIT[0]) not in IN_THE_TARGETS_UNIT
    for section, keys in FIGURES_IN_THAT_UNIT:
        for key in keys:
            if key in content.get(section, {}) and not (relative and section == "gates"):
                yield f"{section}.{key}: {content[section][key]}"
                remove(content[section], key)
