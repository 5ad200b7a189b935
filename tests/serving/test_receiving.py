"""New rows sent to a running service: on disk before the answer, checked for form only, with a right of their own."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from own_stage import copied
from pydantic import ValidationError

from infra.api_keys import KeyStore
from infra.received import Received
from infra.settings import Settings
from leitstand.errors import ProjectError
from leitstand.project import load
from serving.launch import Service, start_service
from serving.openapi import document
from serving.schema import data_model

pytestmark = pytest.mark.slow
ROW = {"mean radius": 12.5, "mean texture": 20, "mean area": None, "lab": "north", "diagnosis": "benign"}


@pytest.fixture(scope="module")
def receiving(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Settings]]:
    settings = copied(stage, tmp_path_factory.mktemp("receiving"))
    for name in ("cells", "line"):
        let_rows_in(settings, name)
    with start_service(["cells", "line", "numbers"], settings) as running:
        yield running, settings


def let_rows_in(settings: Settings, name: str) -> None:
    path = settings.workspace / "projects" / name / "project.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["data"]["incoming"] = {"api": True}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def http(receiving: tuple[Service, Settings]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=receiving[0].url, trust_env=False, timeout=30) as client:
        yield client


def kept(settings: Settings, project: str) -> list[Any]:
    received = Received(settings.database("history"))
    try:
        return [(one.id, json.loads(one.content), one.client) for one in received.waiting(project)]
    finally:
        received.close()


def test_rows_are_kept_before_the_answer_and_values_are_not_judged(
    receiving: tuple[Service, Settings], http: httpx.Client
) -> None:
    strange = ROW | {"mean radius": -7, "lab": "south pole"}
    answer = http.post("/cells/data", json={"rows": [ROW, strange], "id": "batch 1"})
    assert (answer.status_code, answer.json()) == (202, {"received": 2, "duplicate": False})
    assert ([ROW, strange], "http:127.0.0.1") in [one[1:] for one in kept(receiving[1], "cells")]


def test_the_same_rows_count_once_and_the_same_rows_under_another_id_twice(http: httpx.Client) -> None:
    answers = [
        http.post("/cells/data", json={"rows": [ROW | {"mean radius": 1}], **id_}).json()
        for id_ in ({}, {}, {"id": "x"}, {"id": "x"})
    ]
    assert [one["duplicate"] for one in answers] == [False, True, False, True]
    other = http.post("/cells/data", json={"rows": [ROW | {"mean radius": 2}], "id": "x"}).json()
    assert other["duplicate"] is False, "other rows are no repetition, whatever somebody calls them"


def test_times_are_kept_in_one_form(receiving: tuple[Service, Settings], http: httpx.Client) -> None:
    assert http.post("/line/data", json={"rows": [{"time": "31.01.2026 14:30", "machine": "AB-1"}]}).status_code == 202
    assert kept(receiving[1], "line")[0][1] == [{"time": "2026-01-31T14:30:00", "machine": "AB-1"}]


@pytest.mark.parametrize(
    "body",
    [
        {"rows": []},
        {"rows": [{"radius": 1}]},
        {"rows": [{"mean radius": "much"}]},
        {"rows": [{"lab": "a\x00b"}]},
        {"rows": [ROW], "id": ""},
        {"rows": [ROW] * 201},
        {"rows": [ROW], "more": 1},
    ],
)
def test_another_form_is_refused_as_a_whole(body: Any, receiving: tuple[Service, Settings], http: httpx.Client) -> None:
    before = kept(receiving[1], "cells")
    answer = http.post("/cells/data", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert kept(receiving[1], "cells") == before


def test_a_project_that_takes_no_rows_says_how_to_allow_it(http: httpx.Client) -> None:
    answer = http.post("/numbers/data", json={"rows": [{"a": 1}]}, headers={"Accept-Language": "de"})
    assert answer.status_code == 404
    assert "incoming: {api: true}" in answer.json()["detail"]
    assert "nach einem Neustart" in answer.json()["detail"]
    assert "/numbers/data" not in http.get("/numbers/openapi.json").json()["paths"]


def test_the_document_promises_what_is_done(stage: Any, http: httpx.Client) -> None:
    told = http.get("/cells/openapi.json").json()
    operation = told["paths"]["/cells/data"]["post"]
    assert {"202", "422", "403"} <= operation["responses"].keys()
    assert "200" not in operation["responses"]
    assert set(told["components"]["schemas"]["NewRow"]["properties"]) == set(ROW)
    assert "minimum" not in json.dumps(told["components"]["schemas"]["NewRow"]["properties"]["mean radius"])
    german = document(stage.projects["cells"], 1, "de", protected=False)
    assert "/cells/data" not in german["paths"]


def test_a_whole_table_of_types_is_checked_for_form(stage: Any) -> None:
    model = data_model(stage.projects["line"])
    rows = [{"time": "2026-01-31", "cycles": 3.0, "oiled": True, "built": "31.01.2026", "viscosity": -4, "machine": "anything"}]
    assert model.model_validate({"rows": rows}).rows[0]["cycles"] == 3  # type: ignore[attr-defined]
    for wrong in ({"cycles": 2.5}, {"oiled": 1}, {"built": "soon"}, {"temperature": True}):
        with pytest.raises(ValidationError, match="validation error"):
            model.model_validate({"rows": [wrong]})


def test_columns_of_files_cannot_come_this_way(stage: Any) -> None:
    project = stage.projects["sounds"]
    path = project.folder / "project.yaml"
    before = path.read_text(encoding="utf-8")
    content = yaml.safe_load(before)
    content["data"]["incoming"] = {"api": True}
    try:
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        with pytest.raises(ProjectError, match="the columns recording hold files"):
            load(project.folder, project.contract)
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_right_to_send_data_is_one_of_its_own_and_kill_9_loses_nothing(stage: Any, tmp_path: Any) -> None:
    settings = copied(stage, tmp_path)
    let_rows_in(settings, "cells")
    store = KeyStore(settings.database("keys"))
    may = store.create("erp", ["cells"], ["data"], who="Ada").text
    may_not = store.create("shop", ["cells"], ["predict", "feedback"], who="Ada").text
    store.close()
    with start_service(["cells"], settings) as running, httpx.Client(base_url=running.url, trust_env=False, timeout=30) as http:
        refused = http.post("/cells/data", json={"rows": [ROW]}, headers={"X-API-Key": may_not})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:leitstand:problem:right-missing")
        assert http.post("/cells/predict", json={"rows": [ROW]}, headers={"X-API-Key": may}).status_code == 403
        for number in range(20):
            rows = [ROW | {"mean radius": number}]
            sent = http.post("/cells/data", json={"rows": rows, "id": str(number)}, headers={"X-API-Key": may})
            assert sent.status_code == 202
        running.process.kill()
    assert [rows[0]["mean radius"] for _, rows, _ in kept(settings, "cells")] == list(range(20))
