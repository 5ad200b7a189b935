"""Whatever comes in, an answer goes out: 2xx as the document promises, or a problem document, never 5xx, never nothing.

``make fuzz`` runs schemathesis on 20,000 cases instead of a few hundred.
"""

import codecs
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from own_stage import copied, row

from serving.launch import Service, start_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
CASES = int(os.environ.get("FUZZ_CASES", "240"))  # of schemathesis, over all projects and besides its own fixed ones
PROJECTS = ("cells", "line", "numbers", "sounds")
OPERATIONS = 6
SUPPORT = Path(__file__).parent.parent / "support"
MOST = hypothesis_settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PATHS = st.sampled_from([f"/{name}/{path}" for name in PROJECTS for path in ("predict", "feedback", "explain")])


@pytest.fixture(scope="module")
def fuzzed(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with start_service(PROJECTS, copied(stage, tmp_path_factory.mktemp("fuzz"))) as running:
        yield running


@pytest.mark.parametrize("name", PROJECTS)
def test_schemathesis_finds_nothing(name: str, fuzzed: Service, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    each = CASES // len(PROJECTS) // OPERATIONS
    phases = "examples,coverage,fuzzing" if name == "cells" or CASES > 10_000 else "examples,fuzzing"
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{fuzzed.url}/{name}/openapi.json", "--url", fuzzed.url]
    command += ["--checks", "all", "--phases", phases, "--max-examples", str(each), "--seed", "1", "--continue-on-failure"]
    command += ["--generation-database", "none", "--request-timeout", "30", "--no-color"]
    command += ["--report", "json", "--report-json-path", str(report)]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    found = json.loads(report.read_text())
    assert (ended.returncode, found["failures"], found["errors"]) == (0, [], []), ended.stdout
    assert found["test_cases"]["generated"] >= CASES // len(PROJECTS) * 0.8  # small input spaces hold fewer


def ask(fuzzed: Service, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Return status and content; what is no 2xx must be a problem document."""
    where = urlsplit(fuzzed.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=20)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})
        return settled(connection.getresponse())
    finally:
        connection.close()


def settled(answer: HTTPResponse) -> tuple[int, Any]:
    content = json.loads(answer.read())
    if answer.status != 200:
        assert 400 <= answer.status < 500, content
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "detail"} <= content.keys()
        assert content["status"] == answer.status
    return answer.status, content


@given(path=PATHS, body=st.binary(max_size=400))
@MOST
def test_bytes_of_any_kind_are_answered(path: str, body: bytes, fuzzed: Service) -> None:
    assert ask(fuzzed, path, body)[0] in (400, 422)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Return a valid body with pieces cut out, doubled, or replaced by what parsers fall over."""
    body = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 12))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=6) | st.just(bytes(body[start:end])))
        body[start : end if draw(st.booleans()) else start] = piece
    return bytes(body)


PIECES = [
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0.0", b"9" * 400, b"1" + b"0" * 5000, b"0x10", b"1_000", b"00", b".5", b"5.",
    b"null", b"true", b"{}", b"[]", b"{", b"]", b",", b":", b'"', b"\\", b"\\ud800", b"\\ud83d\\ude00", b"\\u0000", b"\x00", b"\xff",
    b"\xed\xa0\x80", codecs.BOM_UTF8, b"/**/", b"'", b'"rows":[],', b"[" * 300, b'{"a":' * 300,
]  # fmt: skip


@given(data=st.data(), name=st.sampled_from(PROJECTS))
@MOST
def test_mutated_requests_are_answered(data: Any, name: str, stage: Any, fuzzed: Service) -> None:
    valid = json.dumps({"rows": [row(stage, name)]}).encode()
    status, content = ask(fuzzed, f"/{name}/predict", data.draw(mutated(valid)))
    assert status in (200, 400, 422)
    assert status != 200 or len(content["predictions"]) >= 1


VALID = b'{"rows":[{"mean radius":14,"mean texture":1}]}'
ODD = {
    "nested arrays": (b"[" * 10_000 + b"]" * 10_000, {}, 400),
    "nested arrays in a row": (b'{"rows":' + b"[" * 10_000 + b"]" * 10_000 + b"}", {}, 400),
    "nested objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, {}, 400),
    "NaN": (VALID.replace(b"14", b"NaN"), {}, 422),
    "Infinity": (VALID.replace(b"14", b"-Infinity"), {}, 422),
    "1e400": (VALID.replace(b"14", b"1e400"), {}, 422),
    "a huge integer": (VALID.replace(b"14", b"9" * 4000), {}, 422),
    "a very huge integer": (VALID.replace(b"14", b"9" * 100_000), {}, 400),
    "a long fraction": (VALID.replace(b"14", b"14." + b"0" * 100_000), {}, 200),
    "a key twice": (VALID.replace(b"14", b'14,"mean radius":15'), {}, 200),
    "rows twice": (VALID.replace(b'{"rows"', b'{"rows":[],"rows"'), {}, 200),
    "a lone surrogate": (VALID.replace(b"14", b'14,"lab":"\\ud800"'), {}, 400),
    "a key of a lone surrogate": (VALID.replace(b"14", b'14,"\\udfff":1'), {}, 400),
    "a long key": (VALID.replace(b"14", b'14,"' + b"k" * 1_000_000 + b'":1'), {}, 422),
    "UTF-8 with a mark": (codecs.BOM_UTF8 + VALID, {}, 400),
    "UTF-16": (VALID.decode().encode("utf-16"), {}, 400),
    "UTF-16 by its header": (VALID.decode().encode("utf-16"), {"Content-Type": "application/json; charset=utf-16"}, 400),
    "gzip": (gzip.compress(VALID), {"Content-Encoding": "gzip"}, 415),
    "an unknown encoding": (VALID, {"Content-Encoding": "br, gzip"}, 415),
    "no encoding": (VALID, {"Content-Encoding": "identity"}, 200),
    "two documents": (VALID * 2, {}, 400),
    "nothing": (b"", {}, 400),
    "null": (b"null", {}, 422),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_documents_have_one_outcome(case: str, fuzzed: Service) -> None:
    body, headers, expected = ODD[case]
    assert ask(fuzzed, "/cells/predict", body, headers)[0] == expected


@given(sizes=st.lists(st.integers(1, 30), max_size=20))
@hypothesis_settings(MOST, max_examples=30)
def test_pieces_of_any_size_are_one_request(sizes: list[int], fuzzed: Service) -> None:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(VALID[start : start + size])
        start += size
    pieces = [piece for piece in [*pieces, VALID[start:]] if piece]
    where = urlsplit(fuzzed.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=20)
    connection.request("POST", "/cells/predict", iter(pieces), {"Content-Type": "application/json"}, encode_chunked=True)
    assert settled(connection.getresponse())[0] == 200
    connection.close()
