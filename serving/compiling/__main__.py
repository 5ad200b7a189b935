"""Compile the models of releases: ``python -m serving.compiling RELEASE_FOLDER …``.

Prints one line per release, whether the compiled form is used. Where there is no whole release it says so on stderr, goes on with the next, and
ends with 1.
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
    """Compile the releases in the folders that ``arguments`` (by default those of the process) name; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.compiling", description="Compile the models of releases.")
    parser.add_argument("folders", type=Path, metavar="RELEASE_FOLDER", nargs="+")
    done = [_compiled(folder) for folder in parser.parse_args(arguments).folders]
    return 0 if all(done) else 1


def _compiled(folder: Path) -> bool:
    try:
        release = _release(folder)
        model = load_model(folder / MODEL_FOLDER, release.sha256)
        compilation = compile_model(model, _holdout(folder), folder / COMPILED_FOLDER, release.sha256)
    except (LeitstandError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # noqa: T201
        return False
    print(f"{release.project} version {release.version}: {compilation.say('en')}")  # noqa: T201
    return True


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
