"""The batch as a bare script: read a chunk, predict, write, and nothing else; prints the seconds spent in ``predict_proba``."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from infra.releases import MODEL_FOLDER, RELEASE_FILE, Release
from leitstand.model_file import load_model

CHUNK_ROWS = 50_000


def main(release: Path, data: Path, output: Path) -> None:
    """Predict every row of the file."""
    sha256 = Release.model_validate_json((release / RELEASE_FILE).read_text()).sha256
    model = load_model(release / MODEL_FOLDER, sha256).estimator
    seconds, writer = 0.0, None
    for chunk in chunks(data):
        table = pa.Table.from_batches([chunk])
        frame = table.to_pandas()
        started = time.perf_counter()
        probabilities = model.predict_proba(frame)
        seconds += time.perf_counter() - started
        table = table.append_column("prediction", pa.array(model.classes_[probabilities.argmax(axis=1)]))
        table = table.append_column("probability", pa.array(np.ascontiguousarray(probabilities[:, 1])))
        if writer is None:
            writer = (
                pq.ParquetWriter(output, table.schema, use_dictionary=False)
                if output.suffix == ".parquet"
                else pacsv.CSVWriter(output, table.schema)
            )
        writer.write_table(table)
    if writer is not None:
        writer.close()
    print(seconds)


def chunks(data: Path) -> Iterator[pa.RecordBatch]:
    if data.suffix == ".parquet":
        yield from pq.ParquetFile(data).iter_batches(CHUNK_ROWS)
    else:
        with pacsv.open_csv(data, pacsv.ReadOptions(block_size=CHUNK_ROWS * 30 * 9)) as reader:
            yield from reader


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
