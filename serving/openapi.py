"""The OpenAPI 3.1 document of one project, made from the models that check its requests and shape its answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from leitstand.contract import Scalar
from leitstand.project import Project
from leitstand.texts import Language, messages, text
from serving.answers import DataResponse, FeedbackResponse, PredictResponse
from serving.examples import example_row, refused
from serving.explaining import ExplainResponse, explain_model
from serving.problems import MEDIA_TYPE, ProblemDocument
from serving.receiving import takes_rows
from serving.schema import data_model, example, feedback_model

COMPONENTS = "#/components/schemas/"
EVERYWHERE = (401, 403, 404, 405, 429, 500, 503)
WITH_BODY = (400, 408, 409, 413, 415, 422)
EXAMPLE_ID = "019bdd3c-7e10-7f5a-9c52-3f1d8a6b2c40"
JsonObject = dict[str, Any]


def document(
    project: Project,
    version: int,
    language: Language,
    *,
    server_url: str = "",
    protected: bool,
    usual: Mapping[str, Scalar] | None = None,
) -> JsonObject:
    """Return the document that ``GET /{project}/openapi.json`` answers with.

    Parameters
    ----------
    version : of the model that answers
    language : of all descriptions
    server_url : where the service is reached; empty for wherever the document came from
    protected : whether an API key is needed
    usual : values for the examples, see ``serving.examples.typical``
    """
    title = project.spec.title.in_language(language)
    content: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": str(version), "description": _say("info", language, version=version, title=title)},
        "servers": [{"url": server_url or "/"}],
        "paths": _paths(project, language, usual),
        "components": {
            "schemas": _schemas(project, language),
            "responses": {str(status): _problem(status, language) for status in (*EVERYWHERE, *WITH_BODY)},
            "parameters": {"language": _language_header(language)},
        },
    }
    if protected:
        content["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": _say("bearer", language)},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": _say("api_key", language)},
        }
        content["security"] = [{"bearer": []}, {"apiKey": []}]
    return content


def _paths(project: Project, language: Language, usual: Mapping[str, Scalar] | None) -> JsonObject:
    row = example_row(project, usual)
    asked = None if refused(project, row) else {"rows": [row]}
    told, label = _response_example(project), _label_example(project)
    posts = {
        "predict": ("PredictRequest", asked, "PredictResponse", told),
        "explain": ("ExplainRequest", asked and asked | {"examples": 1}, "ExplainResponse", _explanation_example(project)),
        "feedback": ("FeedbackRequest", label, "FeedbackResponse", {"matched": 1, "unknown": []}),
    }
    if takes_rows(project):
        posts["data"] = ("DataRequest", {"rows": [row]}, "DataResponse", {"received": 1, "duplicate": False})
    gets = {"schema": _object("project", "task", "predict"), "model": _object("name", "version", "card")}
    gets["readyz"] = _object("status", "version")
    most = project.spec.serving.max_rows
    paths: JsonObject = {}
    for name, (request, sent, response, answer) in posts.items():
        content = {"application/json": _media(_reference(request), sent)}
        if name in ("predict", "explain"):
            content |= _form(project)
        responses = _responses(_media(_reference(response), answer), (*EVERYWHERE, *WITH_BODY), language)
        if name == "data":
            responses["202"] = responses.pop("200")
        paths[f"/{project.name}/{name}"] = {
            "post": {
                "operationId": name,
                "summary": _say(name, language, most=most),
                "description": _say(f"{name}_more", language),
                "parameters": [{"$ref": "#/components/parameters/language"}],
                "requestBody": {"required": True, "content": content},
                "responses": responses,
            }
        }
    for name, schema in gets.items():
        key = name.removesuffix("z")
        paths[f"/{project.name}/{name}"] = {
            "get": {
                "operationId": key,
                "summary": _say(key, language),
                "parameters": [{"$ref": "#/components/parameters/language"}],
                "responses": _responses(_media(schema, None), EVERYWHERE, language),
            }
        }
    return paths


def _form(project: Project) -> JsonObject:
    """Return how one row is sent with its files as they are, for projects that have any."""
    files = [column for column in project.input_contract.columns if column.type == "file"]
    media = {column.name: {"contentType": column.media_type} for column in files if column.media_type}
    return {"multipart/form-data": {"schema": _reference("RowForm"), "encoding": media}} if files else {}


def _row_form(row: JsonObject, project: Project) -> JsonObject:
    """Return the schema of a row as a form: files in bytes, and nothing where JSON would say null or an empty text."""
    columns = {column.name: column for column in project.input_contract.columns}
    parts: JsonObject = {}
    for name, schema in row["properties"].items():
        column = columns[name]
        given = schema["anyOf"][0] if {"type": "null"} in schema.get("anyOf", []) else schema
        if column.type == "file":
            given = {"type": "string", "format": "binary"} | {key: given[key] for key in ("description",) if key in given}
            given |= {} if column.max_bytes is None else {"maxLength": column.max_bytes}
        elif column.type == "string":
            given = given | {"minLength": 1}
        parts[name] = given
    return row | {"properties": parts}


def _responses(answer: JsonObject, refusals: Iterable[int], language: Language) -> JsonObject:
    good = {"description": _say("status_200", language), "content": {"application/json": answer}}
    return {"200": good} | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(refusals)}


def _media(schema: JsonObject, example: Any) -> JsonObject:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _reference(name: str) -> JsonObject:
    return {"$ref": COMPONENTS + name}


def _object(*required: str) -> JsonObject:
    return {"type": "object", "required": list(required)}


def _problem(status: int, language: Language) -> JsonObject:
    answer: JsonObject = {
        "description": _say(f"status_{status}", language),
        "content": {MEDIA_TYPE: {"schema": _reference("ProblemDocument")}},
    }
    if status in (429, 503):
        seconds = {"type": "integer", "minimum": 0}
        answer["headers"] = {"Retry-After": {"description": _say("retry_after", language), "schema": seconds}}
    return answer


def _language_header(language: Language) -> JsonObject:
    described = _say("accept_language", language)
    return {"name": "Accept-Language", "in": "header", "required": False, "description": described, "schema": {"type": "string"}}


def _schemas(project: Project, language: Language) -> JsonObject:
    """Return all schemas that the paths refer to, described in ``language``."""
    explained = explain_model(project, language)
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (explained.__mro__[1], "validation"),  # the request model of predict, which shares its rows
        (explained, "validation"),
        (feedback_model(project, language), "validation"),
        (PredictResponse, "serialization"),
        (ExplainResponse, "serialization"),
        (FeedbackResponse, "serialization"),
        (ProblemDocument, "validation"),
    ]
    if takes_rows(project):
        models += [(data_model(project, language), "validation"), (DataResponse, "serialization")]
    schemas: JsonObject = models_json_schema(models, ref_template=COMPONENTS + "{model}")[1]["$defs"]
    if _form(project):
        schemas["RowForm"] = _row_form(schemas["Row"], project)
    for name, schema in schemas.items():
        _describe(schema, name, project, language)
    _add_unit(schemas["Answer"]["properties"], project)
    return schemas


def _describe(schema: JsonObject, name: str, project: Project, language: Language) -> None:
    """Put our words, in the reader's language, in place of the docstrings."""
    data = project.spec.data
    values = {"most": project.spec.serving.max_rows, "target": data.target}
    known = messages("openapi")
    schema.pop("description", None)
    if name in known:
        schema["description"] = _say(name, language, **values)
    for key, member in schema.get("properties", {}).items():
        for label in (f"{name}_{key}", f"{name}_{key}_{project.spec.task}"):
            if name not in ("Row", "RowForm") and label in known and "description" not in member:
                member["description"] = _say(label, language, **values)


def _add_unit(answer: JsonObject, project: Project) -> None:
    unit = project.contract.column(project.spec.data.target).unit
    if unit and project.spec.task == "regression":
        for name in ("prediction", "lower", "upper"):
            answer[name] |= {"unit": unit, "description": f"{answer[name]['description']} [{unit}]"}


def _response_example(project: Project) -> JsonObject:
    """Return an answer of the form that the task has; its figures are invented."""
    answer: JsonObject = {"id": EXAMPLE_ID, "prediction": True, "score": 0.71, "flags": [], "advice": None}
    answer |= {"probabilities": None, "lower": None, "upper": None}
    target = project.contract.column(project.spec.data.target)
    if project.spec.task == "regression":
        answer |= {"prediction": 42.0, "score": None, "lower": 40.5, "upper": 43.5}
    elif project.spec.task == "classification":
        classes = target.allowed[:2] or ("a", "b")
        chances = {str(value): chance for value, chance in zip(classes, (0.93, 0.07), strict=False)}
        answer |= {"prediction": classes[0], "score": 0.93, "probabilities": chances}
    model = {"name": project.name, "version": 1, "data_version": "5f1d8a6b", "synthetic": False}
    return {"predictions": [answer], "model": model}


def _explanation_example(project: Project) -> JsonObject:
    """Return an explanation of one column; its figures are invented and add up."""
    told = _response_example(project)
    answer = told["predictions"][0]["prediction"]
    first = project.input_contract.columns[0].name
    found: JsonObject = {"answer": answer, "unit": project.spec.data.target, "base": 0.5, "prediction": 0.93}
    found |= {
        "contributions": [{"column": first, "value": None, "contribution": 0.43, "looks_back": False}],
        "method": "tree_shap",
    }
    found |= {"evaluations": 0, "standard_error": None, "background_rows": 100, "flags": [], "words": [], "examples": []}
    return {"explanations": [found], "model": told["model"]}


def _label_example(project: Project) -> JsonObject | None:
    target = project.spec.data.target
    sent = {"labels": [{"id": EXAMPLE_ID, "value": example(project.contract.only([target]))[target]}]}
    try:
        feedback_model(project).model_validate(sent)
    except ValidationError:
        return None  # a text with a pattern, say: no example is better than a wrong one
    return sent


def _say(key: str, language: Language, **values: object) -> str:
    return text(f"openapi.{key}", language, **values)
