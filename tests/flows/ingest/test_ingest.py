"""Deliveries as files: what becomes of rows, and of deliveries that are not in order as a whole."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.ingest import decide
from flows.status_quo import status_quo
from infra.snapshots import SnapshotStore
from leitstand.errors import ContractBroken, ProjectError, UnknownName
from leitstand.now import now


def test_the_sources_are_the_first_delivery_and_new_rows_make_the_next_version(plant: Any, delivered: Any) -> None:
    first = plant.ingest()
    assert [(one.kind, one.added, one.labelled) for one in first.deliveries] == [("sources", 60, 60)]
    plant.drop(delivered(30, 20), "day 2.csv")
    second = plant.ingest()
    assert (second.rows_added, second.labelled_rows_added, second.rows_corrected, second.rows_late) == (20, 20, 0, 0)
    assert second.snapshot is not None
    assert (second.snapshot.rows, second.snapshot.created) == (80, True)
    notes = plant.desk.snapshots.provenance("parts", second.snapshot.version)[-1].notes
    assert first.snapshot is not None
    assert notes["grown_from"] == first.snapshot.version
    assert [(one["name"], one["rows"], one["added"]) for one in notes["deliveries"]] == [("day 2.csv", 20, 20)]


def test_a_second_pass_finds_nothing_and_changes_nothing(plant: Any, delivered: Any) -> None:
    plant.drop(delivered(30, 20), "day 2.csv")
    made = plant.ingest()
    again = plant.ingest()
    assert (again.deliveries, again.snapshot, again.rows_added) == ((), None, 0)
    assert made.snapshot is not None
    assert len(plant.desk.snapshots.provenance("parts")) == 1


def test_the_newest_delivery_of_a_key_counts_whenever_it_comes(plant: Any, delivered: Any) -> None:
    plant.ingest()
    plant.drop(delivered(30, 10, pressure=2.0), "newer.csv", at=20)
    assert plant.ingest().rows_added == 10
    plant.drop(delivered(28, 10, pressure=1.0), "older, but late.csv", at=10)
    found = plant.ingest()
    assert (found.rows_corrected, found.rows_outdated, found.rows_added) == (4, 6, 0)
    table = plant.table().set_index("time")["pressure"]
    assert table[pd.Timestamp("2026-01-02 06:00")].tolist() == [2.0, 2.0]
    assert table[pd.Timestamp("2026-01-02 05:00")].tolist() == [1.0, 1.0]


def test_late_rows_and_late_labels_are_counted_and_stand_in_their_place(plant: Any, delivered: Any) -> None:
    plant.project(first=delivered(0, 60, hardness=np.nan).drop(index=[10, 11]))
    plant.ingest()
    plant.drop(delivered(5, 4), "late.csv")
    found = plant.ingest()
    assert (found.rows_added, found.rows_late, found.rows_corrected, found.labelled_rows_added) == (2, 2, 2, 4)
    table = plant.table()
    assert table["time"].is_monotonic_increasing
    assert table["hardness"].notna().sum() == 4


def test_a_file_whose_content_came_before_is_left_out_and_named_once(plant: Any, delivered: Any) -> None:
    plant.drop(delivered(30, 20), "day 2.csv")
    plant.ingest()
    plant.drop(delivered(30, 20), "copy of day 2.csv")
    plant.drop(delivered(0, 60), "the source again.csv")
    found = plant.ingest()
    assert found.duplicates == ("copy of day 2.csv", "the source again.csv")
    assert (found.deliveries, found.snapshot) == ((), None)
    assert plant.ingest().duplicates == ()


def test_the_same_rows_in_another_file_change_nothing_but_are_told(plant: Any, delivered: Any) -> None:
    plant.drop(delivered(30, 20), "day 2.csv")
    made = plant.ingest()
    plant.drop(delivered(30, 10), "part of day 2.csv")
    found = plant.ingest()
    assert (found.rows_unchanged, found.rows_added, found.snapshot) == (10, 0, None)
    assert plant.desk.deliveries.read("parts")[-1].unchanged == 10
    assert made.snapshot is not None
    assert plant.table().shape == (80, 6)


def test_a_file_that_is_still_being_written_is_left_alone(plant: Any, delivered: Any) -> None:
    import os
    import time

    plant.project(incoming={"folder": "incoming", "settle_seconds": 60})
    plant.ingest()
    path = plant.drop(delivered(30, 20), "day 2.csv")
    os.utime(path, (time.time() - 10,) * 2)
    plant.drop(delivered(40, 20), "day 3.csv.part")
    plant.drop(delivered(40, 20), ".day 3.csv")
    assert plant.ingest().deliveries == ()
    os.utime(path, (time.time() - 70,) * 2)
    assert plant.ingest().rows_added == 20
    assert path.exists()


def test_bad_rows_go_to_quarantine_and_the_good_ones_in(plant: Any, delivered: Any) -> None:
    plant.ingest()
    frame = delivered(30, 20)
    frame.loc[3, "pressure"] = 1000
    plant.drop(frame, "day 2.csv")
    found = plant.ingest()
    assert (found.rows_added, found.rows_quarantined) == (19, 1)
    kept = pd.read_csv(found.deliveries[0].quarantine_file)
    assert kept["pressure"].tolist() == [1000]
    assert kept["_reason"].str.contains("pressure").all()


POISON = {
    "columns": lambda frame: frame.rename(columns={"pressure": "druck"}),
    "column_empty": lambda frame: frame.assign(pressure=np.nan),
    "contract": lambda frame: frame.assign(pressure=-5.0),
    "empty": lambda frame: frame.head(0),
}


@pytest.mark.parametrize("fault", [*POISON, "unreadable", "too_many_rows"])
def test_a_poisoned_delivery_is_held_back_as_a_whole_and_later_ones_go_in(fault: str, plant: Any, delivered: Any) -> None:
    for day in range(3):
        plant.drop(delivered(30 + 6 * day, 12), f"day {day}.csv")
    plant.ingest()
    before = plant.table()
    if fault == "unreadable":
        plant.drop(delivered(48, 12), "poison.csv").write_bytes(b"\x89PNG\x00\x00")
    elif fault == "too_many_rows":
        plant.drop(delivered(48, 120), "poison.csv")
    else:
        plant.drop(POISON[fault](delivered(48, 24)), "poison.csv")
    held = plant.ingest()
    assert [(one.state, one.fault) for one in held.deliveries] == [("held", fault)]
    assert held.deliveries[0].why("de")
    assert held.deliveries[0].why("en") != held.deliveries[0].why("de")
    assert (held.snapshot, held.rows_added) == (None, 0)
    pd.testing.assert_frame_equal(plant.table(), before)
    (plant.incoming / "poison.csv").unlink()
    plant.drop(delivered(54, 12), "day 5.csv")
    later = plant.ingest()
    assert (later.rows_added, [one.fault for one in later.waiting]) == (12, [fault])


def test_of_a_few_rows_the_good_ones_come_in_whatever_share_is_bad(plant: Any, delivered: Any) -> None:
    plant.ingest()
    frame = delivered(30, 4)
    frame.loc[[1, 2], "pressure"] = 1000
    plant.drop(frame, "few.csv")
    found = plant.ingest()
    assert (found.rows_added, found.rows_quarantined, found.waiting) == (2, 2, ())


def test_a_person_lets_a_held_delivery_in_though_its_file_is_gone(plant: Any, delivered: Any) -> None:
    plant.ingest()
    plant.drop(delivered(30, 20, pressure=np.nan), "no sensor.csv").rename(plant.incoming / "no sensor 2.csv")
    assert plant.ingest().waiting[0].fault == "column_empty"
    (plant.incoming / "no sensor 2.csv").unlink()
    decided = decide(plant.desk, "2", "allowed", "Ada")
    assert (decided.state, decided.decided_by) == ("allowed", "Ada")
    found = plant.ingest()
    assert (found.rows_added, found.waiting, [one.state for one in found.deliveries]) == (20, (), ["taken"])
    assert plant.ingest().deliveries == ()
    assert list((plant.settings.root / "held" / "parts").iterdir()) == []


def test_a_person_refuses_a_held_delivery_for_good(plant: Any, delivered: Any) -> None:
    plant.ingest()
    plant.drop(delivered(30, 20, pressure=np.nan), "no sensor.csv")
    plant.ingest()
    decide(plant.desk, "no sensor.csv", "refused", "Ada")
    assert (plant.ingest().waiting, plant.ingest().deliveries) == ((), ())
    with pytest.raises(UnknownName, match="no delivery that is held back '2'"):
        decide(plant.desk, "2", "allowed", "Ada")


def test_after_the_contract_learned_the_new_columns_the_held_delivery_goes_in(plant: Any, delivered: Any) -> None:
    plant.ingest()
    plant.drop(delivered(30, 20).assign(humidity=3.0), "new column.csv")
    assert plant.ingest().waiting[0].fault == "columns"
    decide(plant.desk, "2", "allowed", "Ada")
    assert plant.ingest().waiting[0].fault == "columns"
    contract = plant.work / "data_contracts" / "parts.odcs.yaml"
    contract.write_text(contract.read_text().replace("value: refuse", "value: ignore"))
    decide(plant.desk, "2", "allowed", "Ada")
    assert plant.ingest().rows_added == 20


def test_without_a_key_rows_are_added_and_whole_deliveries_dropped(plant: Any, delivered: Any) -> None:
    plant.project(key=False)
    plant.drop(delivered(30, 20), "day 2.csv")
    plant.drop(delivered(30, 20), "day 2 again.csv")
    plant.drop(delivered(39, 3), "day 3.csv")
    found = plant.ingest()
    assert (found.rows_added, found.duplicates) == (83, ("day 2.csv",))
    assert plant.table()["time"].is_monotonic_increasing
    assert len(plant.table()) == 83


def test_training_sees_the_grown_table_and_no_further_back_than_allowed(plant: Any, delivered: Any) -> None:
    from flows.practice_check import accept

    assert len(status_quo.fn(plant.desk).frame) == 60
    plant.ingest()
    plant.drop(delivered(30, 20), "day 2.csv")
    made = plant.ingest().snapshot
    desk = plant.desk
    inventory = status_quo.fn(desk)
    assert inventory.snapshot is not None
    assert (len(inventory.frame), inventory.snapshot.version) == (80, made.version)
    assert accept(desk, inventory).snapshot.version == made.version
    assert len(desk.snapshots.provenance("parts")) == 2


def test_the_rows_since_a_change_are_found_in_a_table_that_was_cut(plant: Any, delivered: Any) -> None:
    from flows.practice_check import accept, rows_before

    plant.project(most_rows=50)
    plant.ingest()
    accept(plant.desk, status_quo.fn(plant.desk))
    change = now()
    plant.drop(delivered(30, 20), "day 2.csv")
    plant.ingest()
    accepted = accept(plant.desk, status_quo.fn(plant.desk))
    assert accepted.snapshot.rows == 50
    assert rows_before(plant.desk, change, accepted) == 30, "the other twenty came since"
    assert rows_before(plant.desk, change - timedelta(days=1), accepted) == 0


def test_a_dry_run_tells_and_does_nothing(plant: Any, delivered: Any) -> None:
    plant.drop(delivered(30, 20), "day 2.csv")
    told = plant.ingest(dry_run=True)
    assert (told.rows_added, told.snapshot) == (80, None)
    assert plant.desk.deliveries.read("parts") == []
    assert plant.ingest().rows_added == 80


def test_taken_files_are_deleted_where_that_is_wanted_and_held_ones_stay(plant: Any, delivered: Any) -> None:
    plant.project(incoming={"folder": "incoming", "settle_seconds": 0, "when_taken": "delete"})
    plant.drop(delivered(30, 20), "day 2.csv")
    plant.drop(delivered(40, 20, pressure=np.nan), "no sensor.csv")
    plant.ingest()
    assert [path.name for path in plant.incoming.iterdir()] == ["no sensor.csv"]


def test_a_file_that_was_replaced_since_it_was_read_is_not_deleted(plant: Any, delivered: Any, monkeypatch: Any) -> None:
    plant.project(incoming={"folder": "incoming", "settle_seconds": 0, "when_taken": "delete"})
    plant.drop(delivered(30, 20), "daily.csv")
    save = SnapshotStore.save

    def slow(*given: Any, **details: Any) -> Any:
        made = save(*given, **details)
        plant.drop(delivered(40, 22), "daily.csv")  # the export writes the next day meanwhile
        return made

    with monkeypatch.context() as patch:
        patch.setattr(SnapshotStore, "save", slow)
        assert plant.ingest().rows_added == 80
    assert plant.ingest().rows_added == 22
    assert list(plant.incoming.iterdir()) == []


def test_a_folder_that_is_missing_is_said_and_what_came_otherwise_goes_in(plant: Any, delivered: Any) -> None:
    plant.incoming.rename(plant.work / "away")
    found = plant.ingest()
    assert "incoming cannot be read: No such file or directory" in str(found.missed["incoming"])
    assert found.rows_added == 60
    (plant.work / "away").rename(plant.incoming)
    plant.drop(delivered(30, 12), "day.csv")
    assert plant.ingest().rows_added == 12
    plant.incoming.rename(plant.work / "away")
    assert plant.ingest().missed.keys() == {"incoming"}
    (plant.work / "away").rename(plant.incoming)
    assert plant.ingest().duplicates == ()  # it is remembered which files were seen


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_in(plant: Any, delivered: Any) -> None:
    plant.ingest()
    link = plant.incoming / "a lost link.csv"
    link.symlink_to(plant.folder / "nowhere.csv")
    plant.drop(delivered(40, 4), "day.csv")
    found = plant.ingest()
    assert (found.rows_added, list(found.missed)) == (4, [str(link)])
    assert "a lost link.csv in the watched folder cannot be read: No such file" in str(found.missed[str(link)])
    delivered(50, 4).to_csv(plant.folder / "nowhere.csv", index=False)
    found = plant.ingest()
    assert (found.rows_added, found.missed) == (4, {})


def test_sources_that_break_the_contract_stop_the_pass(plant: Any, delivered: Any) -> None:
    plant.project(first=delivered(0, 60, pressure=-1.0))
    with pytest.raises(ContractBroken, match="pressure"):
        plant.ingest()
    assert plant.desk.deliveries.read("parts") == []


def test_a_project_without_incoming_data_says_what_is_missing(plant: Any) -> None:
    plant.project(incoming=None)
    with pytest.raises(ProjectError, match=r"Add data\.incoming to its project\.yaml"):
        plant.ingest()
