import pandas as pd

from data_contracts.inventory.essentials import MOST_HASHED_ROWS, essentials


def test_a_glance_at_a_frame_tells_labels_repeats_constants_and_time() -> None:
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-02"]),
            "site": ["Kiel"] * 3,
            "sensor": [1.0, None, 1.0],
            "empty": [None] * 3,
            "target": [5.0, None, 5.0],
        }
    )
    assert essentials(frame, target="target", time="time", inputs=8) == {
        "labelled_rows": 2,
        "labelled_rows_that_would_do": 80,
        "constant_columns": ["site"],
        "duplicate_rows": 1,
        "first": "2024-01-01T00:00:00",
        "last": "2024-01-02T00:00:00",
    }


def test_what_cannot_be_counted_cheaply_is_unknown_and_not_zero() -> None:
    lists = pd.DataFrame({"target": [1, 2], "spectrum": [[1, 2], [3]]})
    assert essentials(lists, target="target", time=None, inputs=1)["duplicate_rows"] is None
    many = pd.DataFrame({"target": range(MOST_HASHED_ROWS + 1)})
    assert essentials(many, target="target", time=None, inputs=1)["duplicate_rows"] is None
