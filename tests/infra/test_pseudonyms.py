import hashlib
import hmac
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.pseudonyms import Pseudonymiser, key_file, make_key, pseudonym_of, pseudonymiser, read_key
from infra.settings import Settings
from leitstand.contract import Column, Contract
from leitstand.errors import StateError

KEY = bytes(range(32))


def test_only_the_named_columns_are_replaced_and_missing_values_stay_missing() -> None:
    names = Pseudonymiser(KEY, ["customer", "email", "absent"])
    row = {"customer": "4711", "email": None, "amount": 12.5}
    assert names.inputs(row) == {"customer": names.of("customer", "4711"), "email": None, "amount": 12.5}
    assert row["customer"] == "4711"


def test_a_row_without_personal_columns_is_handed_on_as_it_is() -> None:
    row = {"amount": 12.5}
    assert Pseudonymiser(b"", []).inputs(row) is row


def test_a_pseudonym_is_the_keyed_hash_of_column_and_value() -> None:
    expected = hmac.new(KEY, b"customer\x004711", hashlib.sha256).hexdigest()[:32]
    assert Pseudonymiser(KEY, []).of("customer", "4711") == f"p:{expected}"


@given(st.text(), st.text(), st.text())
def test_value_column_and_key_all_matter(value: str, other: str, column: str) -> None:
    one = Pseudonymiser(KEY, []).of(column, value)
    assert one == Pseudonymiser(KEY, ["x"]).of(column, value)
    assert (one == Pseudonymiser(KEY, []).of(column, other)) == (value == other)
    assert one != Pseudonymiser(KEY, []).of(f"{column}2", value)
    assert one != Pseudonymiser(KEY[::-1], []).of(column, value)


def test_a_number_has_one_pseudonym_however_it_is_written() -> None:
    names = Pseudonymiser(KEY, [])
    assert names.of("customer", 4711) == names.of("customer", 4711.0) == names.of("customer", "4711")
    assert names.of("customer", 0.5) != names.of("customer", 5)


def test_the_key_is_made_once_and_for_its_owner_only(new_settings: Settings) -> None:
    assert read_key(new_settings) is None
    key = make_key(new_settings)
    assert make_key(new_settings) == read_key(new_settings) == key
    assert len(key) == 32
    assert key_file(new_settings).stat().st_mode & 0o777 == 0o600
    assert key_file(new_settings).parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in key_file(new_settings).parent.iterdir()] == ["pseudonyms.key"]


def test_without_personal_columns_no_key_is_made(new_settings: Settings) -> None:
    pseudonymiser(new_settings, [])
    assert pseudonym_of(new_settings, "customer", "4711") is None
    assert not key_file(new_settings).exists()


def test_who_searches_gets_the_pseudonym_that_was_logged(new_settings: Settings) -> None:
    logged = pseudonymiser(new_settings, ["customer"]).inputs({"customer": "Müller"})
    assert logged == {"customer": pseudonym_of(new_settings, "customer", "Müller")}


def test_those_who_start_together_share_one_key(new_settings: Settings) -> None:
    together = threading.Barrier(8)

    def start(_: int) -> bytes:
        together.wait()
        return make_key(new_settings)

    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(start, range(8)))
    assert keys == {make_key(new_settings)}


@pytest.mark.skipif(os.name != "posix", reason="modes of files are of Unix")
def test_a_key_that_others_can_read_is_refused(new_settings: Settings) -> None:
    make_key(new_settings)
    key_file(new_settings).chmod(0o644)
    with pytest.raises(StateError, match=r"can be read by other users \(mode 644, expected 600\)"):
        make_key(new_settings)


def test_a_file_that_is_no_key_is_never_replaced(new_settings: Settings) -> None:
    make_key(new_settings)
    key_file(new_settings).write_bytes(b"short")
    with pytest.raises(StateError, match="expected 32 bytes, found 5"):
        make_key(new_settings)
    assert key_file(new_settings).read_bytes() == b"short"


def test_the_contract_says_which_columns_are_pseudonymised() -> None:
    columns = (
        Column(name="customer", type="string", personal_data="personal"),
        Column(name="diagnosis", type="string", personal_data="special"),
        Column(name="age", type="integer", personal_data="personal"),
        Column(name="born", type="date", personal_data="personal", pseudonymise=True),
        Column(name="district", type="string", personal_data="personal", pseudonymise=False),
        Column(name="machine", type="string"),
        Column(name="shift", type="string", pseudonymise=True),
    )
    assert Contract(id="c", table="t", columns=columns).pseudonymised == ("customer", "diagnosis", "born", "shift")


def test_service_and_batch_name_a_date_and_a_truth_value_alike() -> None:
    names = Pseudonymiser(KEY, [])
    assert names.of("born", datetime(1980, 5, 17)) == names.of("born", "1980-05-17T00:00:00")
    assert names.of("smokes", True) == names.of("smokes", 1.0)
    assert names.of("smokes", True) != names.of("smokes", False)
