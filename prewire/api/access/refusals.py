"""Requests that are refused before a route sees them, as problem details.

Owns: the words of each refusal.
Must not know: when one is due. No text here holds a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi.responses import JSONResponse

from prewire.api.problems import MEDIA_TYPE, Problem

NOTHING: Final[Mapping[str, str]] = {}


class Refusal(Exception):
    """One refusal; `status` is HTTP's, `name` the last part of the problem's URN."""

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        detail: str,
        *,
        field: str,
        remedy: str,
        headers: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.headers = headers
        self.problem = Problem(
            type=f"urn:prewire:problem:{name}",
            title=title,
            status=status,
            detail=detail,
            field=field,
            remedy=remedy,
            errors=None,
        )

    @property
    def answer(self) -> JSONResponse:
        """As it is sent."""
        return JSONResponse(
            self.problem.model_dump(exclude_none=True),
            status_code=self.problem.status,
            headers=dict(self.headers),
            media_type=MEDIA_TYPE,
        )


def unauthenticated(detail: str, remedy: str = "") -> Refusal:
    """401: nobody known asks."""
    return Refusal(
        401,
        "unauthenticated",
        "It is not known who asks",
        detail,
        field="Authorization",
        remedy=remedy or "send the header `Authorization: Bearer TOKEN`; `prewire token` makes one",
        headers={"WWW-Authenticate": "Bearer"},
    )


def forbidden(who: str, role: str, wanted: str) -> Refusal:
    """403: who asks may not."""
    return Refusal(
        403,
        "forbidden",
        "That is not allowed",
        f"{who} has the role {role}; {wanted}",
        field="Authorization",
        remedy="use a token that may, or ask an operator for one",
    )


def no_such_path(path: str) -> Refusal:
    """404: there is no such path, or none that is told of."""
    return Refusal(
        404,
        "http",
        "Not Found",
        f"{path}: Not Found",
        field="path",
        remedy="see /docs for all paths",
    )


def too_large(limit: int) -> Refusal:
    """413: the body has more bytes than the limit."""
    return Refusal(
        413,
        "body-too-large",
        "The body is too large",
        f"more than {limit} bytes",
        field="body",
        remedy="send less at once, or have the operator raise the setting api_max_body",
        headers={"Connection": "close"},
    )


def too_many(who: str, per_second: int, retry_after_s: int) -> Refusal:
    """429: more requests than one client may send."""
    return _too_many(
        f"more than {per_second} requests a second from {who}",
        "wait as Retry-After says; the setting api_rate is the limit",
        retry_after_s,
    )


def too_many_refused(client: str, per_second: int, retry_after_s: int) -> Refusal:
    """429: more requests of nobody known than one address may send."""
    return _too_many(
        f"more than {per_second} requests a second from {client} were refused",
        "wait as Retry-After says, and send a token that holds",
        retry_after_s,
    )


def _too_many(detail: str, remedy: str, retry_after_s: int) -> Refusal:
    return Refusal(
        429,
        "too-many-requests",
        "Too many requests",
        detail,
        field="request",
        remedy=remedy,
        headers={"Retry-After": str(retry_after_s)},
    )


def unavailable(what: str) -> Refusal:
    """503: it cannot be found out now who asks."""
    return Refusal(
        503,
        "issuer-unavailable",
        "The token cannot be checked now",
        what,
        field="Authorization",
        remedy="try again; see the setting oidc_issuer",
        headers={"Retry-After": "5"},
    )
