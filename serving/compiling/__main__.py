"""Compile the model of one release: ``python -m serving.compiling RELEASE_FOLDER``.

Prints one line, whether the compiled form is used. Ends with 1 and one line on stderr where there is no whole release.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from infra.releases import COMPILED_FOLDER, HOLDOUT_FILE, MODEL_FOLDER, RELEASE_FILE, Release
from leitstand.errors import LeitstandError, ModelError
from leitstand.model_file import load_model
from serving.compiling import compile_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile the release in the folder that ``arguments`` (by default those of the process) name; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.compiling", description="Compile the model of one release.")
    parser.add_argument("folder", type=Path, metavar="RELEASE_FOLDER")
    folder: Path = parser.parse_args(arguments).folder
    try:
        release = _release(folder)
        model = load_model(folder / MODEL_FOLDER, release.sha256)
        compilation = compile_model(model, _holdout(folder), folder / COMPILED_FOLDER, release.sha256)
    except (LeitstandError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # noqa: T201
        return 1
    print(compilation.say("en"))  # noqa: T201
    return 0


def _release(folder: Path) -> Release:
    path = folder / RELEASE_FILE
    try:
        return Release.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError("infra.release_unreadable", path=path) from error


def _holdout(folder: Path) -> pd.DataFrame:
    path = folder / HOLDOUT_FILE
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame()


if __name__ == "__main__":
    sys.exit(main())
