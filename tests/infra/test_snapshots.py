import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infra.parquet import read_parquet, write_parquet
from infra.settings import Settings, load_settings
from infra.snapshots import SnapshotStore, folder_hash
from leitstand.errors import SourceError, StateError, UnknownName

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def store(new_settings: Settings) -> SnapshotStore:
    return SnapshotStore(new_settings)


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.date_range("2026-01-01", periods=4, freq="h"),
            "speed": [1.5, np.nan, 3.0, -0.0],
            "count": pd.array([1, None, 3, 4], dtype="Int64"),
            "good": [True, False, True, True],
            "product": ["Kleber Ä", None, "B", "B"],
        },
        index=[5, 3, 9, 1],
    )


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True))


def test_a_snapshot_comes_back_with_values_and_types(store: SnapshotStore, frame: pd.DataFrame) -> None:
    snapshot = store.save("demo", frame)
    assert (snapshot.rows, snapshot.created, len(snapshot.version)) == (4, True, 32)
    same(store.load("demo", snapshot.version), frame)
    same(store.load("demo", snapshot.version[:8]), frame)


def test_nothing_of_the_state_is_open_for_everybody_to_write(
    store: SnapshotStore, frame: pd.DataFrame, new_settings: Settings
) -> None:
    left_open = new_settings.folder("cache", "dvc")  # as DVC made it until now
    left_open.chmod(0o777)
    before = os.umask(0o022)
    try:
        store.save("demo", frame)
    finally:
        os.umask(before)
    open_ = [path for path in new_settings.root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o002]
    assert (open_, left_open.stat().st_mode & 0o777) == ([], 0o775)


def test_the_version_is_dvcs_own_hash(store: SnapshotStore, frame: pd.DataFrame, new_settings: Settings) -> None:
    snapshot = store.save("demo", frame)
    pointer = yaml.safe_load((snapshot.path.parent / f"{snapshot.version}.dvc").read_text())
    assert pointer["outs"][0]["md5"] == f"{snapshot.version}.dir"
    remote = new_settings.root / "remote" / "files" / "md5" / snapshot.version[:2] / f"{snapshot.version[2:]}.dir"
    assert remote.is_file()


def test_identical_data_have_one_version_whatever_their_index(store: SnapshotStore, frame: pd.DataFrame) -> None:
    first = store.save("demo", frame, provenance={"source": "a.csv"})
    again = store.save("demo", frame.reset_index(drop=True).copy(), provenance={"source": "b.csv"})
    assert (again.version, again.created) == (first.version, False)
    changed = store.save("demo", frame.assign(speed=frame["speed"] + 1e-15))
    assert changed.version != first.version
    assert [note.notes.get("source") for note in store.provenance("demo", first.version)] == ["a.csv", "b.csv"]


def test_the_latest_is_what_was_delivered_last(store: SnapshotStore, frame: pd.DataFrame) -> None:
    assert store.latest("demo") is None
    first = store.save("demo", frame)
    store.save("demo", frame.head(2))
    store.save("demo", frame)
    latest = store.latest("demo")
    assert latest is not None
    assert (latest.version, latest.rows) == (first.version, 4)
    deliveries = store.provenance("demo")
    assert [note.rows for note in deliveries] == [4, 2, 4]
    assert all(abs(note.time - datetime.now(UTC)) < timedelta(minutes=5) for note in deliveries)


def test_projects_do_not_see_each_others_versions(store: SnapshotStore, frame: pd.DataFrame) -> None:
    version = store.save("demo", frame).version
    with pytest.raises(UnknownName, match=rf"no data version '{version}'"):
        store.load("other", version)
    with pytest.raises(UnknownName, match=rf"no data version 'abcdef'. Known: {version}"):
        store.load("demo", "abcdef")


@pytest.mark.parametrize(
    "lost", [["working copy"], ["working copy", "cache"], ["working copy", "cache", "pointer"], ["repository"]]
)
def test_what_was_lost_here_comes_back_from_cache_or_remote(
    store: SnapshotStore, frame: pd.DataFrame, new_settings: Settings, lost: list[str]
) -> None:
    snapshot = store.save("demo", frame)
    places = {
        "working copy": snapshot.path,
        "cache": new_settings.root / "data" / ".dvc" / "cache",
        "pointer": snapshot.path.with_name(snapshot.path.name + ".dvc"),
        "repository": new_settings.root / "data",
    }
    for name in lost:
        path = places[name]
        path.unlink() if path.is_file() else shutil.rmtree(path)
    same(store.load("demo", snapshot.version), frame)


def test_another_machine_with_the_same_database_and_share_loads_it(tmp_path: Path, frame: pd.DataFrame) -> None:
    database, share = f"sqlite:///{tmp_path / 'shared.db'}", str(tmp_path / "share")
    here = load_settings(home=tmp_path / "here", database_url=database, artifacts_url=share)
    there = load_settings(home=tmp_path / "there", database_url=database, artifacts_url=share)
    version = SnapshotStore(here).save("demo", frame).version
    same(SnapshotStore(there).load("demo", version), frame)
    assert (tmp_path / "share" / "data" / "files").is_dir()


def test_forgotten_versions_are_gone_everywhere_and_what_others_need_stays(
    store: SnapshotStore, frame: pd.DataFrame, new_settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    sounds = pd.DataFrame({"sound": [str(tmp_path / "a.wav")], "take": [1]})
    old = store.save("demo", sounds, file_columns=["sound"])
    new = store.save("demo", sounds.assign(take=2), file_columns=["sound"])
    other = store.save("other", frame)
    same_in_other = store.save("other", sounds, file_columns=["sound"])
    assert store.forget("demo", [new.version]) == [old.version]
    assert (store.here("demo"), store.here("other")) == ([new.version], [other.version, same_in_other.version])
    for lost in (new.path, other.path, same_in_other.path, new_settings.root / "data" / ".dvc" / "cache"):
        shutil.rmtree(lost)
    assert Path(store.load("demo", new.version)["sound"][0]).read_bytes() == b"sound"
    same(store.load("other", other.version), frame)
    assert store.load("other", same_in_other.version)["take"].tolist() == [1]
    later = store.save("demo", sounds.assign(take=3), file_columns=["sound"])
    before = _objects(new_settings)
    assert store.forget("demo", [new.version]) == [later.version]
    assert len(before - _objects(new_settings)) == 2  # its list and its table; the sound is needed
    assert len(store.provenance("demo")) == 3
    with pytest.raises(StateError, match="cannot be fetched"):
        store.load("demo", later.version)
    assert store.save("demo", sounds.assign(take=3), file_columns=["sound"]).version == later.version
    shutil.rmtree(later.path)
    shutil.rmtree(new_settings.root / "data" / ".dvc" / "cache")
    assert store.load("demo", later.version)["take"].tolist() == [3]


def _objects(settings: Settings) -> set[Path]:
    return {path for path in (settings.root / "remote").rglob("*") if path.is_file()}


def test_a_changed_working_copy_is_replaced_by_the_right_one(store: SnapshotStore, frame: pd.DataFrame) -> None:
    snapshot = store.save("demo", frame)
    table = snapshot.path / "data.parquet"
    table.unlink()
    write_parquet(frame.assign(speed=7.0), table)
    same(store.load("demo", snapshot.version), frame)


def test_content_that_is_nowhere_right_is_refused(store: SnapshotStore, frame: pd.DataFrame, new_settings: Settings) -> None:
    snapshot = store.save("demo", frame)
    shutil.rmtree(snapshot.path)
    shutil.rmtree(new_settings.root / "data" / ".dvc" / "cache")
    shutil.rmtree(new_settings.root / "remote")
    with pytest.raises(StateError, match=rf"data version {snapshot.version} of demo cannot be fetched"):
        store.load("demo", snapshot.version)
    assert store.save("demo", frame).version == snapshot.version  # saving it again mends it
    same(store.load("demo", snapshot.version), frame)


def test_files_are_kept_with_the_table_and_named_relative(store: SnapshotStore, tmp_path: Path) -> None:
    def recordings(folder: Path) -> pd.DataFrame:
        (folder / "line 1").mkdir(parents=True)
        for name in ("a.wav", "line 1/a.wav"):
            (folder / name).write_bytes(name.encode())
        return pd.DataFrame(
            {"sound": [str(folder / "a.wav"), str(folder / "line 1" / "a.wav"), None], "label": ["ok", "worn", "ok"]}
        )

    frame = recordings(tmp_path / "there")
    snapshot = store.save("demo", frame, file_columns=["sound"])
    shutil.rmtree(tmp_path / "there")
    loaded = store.load("demo", snapshot.version)
    assert [Path(path).read_bytes() for path in loaded["sound"].dropna()] == [b"a.wav", b"line 1/a.wav"]
    assert loaded["sound"].isna().tolist() == [False, False, True]
    assert store.save("demo", recordings(tmp_path / "elsewhere"), file_columns=["sound"]).version == snapshot.version
    assert os.access(tmp_path / "elsewhere" / "a.wav", os.W_OK)
    (tmp_path / "elsewhere" / "a.wav").write_bytes(b"edited later")
    assert Path(store.load("demo", snapshot.version)["sound"][0]).read_bytes() == b"a.wav"


def test_a_missing_file_is_named_and_nothing_is_kept(store: SnapshotStore, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"1 of the files that the table names do not exist \(e\.g\. .*no\.wav"):
        store.save("demo", pd.DataFrame({"sound": [str(tmp_path / "no.wav")]}), file_columns=["sound"])
    assert store.latest("demo") is None


def test_a_column_of_mixed_types_is_named(store: SnapshotStore) -> None:
    with pytest.raises(SourceError, match=r"column 'odd' mixes types \(int, str\)"):
        store.save("demo", pd.DataFrame({"fine": [1, 2], "odd": [1, "two"]}))


def test_nothing_is_printed(store: SnapshotStore, frame: pd.DataFrame, capfd: pytest.CaptureFixture[str]) -> None:
    snapshot = store.save("demo", frame)
    shutil.rmtree(snapshot.path)
    store.load("demo", snapshot.version)
    assert capfd.readouterr() == ("", "")


LIMITED = """
    import os, sys
    from pathlib import Path
    import numpy as np, pandas as pd
    from infra.settings import calm_tools, load_settings
    calm_tools()
    from infra.snapshots import SnapshotStore
    from leitstand.errors import StateError
    from leitstand.texts import text
    if os.getuid() == 0 and sys.argv[2:]:  # root may write everywhere, and nobody else may read the Python of root: so load all, then change
        text("infra.disk", path="", detail="")
        SnapshotStore(load_settings(home=Path(sys.argv[2]))).save("demo", pd.DataFrame({"a": [1.0]}))
        os.setuid(65534)
    store = SnapshotStore(load_settings(home=Path(sys.argv[1])))
    try:
        store.save("demo", pd.DataFrame({"a": np.random.default_rng(0).normal(size=200_000)}))
    except StateError as error:
        print(error)
"""


def test_a_full_disk_is_one_clear_message_and_nothing_counts(
    store: SnapshotStore, new_settings: Settings, run_python: Run
) -> None:
    megabyte = 1 << 20
    process = run_python(
        LIMITED, new_settings.home, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (megabyte, megabyte))
    )
    said, problems = process.communicate(timeout=60)
    assert "cannot be written: File too large" in said, problems
    assert store.latest("demo") is None
    assert list((new_settings.root / "data" / "demo").iterdir()) == []


def test_a_folder_without_write_access_is_one_clear_message(tmp_path: Path, run_python: Run) -> None:
    (tmp_path / "home").mkdir(mode=0o555)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    said, problems = run_python(LIMITED, tmp_path / "home", tmp_path / "open").communicate(timeout=60)
    assert "cannot be written: Permission denied" in said, problems


SAVER = """
    import os, sys
    from pathlib import Path
    import numpy as np, pandas as pd
    from infra.settings import calm_tools, load_settings
    calm_tools()
    from infra.snapshots import SnapshotStore
    store = SnapshotStore(load_settings(home=Path(sys.argv[1])))
    print("ready", flush=True)
    for number in range(int(sys.argv[2])):
        print(store.save("demo", pd.DataFrame({"a": np.arange(200_000) * 1.0 + number})).version, flush=True)
"""


def test_processes_that_save_at_once_wait_for_each_other(store: SnapshotStore, new_settings: Settings, run_python: Run) -> None:
    processes = [run_python(SAVER, new_settings.home, 4) for _ in range(2)]
    for process in processes:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems
    versions = {note.version for note in store.provenance("demo")}
    assert (len(store.provenance("demo")), len(versions)) == (8, 4)


def test_kill_9_while_saving_leaves_only_whole_versions(store: SnapshotStore, new_settings: Settings, run_python: Run) -> None:
    for wait in range(4):
        process = run_python(SAVER, new_settings.home, 1000)
        assert process.stdout is not None
        for _ in range(wait + 1):
            process.stdout.readline()
        process.kill()
        process.wait()
    for note in store.provenance("demo"):
        assert len(store.load("demo", note.version)) == 200_000
    assert store.save("demo", pd.DataFrame({"a": [1.0]})).created
    assert list((new_settings.root / "data" / "demo").glob(".incoming-*")) == []


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(width=64),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))),
            st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_table_survives_and_its_bytes_depend_on_nothing_else(rows: list[tuple[float, str | None, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["number", "text", "whole"]).astype({"text": object})
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"leitstand-parquet-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    try:
        write_parquet(frame, folder / "data.parquet")
        first = folder_hash(folder)
        found, _ = read_parquet(folder / "data.parquet")
        pd.testing.assert_frame_equal(found, frame)
        write_parquet(found, folder / "data.parquet")
        assert folder_hash(folder) == first
    finally:
        shutil.rmtree(folder)
