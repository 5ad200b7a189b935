"""Which file the output of a batch may take the place of: answers of an earlier batch, never what is read or learned from."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leitstand.errors import UsageError
from leitstand.spec import ProjectSpec, Source

ID_COLUMNS = {"prediction_id", "leitstand_prediction_id"}
LINE_BYTES = 1 << 20


def check_replaceable(output: Path, source: Source, spec: ProjectSpec, workspace: Path, *, overwrite: bool) -> None:
    """See whether the output may appear where it shall.

    Parameters
    ----------
    output : resolved
    source : of the batch
    workspace : what relative paths of the project's own sources start from
    overwrite : whether a person asked to replace a file that holds no answers

    Raises
    ------
    UsageError
        If the output is a file that the batch reads or the project learns from, or, without ``overwrite``, another file that holds no answers.
    """
    if not output.exists():
        return
    answers = holds_answers(output)
    for one in (source, *spec.data.sources.values()):
        if any(output.samefile(file) for file in _files(one, workspace) if file.exists()) or (
            _is_inside(output, one, workspace) and not answers
        ):
            raise UsageError("batch.output_is_source", path=output)
    if not (answers or overwrite):
        raise UsageError("batch.output_exists", path=output)


def holds_answers(path: Path) -> bool:
    """Return whether an earlier batch made this file: only such a file has a column of prediction ids."""
    if path.suffix.lower() == ".parquet":
        try:
            return bool(ID_COLUMNS & set(pq.read_schema(path).names))
        except (pa.ArrowException, OSError):
            return False
    with path.open("rb") as file:
        line = file.readline(LINE_BYTES).decode("utf-8-sig", errors="replace")
    # a spreadsheet that saved the answers again may have chosen another delimiter
    return bool(ID_COLUMNS & {name.strip().strip('"') for name in re.split(r"[,;\t]", line)})


def _files(source: Source, workspace: Path) -> Iterator[Path]:
    if source.file is not None:
        yield workspace / source.file.expanduser()
    elif source.folder is not None:
        yield workspace / source.folder.expanduser() / source.manifest


def _is_inside(output: Path, source: Source, workspace: Path) -> bool:
    """Return whether the output lies in the folder of a source; answers of the night before may, the files that it describes may not go."""
    return source.folder is not None and output.is_relative_to((workspace / source.folder.expanduser()).resolve())
