"""The curl examples of the documents, run as they are written against a service that answers under the names they use."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import Settings
from serving.launch import Service, start_service

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:3000"
STRICT = 'set -e -o pipefail\ncurl() { command curl --fail-with-body --noproxy "*" "$@"; }\n'  # a refusal fails the test, with what it said


def blocks(document: str) -> list[str]:
    """Return the shell examples of a document that ask the service."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if f"curl -s {ADDRESS}" in block]


@pytest.fixture(scope="module")
def asked(documented: Settings) -> Iterator[Service]:
    with start_service(["my_case", "cell_diagnostics", "acoustic_maintenance"], documented) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("document", ["README.md", "docs/serving.md"])
def test_the_calls_of_the_documents_work_as_they_are_written(document: str, asked: Service, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "sound.wav").write_bytes(bytes(range(100, 140)))
    examples = blocks(document)
    assert examples
    for example in examples:
        script = STRICT + example.replace(ADDRESS, asked.url)
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{example}\n{done.stdout}\n{done.stderr}"
        assert '"matched":1' in done.stdout
