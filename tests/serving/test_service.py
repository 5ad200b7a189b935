"""The running service, asked over HTTP."""

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from serving.client import as_rows
from serving.schema import example

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def http(service: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client:
        yield client


def post(http: httpx.Client, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return http.post(path, content=content, headers={"Content-Type": "application/json", **headers})


def rows(stage: Any, name: str, count: int) -> list[dict[str, Any]]:
    return as_rows(stage.frames[name].head(count), stage.projects[name].input_contract)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    content = answer.json()
    assert (answer.status_code, content["status"], content["type"]) == (status, status, f"urn:leitstand:problem:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert not any(trace in answer.text for trace in ("Traceback", ".py", "site-packages"))
    return content


def test_answers_equal_those_of_the_model_in_process(stage: Any, http: httpx.Client) -> None:
    answer = post(http, "/cells/predict", {"rows": rows(stage, "cells", 100)}).json()
    expected = stage.models["cells"].predict(stage.projects["cells"], stage.frames["cells"].head(100))
    assert [made["prediction"] for made in answer["predictions"]] == expected.value.tolist()
    assert [made["score"] for made in answer["predictions"]] == expected.score.tolist()
    assert answer["predictions"][0]["probabilities"].keys() == {"benign", "malignant"}
    assert answer["model"] == {"name": "cells", "version": 1, "data_version": "d0c5", "synthetic": False}


def test_earlier_rows_of_a_request_are_history_to_later_ones(stage: Any, http: httpx.Client) -> None:
    answer = post(http, "/line/predict", {"rows": rows(stage, "line", 50)}).json()["predictions"]
    expected = stage.models["line"].predict(stage.projects["line"], stage.frames["line"].head(50))
    assert [made["prediction"] for made in answer] == expected.value.tolist()
    assert [made["upper"] for made in answer] == (expected.value + 2.5).tolist()
    alone = post(http, "/line/predict", {"rows": rows(stage, "line", 50)[-1:]}).json()["predictions"][0]
    assert alone["prediction"] != answer[-1]["prediction"]


def test_files_come_in_as_base64_and_are_judged(stage: Any, http: httpx.Client) -> None:
    normal = stage.frames["sounds"]["recording"].iloc[0]
    sent = [{"recording": base64.b64encode(content).decode()} for content in (normal, bytes([0, 255] * 20))]
    answer = post(http, "/sounds/predict", {"rows": sent}).json()["predictions"]
    assert [made["prediction"] for made in answer] == [False, True]
    assert answer[1]["score"] > answer[0]["score"]
    logged = stage.log.read("sounds").set_index("id").loc[answer[0]["id"], "recording"]
    assert logged.startswith("sha256:")


def test_values_outside_training_are_flagged_by_column(stage: Any, http: httpx.Client) -> None:
    row = rows(stage, "cells", 1)[0] | {"mean radius": 49.0}
    answer = post(http, "/cells/predict", {"rows": [row]}).json()["predictions"][0]
    assert answer["flags"] == [{"name": "outside_training_range", "columns": ["mean radius"]}]


def test_advice_comes_with_the_predictions_it_follows_from(stage: Any, http: httpx.Client) -> None:
    for made in post(http, "/line/predict", {"rows": rows(stage, "line", 50)}).json()["predictions"]:
        expected = {"action": "cool", "kelvin": made["prediction"] - 10} if made["prediction"] > 10 else None
        assert made["advice"] == expected


def test_every_answer_is_in_the_log_with_its_inputs(stage: Any, http: httpx.Client) -> None:
    sent = rows(stage, "line", 20)
    answer = post(http, "/line/predict", {"rows": sent}).json()["predictions"]
    kept = stage.log.read("line").set_index("id").loc[[made["id"] for made in answer]]
    assert kept["prediction"].tolist() == [made["prediction"] for made in answer]
    assert kept["temperature"].tolist() == [row["temperature"] for row in sent]
    assert kept["time"].notna().all()
    assert kept["request_id"].nunique() == 1
    assert (kept["client"] == "127.0.0.1").all()


def test_feedback_finds_its_predictions_and_names_the_unknown(stage: Any, http: httpx.Client) -> None:
    ids = [made["id"] for made in post(http, "/cells/predict", {"rows": rows(stage, "cells", 3)}).json()["predictions"]]
    labels = [{"id": ids[0], "value": "benign"}, {"id": ids[1], "value": "malignant"}, {"id": "nobody", "value": "benign"}]
    assert post(http, "/cells/feedback", {"labels": labels}).json() == {"matched": 2, "unknown": ["nobody"]}
    kept = stage.log.read("cells").set_index("id")["label"]
    assert [kept[ids[0]], kept[ids[1]]] == ["benign", "malignant"]


def test_labels_that_contradict_each_other_are_refused(http: httpx.Client) -> None:
    labels = [{"id": "a", "value": "benign"}, {"id": "a", "value": "malignant"}]
    assert "stands twice" in problem(post(http, "/cells/feedback", {"labels": labels}), 409, "request-invalid")["detail"]


def test_a_label_must_be_a_value_of_the_target(http: httpx.Client) -> None:
    found = problem(post(http, "/cells/feedback", {"labels": [{"id": "a", "value": "evil"}]}), 422, "request-invalid")
    assert found["detail"] == 'Row 1, \'value\': expected one of "malignant", "benign", found "evil".'


BROKEN = {
    "nothing": ("", 400, "json-invalid"),
    "not json": ('{"rows": [', 400, "json-invalid"),
    "not utf-8": (b'{"rows": "\xff"}', 400, "json-invalid"),
    "deep nesting": ("[" * 10_000, 400, "json-invalid"),
    "huge integer": ('{"rows": [{"mean radius": ' + "9" * 5000 + "}]}", 400, "json-invalid"),
    "not an object": ("[]", 422, "request-invalid"),
    "no rows": ({"rows": []}, 422, "request-invalid"),
    "rows no list": ({"rows": {}}, 422, "request-invalid"),
    "row no object": ({"rows": [1]}, 422, "request-invalid"),
    "unknown key": ({"rows": [{}], "more": 1}, 422, "request-invalid"),
    "missing columns": ({"rows": [{}]}, 422, "request-invalid"),
    "nan": ('{"rows": [{"mean radius": NaN, "mean texture": 1}]}', 422, "request-invalid"),
    "infinity": ('{"rows": [{"mean radius": Infinity, "mean texture": 1}]}', 422, "request-invalid"),
    "1e400": ('{"rows": [{"mean radius": 1e400, "mean texture": 1}]}', 422, "request-invalid"),
    "text for number": ({"rows": [{"mean radius": "14", "mean texture": 1}]}, 422, "request-invalid"),
    "bool for number": ({"rows": [{"mean radius": True, "mean texture": 1}]}, 422, "request-invalid"),
    "null for required": ({"rows": [{"mean radius": None, "mean texture": 1}]}, 422, "request-invalid"),
    "beyond the range": ({"rows": [{"mean radius": 51, "mean texture": 1}]}, 422, "request-invalid"),
    "not allowed": (
        {"rows": [{"mean radius": 5, "mean texture": 1, "lab": "'; DROP TABLE predictions"}]},
        422,
        "request-invalid",
    ),
    "too many rows": ({"rows": [{"mean radius": 5, "mean texture": 1}] * 201}, 422, "request-invalid"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_bad_input_gets_one_clear_answer_and_is_not_logged(case: str, stage: Any, http: httpx.Client) -> None:
    body, status, kind = BROKEN[case]
    before = stage.log.count("cells")
    content = problem(post(http, "/cells/predict", body), status, kind)
    assert content["detail"].endswith(".")
    jsonschema.validate(content, http.get("/cells/schema").json()["problem"])
    assert stage.log.count("cells") == before


def test_messages_name_row_column_expectation_and_finding(http: httpx.Client) -> None:
    body = {"rows": [{"mean radius": 14, "mean texture": 1}, {"mean radius": 71.2, "mean textur": 1}]}
    errors = problem(post(http, "/cells/predict", body), 422, "request-invalid")["errors"]
    assert [error["detail"] for error in errors] == [
        "Row 2, 'mean radius': expected a number from 0 to 50 in µm, found 71.2.",
        "Row 2: 'mean texture' is missing; expected a number from 0 to 100.",
        "Row 2: there is no column 'mean textur'. Did you mean: mean texture, mean area, mean radius?",
    ]
    assert (errors[0]["pointer"], errors[0]["row"], errors[0]["column"]) == ("#/rows/1/mean radius", 2, "mean radius")


def test_at_most_twenty_errors_are_listed_and_all_are_counted(http: httpx.Client) -> None:
    body = {"rows": [{"mean radius": -1, "mean texture": -1}] * 50}
    content = problem(post(http, "/cells/predict", body), 422, "request-invalid")
    assert len(content["errors"]) == 20
    assert "And 99 more" in content["detail"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.5", "de"),
        ("fr, en;q=0.2, de;q=0.1", "en"),
        ("fr", "en"),
        ("de;q=x", "en"),
        ("en ; q=0.5 , de; Q = 0.9", "de"),
    ],
)
def test_messages_come_in_the_language_asked_for(http: httpx.Client, header: str, language: str) -> None:
    answer = post(http, "/cells/predict", {"rows": [{"mean radius": 71.2, "mean texture": 1}]}, **{"Accept-Language": header})
    said = {
        "de": "Zeile 1, 'mean radius': erwartet eine Zahl von 0 bis 50 in µm, gefunden 71.2.",
        "en": "Row 1, 'mean radius': expected a number from 0 to 50 in µm, found 71.2.",
    }
    assert problem(answer, 422, "request-invalid")["detail"] == said[language]
    assert answer.headers["content-language"] == language


def test_a_body_over_the_limit_is_refused(http: httpx.Client) -> None:
    padding = " " * 100_001
    assert "larger than 0.1 MB" in problem(post(http, "/line/predict", padding), 413, "body-too-large")["detail"]
    problem(
        http.post("/line/predict", content=iter([padding.encode()] * 2), headers={"Content-Type": "application/json"}),
        413,
        "body-too-large",
    )


def test_an_endless_body_is_cut_off(http: httpx.Client) -> None:
    head = (
        b"POST /line/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"
    )
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=30) as raw:
        raw.sendall(head + b" " * 500_000)
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_only_json_is_taken_so_that_no_web_page_can_post_a_form(http: httpx.Client) -> None:
    answer = http.post("/cells/predict", content="{}", headers={"Content-Type": "text/plain"})
    assert "found 'text/plain'" in problem(answer, 415, "media-type")["detail"]


def test_an_unknown_project_is_answered_with_the_nearest(http: httpx.Client) -> None:
    assert "Did you mean: cells?" in problem(post(http, "/cels/predict", {}), 404, "project-unknown")["detail"]


@pytest.mark.parametrize(
    "path",
    ["/docs.json", "/schema.json", "/static_content/x", "/cells/predict/x", "/..%2f..%2fetc/passwd"],
)
def test_there_is_nothing_but_our_paths(http: httpx.Client, path: str) -> None:
    problem(http.get(path), 404, "path-unknown")


def test_the_name_of_a_project_alone_leads_to_its_page(http: httpx.Client) -> None:
    assert http.get("/cells").headers["location"] == "cells/"
    assert "<title>" in http.get("/cells", follow_redirects=True).text


def test_a_wrong_method_is_told_the_right_one(http: httpx.Client) -> None:
    answer = http.get("/cells/predict")
    assert "Use POST." in problem(answer, 405, "method-wrong")["detail"]
    assert answer.headers["allow"] == "POST"


def test_input_that_the_projects_features_refuse_is_the_senders_fault(http: httpx.Client) -> None:
    problem(post(http, "/sounds/predict", {"rows": [{"recording": ""}]}), 422, "input-refused")


def test_an_unexpected_error_tells_an_incident_and_nothing_else(service: Any, http: httpx.Client) -> None:
    content = problem(post(http, "/faulty/predict", {"rows": [{"mode": "raise"}]}), 500, "internal")
    assert content["instance"].startswith("urn:uuid:")
    assert "RuntimeError" not in str(content)
    kept = service.log.read_text()
    assert content["instance"] in kept
    assert "RuntimeError" in kept
    assert "the secret was raise" not in kept


def test_an_answer_that_takes_too_long_is_given_up(http: httpx.Client) -> None:
    assert (
        "No answer within 0.5 s"
        in problem(post(http, "/faulty/predict", {"rows": [{"mode": "sleep"}]}), 503, "too-slow")["detail"]
    )


def test_a_body_that_comes_too_slowly_is_given_up(http: httpx.Client) -> None:
    head = b"POST /faulty/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=30) as raw:
        raw.sendall(head)
        assert raw.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_tampered_model_takes_down_only_its_own_path(http: httpx.Client) -> None:
    detail = problem(http.get("/tampered/readyz"), 503, "model-unavailable")["detail"]
    assert "is not the one that was registered" in detail
    assert "/releases" not in detail
    problem(post(http, "/tampered/predict", {"rows": []}), 503, "model-unavailable")
    state = http.get("/readyz").json()
    assert (state["status"], [name for name, project in state["projects"].items() if project["ready"]]) == (
        "degraded",
        ["cells", "line", "sounds", "faulty"],
    )
    assert "SHA-256" in state["projects"]["tampered"]["detail"]


def test_a_project_without_a_champion_says_what_to_do(http: httpx.Client) -> None:
    answer = http.get("/untrained/readyz", headers={"Accept-Language": "de"})
    assert "Bitte 'leitstand run untrained' ausführen" in problem(answer, 503, "model-unavailable")["detail"]


def test_the_schema_describes_what_is_sent_and_what_comes_back(stage: Any, http: httpx.Client) -> None:
    for name in ("cells", "line", "sounds"):
        told = http.get(f"/{name}/schema").json()
        jsonschema.validate({"rows": rows(stage, name, 5)}, told["predict"]["request"])
        jsonschema.validate(post(http, f"/{name}/predict", {"rows": rows(stage, name, 5)}).json(), told["predict"]["response"])
        assert told["predict"]["example"] == {"rows": [example(stage.projects[name].input_contract)]}
    german = http.get("/cells/schema", headers={"Accept-Language": "de"})
    assert "Mittlerer Radius der Kerne [µm]" in german.text


def test_the_model_path_tells_version_hash_and_card(stage: Any, http: httpx.Client) -> None:
    told = http.get("/line/model").json()
    assert (told["version"], told["sha256"], told["synthetic"]) == (1, stage.versions["line"].sha256, True)
    assert told["card"] == stage.models["line"].card.model_dump(mode="json")


def test_nothing_that_was_sent_stands_in_the_log_file(stage: Any, service: Any, http: httpx.Client) -> None:
    post(http, "/cells/predict", {"rows": [{"mean radius": 47.1147, "mean texture": 1}]})
    post(http, "/cells/predict", {"rows": [{"mean radius": "47.1147", "mean texture": 1}]})
    assert "47.1147" not in service.log.read_text()


def test_the_service_is_alive(http: httpx.Client) -> None:
    answer = http.get("/livez")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
