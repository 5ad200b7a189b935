"""Answers as they leave: JSON with the headers of all answers, and errors in their one form, which tells nothing of our insides."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from leitstand.errors import StateError
from leitstand.texts import Language
from serving.endpoint import without_values
from serving.problems import MEDIA_TYPE, Problem, problem_of
from serving.protection import security_headers
from serving.request import Scope, header, preferred

logger = logging.getLogger("bentoml.leitstand")
HEADERS = {name.decode(): value.decode() for name, value in security_headers(tls=False)}


class Refusing:
    """Makes error answers, in the language that a client likes best.

    Parameters
    ----------
    default : where the client asks for none
    """

    def __init__(self, default: Language) -> None:
        self._default = default

    def language(self, scope: Scope) -> Language:
        """Return the language of an answer."""
        return preferred(header(scope, b"accept-language").decode("latin-1"), self._default)

    def error(self, error: Exception, scope: Scope, seconds: float) -> Response:
        """Return the answer that an error becomes; what we did not expect is logged under a number that the client gets.

        Parameters
        ----------
        seconds : the limit that a time-out was over
        """
        if isinstance(error, StateError):
            logger.error("%s", error)
        problem = problem_of(error, seconds)
        if problem.instance is not None:
            logger.error("%s %s", problem.instance, without_values(error))
        return self.problem(problem, self.language(scope))

    def problem(self, problem: Problem, language: Language) -> Response:
        """Return the answer that a problem is."""
        content = problem.document(language).model_dump(mode="json", exclude_none=True)
        return as_json(content, problem.status, spoken(language) | problem.headers, MEDIA_TYPE)


def as_json(
    content: Any, status: int = 200, headers: Mapping[str, str] = HEADERS, media_type: str = "application/json"
) -> Response:
    """Return an answer with a JSON body."""
    return Response(orjson.dumps(content), status, headers, media_type)


def spoken(language: Language) -> dict[str, str]:
    """Return the headers of an answer in some language."""
    return HEADERS | {"Content-Language": language, "Vary": "Accept-Language"}
