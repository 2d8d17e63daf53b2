"""Errors as RFC 9457 problem details: every one names the field and the remedy.

One table turns each error type of the rooms into a status and a problem type.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gateway_lb.reports import TooManyReports
from nib.acknowledgement import NotApplied, NotReadBack
from nib.errors import Conflict, FieldError, NibError, NibUnavailable, NotFound, SchemaMismatch
from nib.preconditions import PreconditionFailed
from predictor.outward.life import LifeError
from prewire.documents.refused import ApplyConflicts, ApplyRefused
from prewire.forecasting.asking import PredictorAway
from qos.errors import BuiltIn, NotAdmitted

LOG = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(BaseModel):
    """One field at fault."""

    field: str
    message: str
    remedy: str


class Problem(BaseModel):
    """A problem (RFC 9457) with prewire's extensions `field`, `remedy` and `errors`."""

    type: str = Field(description="what kind of problem, as a URN")
    title: str
    status: int
    detail: str
    field: str = Field(description="the part of the request or the system that is at fault")
    remedy: str = Field(description="what to do about it")
    errors: list[FieldProblem] | None = Field(None, description="all fields at fault, if several")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one type of error is answered; field and remedy for those that carry none."""

    status: int
    name: str
    title: str
    field: str = ""
    remedy: str = ""


_KINDS: Final[Mapping[type[Exception], _Kind]] = {
    FieldError: _Kind(422, "invalid-field", "A field is invalid"),
    Conflict: _Kind(409, "conflict", "Another object is in the way"),
    ApplyRefused: _Kind(422, "invalid-document", "The document cannot be applied"),
    ApplyConflicts: _Kind(409, "document-conflicts", "The document does not fit what is there"),
    NotAdmitted: _Kind(409, "not-admitted", "A link cannot carry the guarantee"),
    PreconditionFailed: _Kind(412, "precondition-failed", "It is not as it was seen"),
    BuiltIn: _Kind(404, "not-found", "There is no such object"),
    NotFound: _Kind(
        404, "not-found", "There is no such object", "path", "list what there is, and correct it"
    ),
    NotApplied: _Kind(
        504,
        "not-applied",
        "Not applied in time",
        "timeout",
        "the change is stored and will be applied; see `prewire status` for what holds it up",
    ),
    NotReadBack: _Kind(
        504,
        "not-read-back",
        "Not read back in time",
        "timeout",
        "see `prewire status`: a controller must run and the switch be connected; then try again",
    ),
    NibUnavailable: _Kind(
        503,
        "nib-unavailable",
        "The state database is away",
        "nib",
        "start it, or correct the setting nib; then try again",
    ),
    SchemaMismatch: _Kind(503, "schema-mismatch", "The state database does not fit", "nib"),
    LifeError: _Kind(409, "request-taken", "The prewarm request cannot be accepted", "request_id"),
    PredictorAway: _Kind(503, "predictor-away", "No predictor tells of it now"),
    TooManyReports: _Kind(
        429,
        "too-many-reports",
        "Too many reports",
        "reports",
        "wait as Retry-After says, and report what changed; none of these was taken",
    ),
}
_UNEXPECTED: Final = _Kind(
    500, "internal", "prewire failed", "request", "see the server's log; this is a defect"
)

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}

# Shown in the OpenAPI description of every route.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    code: {"description": text, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    for code, text in (("4XX", "the request is at fault"), ("5XX", "it cannot be done now"))
}


def install(app: FastAPI) -> None:
    """Have the application answer errors as problems."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(NibError, _failed)
    app.add_exception_handler(TooManyReports, _failed)
    app.add_exception_handler(Exception, _failed)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """Errors that the rooms raise; any other is a defect, and is logged."""
    kind = _KINDS.get(type(error), _UNEXPECTED)
    if kind is _UNEXPECTED:
        LOG.error("%s %r failed", request.method, request.scope["path"], exc_info=error)
        return _answer(kind, f"{type(error).__name__} while serving the request")
    message = getattr(error, "message", str(error))
    field = getattr(error, "field", kind.field)
    several = _faults(error) if isinstance(error, ApplyRefused) else None
    answer = _answer(kind, message, field, getattr(error, "remedy", kind.remedy), several)
    if isinstance(error, TooManyReports):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Requests that FastAPI refuses: malformed JSON, wrong types, unknown or missing fields."""
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is installed for
    faults = [_fault(found) for found in error.errors()]
    first = faults[0]
    several = faults if len(faults) > 1 else None
    return _answer(_KINDS[FieldError], first.message, first.field, first.remedy, several)


async def _http(request: Request, error: Exception) -> JSONResponse:
    """404 and 405 of paths that no route has, 400 of bodies that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is installed for
    about = ("path", "see /docs for all paths")
    if error.status_code == HTTPStatus.BAD_REQUEST:
        about = ("body", "send one JSON object")
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        about = ("body", "send less at once, or have the operator raise the setting api_max_body")
    kind = _Kind(error.status_code, "http", str(error.detail), *about)
    answer = _answer(kind, f"{request.method} {request.scope['path']}: {error.detail}")
    answer.headers.update(error.headers or {})
    return answer


def _answer(
    kind: _Kind,
    detail: str,
    field: str = "",
    remedy: str = "",
    errors: list[FieldProblem] | None = None,
) -> JSONResponse:
    problem = Problem(
        type=f"urn:prewire:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        field=field or kind.field,
        remedy=remedy or kind.remedy,
        errors=errors,
    )
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, status_code=kind.status, media_type=MEDIA_TYPE)


def _faults(error: ApplyRefused) -> list[FieldProblem]:
    return [
        FieldProblem(field=fault.field, message=fault.message, remedy=fault.remedy)
        for fault in error.faults
    ]


def _fault(found: Mapping[str, Any]) -> FieldProblem:
    where: Sequence[Any] = found["loc"]
    field = _path(where[1:]) or str(where[0])
    if found["type"] == "json_invalid":
        return FieldProblem(
            field="body",
            message=f"not valid JSON: {found['ctx']['error']}",
            remedy="send one JSON object",
        )
    if field == "body":
        remedy = "send one JSON object, with the header Content-Type: application/json"
        return FieldProblem(field=field, message=str(found["msg"]), remedy=remedy)
    remedies = {"missing": f"give {field}", "extra_forbidden": f"remove {field}"}
    remedy = remedies.get(found["type"], f"correct {field}; /docs shows what it takes")
    return FieldProblem(field=field, message=str(found["msg"]), remedy=remedy)


def _path(where: Sequence[Any]) -> str:
    """As in "policies[3].max_bps"."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return "".join(parts).removeprefix(".")
