"""Hypothesis strategies for contracts."""

from hypothesis import strategies as st

from leitstand.contract import Bilingual, Column, Contract

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
SCALAR = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), NUMBER, TEXT)
BILINGUAL = st.builds(Bilingual, de=TEXT, en=TEXT)


def optional(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


@st.composite
def columns(draw: st.DrawFn, name: str, key: int | None) -> Column:
    kind = draw(st.sampled_from(["integer", "number", "string", "boolean", "date", "timestamp", "file"]))
    number, text = kind in ("integer", "number"), kind == "string"
    return Column(
        name=name,
        type=kind,
        unit=draw(optional(TEXT)),
        description=draw(optional(BILINGUAL)),
        required=draw(st.booleans()),
        unique=draw(st.booleans()),
        primary_key_position=key,
        minimum=draw(optional(NUMBER)) if number else None,
        maximum=draw(optional(NUMBER)) if number else None,
        allowed=tuple(draw(st.lists(SCALAR, max_size=4))),
        pattern=draw(optional(TEXT)) if text else None,
        max_length=draw(optional(st.integers(1, 10**6))) if text else None,
        media_type=draw(optional(TEXT)),
        max_bytes=draw(optional(st.integers(1, 10**12))),
        personal_data=draw(st.sampled_from(["none", "personal", "special"])),
        pseudonymise=draw(st.sampled_from([None, True, False])),
        guesses=tuple(draw(st.lists(st.sampled_from(["type", "minimum", "unit", "allowed"]), unique=True))),
    )


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    names = draw(st.lists(NAME, min_size=1, max_size=5, unique=True))
    keys = draw(st.permutations([*range(1, len(names) + 1)]))
    made = [draw(columns(name, draw(st.sampled_from([None, key])))) for name, key in zip(names, keys, strict=True)]
    time = draw(optional(st.sampled_from(names)))
    is_time = any(column.name == time and column.type in ("date", "timestamp") for column in made)
    return Contract(
        id=draw(NAME),
        version=draw(st.sampled_from(["1.0.0", "2.10.3"])),
        table=draw(NAME),
        columns=tuple(made),
        freshness_hours=draw(optional(st.floats(min_value=1e-3, max_value=1e6))) if is_time else None,
        time_column=time,
        on_broken=draw(st.sampled_from(["quarantine", "stop"])),
        max_quarantine_share=draw(st.floats(0, 1)),
        extra_columns=draw(st.sampled_from(["refuse", "ignore"])),
    )
