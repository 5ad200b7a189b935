"""Files as forms: what curl -F sends is answered as the same row in JSON is, and refused by the same rules."""

import base64
from typing import Any

import httpx
import pytest


@pytest.fixture
def http(service: Any):
    with httpx.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        yield client


RECORDING = bytes(range(100, 140))


def test_a_form_that_a_foreign_page_made_a_browser_send_is_refused(http: httpx.Client) -> None:
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        sent = http.post("/sounds/predict", files={"recording": ("a", RECORDING)}, headers={"Sec-Fetch-Site": site})
        assert sent.status_code == status, sent.text


def test_a_form_is_answered_as_the_same_row_in_json(http: httpx.Client) -> None:
    form = http.post("/sounds/predict", files={"recording": ("../../etc/passwd", RECORDING)}).json()
    row = {"recording": base64.b64encode(RECORDING).decode()}
    json = http.post("/sounds/predict", json={"rows": [row]}).json()
    assert form["predictions"][0]["score"] == json["predictions"][0]["score"]


@pytest.mark.parametrize(
    ("files", "status", "found"),
    [
        ({"recording": ("a.mp3", RECORDING, "audio/mpeg")}, 415, "found audio/mpeg"),
        ({"recording": ("a", b"x" * 65)}, 422, "recording"),
        ({"recordings": ("a", RECORDING)}, 422, "Did you mean"),
        ([("recording", ("a", RECORDING)), ("recording", ("b", RECORDING))], 400, "files"),
    ],
)
def test_a_form_that_breaks_the_contract_is_refused(http: httpx.Client, files: Any, status: int, found: str) -> None:
    answer = http.post("/sounds/predict", files=files)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, found in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    "body", [b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", b"garbage" * 100]
)
def test_a_broken_form_is_a_clear_refusal(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/sounds/predict", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in (400, 422)
    assert answer.json()["status"] == answer.status_code


def test_a_form_without_boundary_is_a_clear_refusal(http: httpx.Client) -> None:
    answer = http.post("/sounds/predict", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 400


def test_a_form_beyond_the_limit_is_cut_off(http: httpx.Client) -> None:
    answer = http.post("/sounds/predict", files={"recording": ("a", b"x" * 21_000_000)})
    assert answer.status_code == 413


def test_a_project_without_files_takes_no_forms(http: httpx.Client) -> None:
    assert http.post("/cells/predict", files={"lab": ("a", b"x")}).status_code == 415
