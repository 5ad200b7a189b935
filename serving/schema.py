"""Request models made from a project's contract: what may come in, column by column, and how it becomes a data frame.

A request is refused as a whole when one value breaks the contract: an answer to a row that nobody may trust is worth less than none.
Numbers are JSON numbers (never texts or booleans) and finite; dates are texts in ISO 8601 or German form; files are base64 texts.
The JSON schema says the same: what it lets through is taken, and what it refuses is refused.
"""

import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NotRequired

import pandas as pd
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
    create_model,
    with_config,
)
from pydantic.config import JsonDict
from pydantic_core import SchemaError
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from leitstand.contract import EXACT_INTEGERS, Column, Contract, Scalar
from leitstand.project import Project
from leitstand.texts import Language, text
from serving.times import DATE_PATTERN, TIMESTAMP_PATTERN, parse_time

CLOSED = ConfigDict(extra="forbid")
BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
NO_NUL: JsonDict = {"pattern": "\\u0000"}  # PostgreSQL has no text with NUL
GERMAN_NUMBER = re.compile(r"^[+-]?([1-9][0-9]{0,2}(\.[0-9]{3})+|[0-9]{1,15})(,[0-9]{1,15})?$")
Row = Mapping[str, Any]


def predict_model(project: Project, language: Language = "en") -> type[BaseModel]:
    """Return the model of ``{"rows": [...], "history": [...]}`` for the project's input contract.

    Parameters
    ----------
    language : of the descriptions in its JSON schema; the rules are the same

    Returns
    -------
    a model whose ``rows`` holds 1 to ``serving.max_rows`` plain dictionaries by column name; columns that are not required may be missing.
    Where features look back, ``history`` may hold earlier rows, which are seen and not answered; otherwise it stays empty.
    """
    contract = project.input_contract
    fields = {column.name: _cell(column, language) for column in contract.columns}
    row: Any = with_config(CLOSED)(TypedDict("Row", fields))  # type: ignore[operator]
    most = project.spec.serving.max_rows
    history = project.spec.data.history_rows
    note = text("serving.rows_history", language, history=history) if history else text("serving.rows_single", language)
    rows = Annotated[list[row], Field(min_length=1, max_length=most, description=note)]
    if not history:
        return create_model("PredictRequest", __config__=CLOSED, rows=(rows, ...))
    earlier = Annotated[list[row], Field(max_length=most, description=text("serving.history", language, history=history))]
    return create_model("PredictRequest", __config__=CLOSED, rows=(rows, ...), history=(earlier, []))


def feedback_model(project: Project, language: Language = "en") -> type[BaseModel]:
    """Return the model of ``{"labels": [{"id": ..., "value": ...}]}``; a value is one of the contract's target column."""
    target = project.contract.column(project.spec.data.target)
    rule = Field(strict=True, min_length=1, max_length=64, json_schema_extra={"not": NO_NUL})
    known = Annotated[str, rule, AfterValidator(_without_nul)]
    label = create_model("Label", __config__=CLOSED, id=(known, ...), value=(_value(target, language), ...))
    labels = Annotated[list[label], Field(min_length=1, max_length=project.spec.serving.max_rows)]
    return create_model("FeedbackRequest", __config__=CLOSED, labels=(labels, ...))


def data_model(project: Project, language: Language = "en") -> type[BaseModel]:
    """Return the model of ``{"rows": [...], "id": ...}`` for new rows of the whole contract, the target too.

    Only the form counts: names and types. Which values may be is checked when the rows are taken in, so that bad ones reach the quarantine.
    """
    any_value = {"minimum": None, "maximum": None, "allowed": (), "pattern": None, "max_length": None, "required": False}
    fields = {column.name: _cell(column.model_copy(update=any_value), language) for column in project.contract.columns}
    row: Any = with_config(CLOSED)(TypedDict("NewRow", fields))  # type: ignore[operator]
    rows = Annotated[list[row], Field(min_length=1, max_length=project.spec.serving.max_rows)]
    rule = Field(strict=True, min_length=1, max_length=61, json_schema_extra={"not": NO_NUL})
    known = Annotated[str, rule, AfterValidator(_without_nul)]
    return create_model("DataRequest", __config__=CLOSED, rows=(rows, ...), id=(known | None, None))


def to_frame(rows: Sequence[Row], contract: Contract) -> pd.DataFrame:
    """Return validated rows as a data frame with every column of the contract; what is missing is None."""
    return pd.DataFrame({name: [row.get(name) for row in rows] for name in contract.names})


def example(contract: Contract) -> dict[str, Scalar | None]:
    """Return one row that shows the form of a request; it makes no claim to be typical."""
    return {column.name: _example(column) for column in contract.columns}


def _cell(column: Column, language: Language) -> Any:
    value = _value(column, language)
    return value if column.required else NotRequired[value | None]


def _value(column: Column, language: Language) -> Any:
    """Return the annotated type of one column's values."""
    extra: dict[str, Any] = {}
    if column.unit:
        extra["unit"] = column.unit
    if column.allowed:
        extra["enum"] = list(column.allowed)
    if column.description:
        described = column.description.in_language(language)
        extra["description"] = f"{described} [{column.unit}]" if described and column.unit else described
    kind, rules, checks = _TYPES[column.type](column, extra)
    if column.allowed:
        checks.insert(0, AfterValidator(_one_of(column.allowed)))  # before a text becomes a date
    rule = Field(strict=True, json_schema_extra=extra or None, **rules)
    annotated: Any = Annotated[(kind, rule, *checks)]
    return annotated


Parts = tuple[type, dict[str, Any], list[Any]]


def _number(column: Column, extra: dict[str, Any]) -> Parts:
    rules: dict[str, Any] = {"allow_inf_nan": False}
    if column.minimum is not None:
        rules["ge"] = column.minimum
    if column.maximum is not None:
        rules["le"] = column.maximum
    if column.decimal is None:
        return float, rules, []
    bounds = {"ge": "minimum", "le": "maximum"}
    number = {"type": "number"} | {bounds[name]: value for name, value in rules.items() if name in bounds}
    either: JsonDict = {"anyOf": [number, {"type": "string", "pattern": GERMAN_NUMBER.pattern}], **extra}
    return float, rules, [BeforeValidator(german_number), WithJsonSchema(either)]


def _integer(column: Column, extra: dict[str, Any]) -> Parts:
    least = -EXACT_INTEGERS if column.minimum is None else math.ceil(column.minimum)
    most = EXACT_INTEGERS if column.maximum is None else math.floor(column.maximum)
    return int, {"ge": least, "le": most}, [BeforeValidator(integral)]


def _boolean(column: Column, extra: dict[str, Any]) -> Parts:
    return bool, {}, []


def _string(column: Column, extra: dict[str, Any]) -> Parts:
    rules: dict[str, Any] = {} if column.max_length is None else {"max_length": column.max_length}
    checks: list[Any] = [AfterValidator(_without_nul)]
    extra["not"] = NO_NUL
    if column.pattern is not None:
        whole = f"^(?:{column.pattern})$"
        if _runs_in_linear_time(whole):
            rules["pattern"] = whole
        else:
            extra["pattern"] = whole
            checks.append(AfterValidator(_matching(re.compile(column.pattern))))
    return str, rules, checks


def _date(column: Column, extra: dict[str, Any]) -> Parts:
    extra["examples"] = ["2026-01-31", "31.01.2026"]
    return str, {"pattern": DATE_PATTERN}, [AfterValidator(parse_time)]


def _timestamp(column: Column, extra: dict[str, Any]) -> Parts:
    extra["examples"] = ["2026-01-31T14:30:00Z", "31.01.2026 14:30"]
    return str, {"pattern": TIMESTAMP_PATTERN}, [AfterValidator(parse_time)]


def _file(column: Column, extra: dict[str, Any]) -> Parts:
    extra |= {"contentEncoding": "base64", "pattern": BASE64}
    if column.media_type:
        extra["contentMediaType"] = column.media_type
    most = column.max_bytes
    if most is None:
        return str, {}, [AfterValidator(_decoded(None))]
    longest = 4 * math.ceil(most / 3)
    if most % 3:  # the last four characters may hold three bytes, which would be too many
        extra["anyOf"] = [{"maxLength": longest - 4}, {"pattern": "==$" if most % 3 == 1 else "=$"}]
    return str, {"max_length": longest}, [AfterValidator(_decoded(most))]


_TYPES: dict[str, Callable[[Column, dict[str, Any]], Parts]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "string": _string,
    "date": _date,
    "timestamp": _timestamp,
    "file": _file,
}


def german_number(value: Any) -> Any:
    """Take ``1.234,5`` for 1234.5; whatever is no such text stays as it is."""
    if isinstance(value, str) and GERMAN_NUMBER.fullmatch(value):
        return float(value.replace(".", "").replace(",", "."))
    return value


def integral(value: Any) -> Any:
    """Take 3.0 for 3: JavaScript and pandas write whole numbers that way, and JSON Schema calls both an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("NUL character")
    return value


def _one_of(allowed: tuple[Scalar, ...]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise ValueError("not among the allowed values")
        return value

    return check


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise ValueError("does not match")
        return value

    return check


def _decoded(max_bytes: int | None) -> Callable[[str], bytes]:
    def check(value: str) -> bytes:
        try:
            content = binascii.a2b_base64(value, strict_mode=True)
        except ValueError as error:
            raise ValueError("no base64") from error
        if len(value) % 4 or value.endswith("==="):  # the strict mode takes padding after whole groups
            raise ValueError("no base64")
        if max_bytes is not None and len(content) > max_bytes:
            raise ValueError("file too large")
        return content

    return check


def _runs_in_linear_time(pattern: str) -> bool:
    """Say whether pydantic's own engine, which no text can make slow, knows everything that the pattern uses."""
    try:
        TypeAdapter(Annotated[str, Field(pattern=pattern)])
    except SchemaError:
        return False
    return True


def _example(column: Column) -> Scalar | None:
    if column.allowed:
        return column.allowed[0]
    if column.is_number:
        low, high = column.minimum, column.maximum
        middle = (
            (low + high) / 2 if low is not None and high is not None else next((x for x in (low, high) if x is not None), 0.0)
        )
        return math.ceil(middle) if column.type == "integer" else middle
    shown: dict[str, Scalar] = {
        "boolean": True,
        "date": "2026-01-31",
        "timestamp": "2026-01-31T14:30:00Z",
        "file": "AA==",
        "string": "text",
    }
    return shown[column.type]
