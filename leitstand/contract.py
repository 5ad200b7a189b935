"""What a data contract says, free of any file format and any checking tool.

The contract is the single source for types, units, ranges, personal-data classes, request validation, the API schema and the columns
that are watched for drift. ``data_contracts`` reads and writes it as ODCS YAML and checks data against it.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leitstand.errors import UnknownName
from leitstand.texts import Language

ColumnType = Literal["integer", "number", "string", "boolean", "date", "timestamp", "file"]
PersonalData = Literal["none", "personal", "special"]
Scalar = bool | int | float | str
EXACT_INTEGERS = 2**53
"""Whole numbers up to this are the same as float64; beyond it two different ones may become one."""


class Frozen(BaseModel):
    """Base of all models that people write by hand: immutable, and closed against unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(Frozen):
    """A text in both languages."""

    de: str
    en: str

    def in_language(self, language: Language) -> str:
        """Return the text in ``language``."""
        return self.de if language == "de" else self.en


class Column(Frozen):
    """One column of a table, and every rule its values must keep.

    Parameters
    ----------
    name : as it stands in the data; any text
    type : ``file`` is a path or the bytes of a file with ``media_type``; ``date`` and ``timestamp`` are parsed to datetime64[ns]
    unit : UCUM-like text such as ``°C`` or ``mm/s``; None where there is none
    required : no value may be missing
    unique : no value twice
    primary_key_position : 1-based place in the table's key; None outside the key
    minimum, maximum : inclusive; in ``unit``
    allowed : the only values there may be; empty for any
    pattern : regular expression that the whole text must match
    max_length : of texts, in characters
    media_type : of files, such as ``audio/wav``
    max_bytes : of files
    decimal : ``,`` where requests may also write numbers as German texts (``1.234,5``); of numbers
    personal_data : ``special`` is Art. 9 GDPR (health and the like)
    pseudonymise : whether the prediction log keeps a pseudonym in place of the value; where left out, texts that are personal data are
    guesses : the names of the properties that were inferred from data and that nobody has confirmed yet
    """

    name: str = Field(min_length=1)
    type: ColumnType
    unit: str | None = None
    description: Bilingual | None = None
    required: bool = False
    unique: bool = False
    primary_key_position: int | None = Field(default=None, ge=1)
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[Scalar, ...] = ()
    pattern: str | None = None
    max_length: int | None = Field(default=None, ge=1)
    media_type: str | None = None
    max_bytes: int | None = Field(default=None, ge=1)
    decimal: Literal[","] | None = None
    personal_data: PersonalData = "none"
    pseudonymise: bool | None = None
    guesses: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether the values can be computed with."""
        return self.type in ("integer", "number")

    @property
    def is_time(self) -> bool:
        """Whether the values are days or points in time."""
        return self.type in ("date", "timestamp")

    @property
    def is_guarded(self) -> bool:
        """Whether values of others must not be shown: personal data, and all that the log keeps under a pseudonym."""
        return self.personal_data != "none" or self.is_pseudonymised

    @property
    def is_pseudonymised(self) -> bool:
        """Whether the prediction log keeps a pseudonym in place of the value. Numbers stay by default: drift is read from them."""
        return self.pseudonymise if self.pseudonymise is not None else self.personal_data != "none" and self.type == "string"


class Contract(Frozen):
    """The rules of one table.

    Parameters
    ----------
    id : stable identifier of the contract
    version : semantic version of the contract
    table : name of the table
    freshness_hours : the newest row may be at most this old; None where it does not matter
    time_column : the column that freshness and order are read from
    on_broken : ``quarantine`` lets the good rows in and keeps the bad ones apart, ``stop`` lets nothing in
    max_quarantine_share : 0 to 1; with more bad rows than this the run stops even under ``quarantine``
    extra_columns : what happens to columns that are not listed here: ``refuse`` lets nothing in, ``ignore`` leaves them out
    """

    id: str
    version: str = "1.0.0"
    table: str
    columns: tuple[Column, ...] = Field(min_length=1)
    freshness_hours: float | None = Field(default=None, gt=0)
    time_column: str | None = None
    on_broken: Literal["quarantine", "stop"] = "quarantine"
    max_quarantine_share: float = Field(default=0.1, ge=0, le=1)
    extra_columns: Literal["refuse", "ignore"] = "refuse"

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"column names stand twice: {', '.join(twice)}")
        if self.time_column is not None and self.time_column not in names:
            raise ValueError(f"time column {self.time_column!r} is not among the columns")
        return self

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [column.name for column in self.columns]

    @property
    def pseudonymised(self) -> tuple[str, ...]:
        """The names of the columns of which the prediction log keeps pseudonyms."""
        return tuple(column.name for column in self.columns if column.is_pseudonymised)

    @property
    def primary_key(self) -> list[str]:
        """The names of the key columns in key order; empty without a key."""
        keyed = [column for column in self.columns if column.primary_key_position is not None]
        return [column.name for column in sorted(keyed, key=lambda column: column.primary_key_position or 0)]

    def column(self, name: str) -> Column:
        """Return one column by name.

        Raises
        ------
        UnknownName
            If there is none of that name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownName("column", name, self.names)

    def only(self, names: list[str]) -> "Contract":
        """Return the contract of just these columns, in the contract's order, as for a request without the target."""
        kept = tuple(column for column in self.columns if column.name in set(names))
        time = self.time_column if self.time_column in names else None
        return self.model_copy(update={"columns": kept, "time_column": time})
