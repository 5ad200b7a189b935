import pandas as pd

from leitstand.conforming import conform
from leitstand.contract import Column, Contract


def test_times_are_read_with_and_without_fractions_of_a_second() -> None:
    """The prediction log keeps a full second without its fraction, between others that have one."""
    contract = Contract(id="c", table="c", columns=(Column(name="at", type="timestamp"),))
    texts = pd.Series(["2026-03-01T10:00:00.120000", "2026-03-01T10:00:01", None])
    for values in (texts, pd.to_datetime(texts, format="ISO8601")):
        found = conform(pd.DataFrame({"at": values}), contract)["at"]
        assert found.dtype == "datetime64[ns]"
        assert found[:2].tolist() == [pd.Timestamp("2026-03-01 10:00:00.12"), pd.Timestamp("2026-03-01 10:00:01")]
        assert found.isna().tolist() == [False, False, True]
