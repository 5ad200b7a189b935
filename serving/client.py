"""Talking to a running service, as flows and the demo do."""

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
import pandas as pd

from leitstand.contract import Contract
from leitstand.errors import ServiceError
from leitstand.texts import Language
from serving.answers import FeedbackResponse, PredictResponse


class Client:
    """A client for one project.

    Parameters
    ----------
    url : of the service
    project : name
    language : of the messages when the service refuses something
    """

    def __init__(self, url: str, project: str, *, language: Language = "en", seconds: float = 60.0) -> None:
        self.url, self.project = url, project
        # trust_env: a proxy set for the company's network must not see what is sent on loopback
        self._http = httpx.Client(base_url=url, timeout=seconds, trust_env=False, headers={"Accept-Language": language})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def predict(self, rows: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]] = ()) -> PredictResponse:
        """Return the answers to rows of JSON values (see ``as_rows``), in their order.

        Parameters
        ----------
        history : earlier rows, for projects whose features look back

        Raises
        ------
        ServiceError
            If the service does not answer or refuses; holds its message.
        """
        answer = self._send(
            "POST", f"/{self.project}/predict", {"rows": list(rows)} | ({"history": list(history)} if history else {})
        )
        return PredictResponse.model_validate_json(answer.content)

    def feedback(self, labels: Mapping[str, Any]) -> FeedbackResponse:
        """Send the truth by prediction id.

        Raises
        ------
        ServiceError
            If the service does not answer or refuses; holds its message.
        """
        listed = [{"id": identifier, "value": as_json(value)} for identifier, value in labels.items()]
        answer = self._send("POST", f"/{self.project}/feedback", {"labels": listed})
        return FeedbackResponse.model_validate_json(answer.content)

    def ready(self) -> bool:
        """Say whether the project's model answers."""
        try:
            return self._http.get(f"/{self.project}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _send(self, method: str, path: str, content: Mapping[str, Any]) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=content)
        except httpx.TransportError as error:
            raise ServiceError("serving.service_silent", url=self.url, detail=str(error) or type(error).__name__) from error
        if answer.is_error:
            raise ServiceError("serving.service_refused", url=self.url, status=answer.status_code, detail=_detail(answer))
        return answer


def as_rows(frame: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Return a checked frame as rows that the service takes: missing values left out, files read and base64-encoded.

    Parameters
    ----------
    contract : of the request; other columns of the frame are left out
    """
    columns = [column for column in contract.columns if column.name in frame.columns]
    rows: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for column in columns:
        for row, value in zip(rows, frame[column.name].tolist(), strict=True):
            made = _encoded(value) if column.type == "file" else as_json(value)
            if made is not None:
                row[column.name] = bool(made) if column.type == "boolean" else made
    return rows


def as_json(value: Any) -> Any:
    """Return one value of a frame as JSON has it; missing ones as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _encoded(value: Any) -> str | None:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    content = value if isinstance(value, bytes) else Path(value).read_bytes()
    return base64.b64encode(content).decode("ascii")


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
