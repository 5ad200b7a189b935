"""Projects of a few columns, and values that a request may hold for each type of column."""

import base64
from datetime import datetime
from pathlib import Path
from types import ModuleType

from hypothesis import strategies as st

from leitstand.contract import Column, Contract
from leitstand.project import Project
from leitstand.spec import ProjectSpec

TARGET = Column(name="target", type="number", maximum=9)


def project(*columns: Column, target: Column = TARGET, **sections: object) -> Project:
    spec = ProjectSpec.model_validate(
        {
            "project": "demo",
            "title": {"de": "Probe", "en": "Demo"},
            "task": "regression",
            "owner": {"name": "Ada"},
            "key_figure": {"name": {"de": "Fehler", "en": "Errors"}, "unit": "%"},
            "data": {"sources": {"main": {"file": "x.csv"}}, "target": target.name, **sections.pop("data", {})},
            **sections,
        }
    )
    return Project(spec, Contract(id="demo", table="demo", columns=(*columns, target)), Path("demo"), ModuleType("demo"))


VALUES = {
    "integer": st.integers(-(2**53), 2**53),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "string": st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    "boolean": st.booleans(),
    "date": st.dates(datetime(1700, 1, 1).date(), datetime(2200, 1, 1).date()).map(lambda day: day.isoformat()),
    "timestamp": st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.isoformat()),
    "file": st.binary(max_size=50).map(lambda content: base64.b64encode(content).decode()),
}
JSON = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.integers())
)
