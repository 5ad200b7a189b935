import copy

from leitstand.errors import LeitstandError, UnknownName, UsageError


def test_an_unknown_name_proposes_the_nearest() -> None:
    error = UnknownName("project", "virtual_senor", ["virtual_sensor", "cell_diagnostics"])
    assert "Did you mean: virtual_sensor?" in str(error)
    assert "Meinten Sie: virtual_sensor?" in error.render("de")
    assert "Projekt" in error.render("de")


def test_without_a_near_name_all_are_listed() -> None:
    assert "Known: a, b." in str(UnknownName("metric", "zzzzzz", ["b", "a"]))


def test_a_placeholder_may_be_called_key() -> None:
    error = LeitstandError("errors.column_not_in_contract", path="p", column="c", key="data.time", contract="k", columns="a, b")
    assert "data.time" in str(error)


def test_wrong_usage_ends_with_two_and_our_errors_with_one() -> None:
    assert (UsageError.exit_code, LeitstandError.exit_code) == (2, 1)


def test_an_error_survives_being_copied_between_processes() -> None:
    for error in (UnknownName("project", "x", ["xy"]), LeitstandError("errors.file_missing", path="a")):
        again = copy.copy(error)  # by the same protocol as pickling
        assert type(again) is type(error)
        assert again.render("de") == error.render("de")
        assert str(again) == str(error)
