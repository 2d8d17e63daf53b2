"""The PUT and DELETE of a container as they mostly come: a JSON object or none, no conditions.

Containers come and go in surges, and these are the writes that must keep up with them. So this
route stands in front of the described ones and does just what those do, without what the web
framework does for requests of any kind. A request with conditions, with a query in any but its
plainest form, or with a body that is at fault, is a described route's.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from fastapi import FastAPI, Response, status
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_lb.answers import ContainerOut
from gateway_lb.container_routes import DRAIN, drained, registered
from gateway_lb.intent import Registration
from gateway_lb.models import ContainerIn
from nib.committing import Waiting
from nib.database import Nib
from nib.preconditions import Preconditions

_PATH: Final = re.compile(r"/v1/services/(?P<name>[^/]+)/containers/(?P<container_id>[^/]+)")
_JSON: Final = b"application/json"
_CONDITIONS: Final = frozenset((b"if-match", b"if-none-match"))
_ANYHOW: Final = Preconditions(if_match=None, if_none_match=None)
_DESCRIBED: Final = "prewire.described"  # scope: it is a described route's
_ASKED: Final = "prewire.asked"  # scope: what the query asks for

# The plainest form of what a query may ask for, by method.
_WAITING: Final = {
    b"wait": re.compile(rb"applied"),
    b"timeout": re.compile(rb"[1-9][0-9]?|[12][0-9][0-9]|300"),
}
_QUERIES: Final[Mapping[str, Mapping[bytes, re.Pattern[bytes]]]] = {
    "PUT": _WAITING,
    "DELETE": {**_WAITING, b"drain": re.compile(rb"[0-9]{1,4}(?:s|ms)?")},
}


class _Asked(NamedTuple):
    """What a query asks for; drain: as DELETE takes it."""

    waiting: Waiting
    drain: str


def install(app: FastAPI, nib: Nib) -> None:
    """Put the route in front of the others."""
    app.router.routes.insert(0, PlainRegistration(nib, app.router))


class PlainRegistration(BaseRoute):
    """The route; `described` is asked where it is not for this one."""

    path = "/v1/services/{name}/containers/{container_id}"  # how measures call it

    def __init__(self, nib: Nib, described: ASGIApp) -> None:
        self._nib = nib
        self._described = described

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is one, as far as its head tells."""
        if scope["type"] != "http" or scope["method"] not in _QUERIES or _DESCRIBED in scope:
            return Match.NONE, {}
        found = _PATH.fullmatch(scope["path"])
        if found is None or not _is_plain(scope):
            return Match.NONE, {}
        asked = _asked(scope["query_string"], _QUERIES[scope["method"]])
        if asked is None:
            return Match.NONE, {}
        return Match.FULL, {
            "endpoint": self.handle,
            "route": self,
            "path_params": found.groupdict(),
            _ASKED: asked,
        }

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have it answered."""
        asked: _Asked = scope[_ASKED]
        answer = Response(media_type="application/json")
        if scope["method"] == "DELETE":
            key = (scope["path_params"]["name"], scope["path_params"]["container_id"])
            answer.status_code = status.HTTP_202_ACCEPTED
            left = await drained(self._nib, key, asked.drain, answer, asked.waiting, given=_ANYHOW)
            await _with_body(answer, left)(scope, receive, send)
            return
        came = await _all_of(receive)
        stated = _stated(came, **scope["path_params"])
        if stated is None:
            scope[_DESCRIBED] = True
            await self._described(scope, _again(came, receive), send)
            return
        told = await registered(self._nib, stated, answer, asked.waiting, _ANYHOW)
        await _with_body(answer, told)(scope, receive, send)


def _is_plain(scope: Scope) -> bool:
    """No conditions; a PUT has a JSON body of known length."""
    headers = dict(scope["headers"])
    if not _CONDITIONS.isdisjoint(headers):
        return False
    return scope["method"] == "DELETE" or (
        headers.get(b"content-type") == _JSON and b"content-length" in headers
    )


def _asked(query: bytes, may: Mapping[bytes, re.Pattern[bytes]]) -> _Asked | None:
    """What a query asks for; None where it is not in its plainest form."""
    given: dict[bytes, str] = {}
    for part in query.split(b"&") if query else ():
        name, _, value = part.partition(b"=")
        if name not in may or name in given or not may[name].fullmatch(value):
            return None
        given[name] = value.decode()
    wait, timeout_s = given.get(b"wait"), given.get(b"timeout", "10")
    waiting = Waiting(wait="applied" if wait else None, timeout=float(timeout_s))
    return _Asked(waiting, given.get(b"drain", DRAIN))


def _with_body(answer: Response, told: ContainerOut | None) -> Response:
    """An answer that says how the container is; None: it is not there any more."""
    if told is None:
        del answer.headers["content-type"], answer.headers["content-length"]
        answer.status_code = status.HTTP_204_NO_CONTENT
        return answer
    answer.body = told.model_dump_json(by_alias=True).encode()
    answer.headers["content-length"] = str(len(answer.body))
    return answer


async def _all_of(receive: Receive) -> list[Message]:
    """The messages of a whole request, or until the client went away."""
    came = [await receive()]
    while came[-1].get("more_body", False):
        came.append(await receive())
    return came


def _stated(came: list[Message], name: str, container_id: str) -> Registration | None:
    """What the body says; None where it is not whole or at fault."""
    if came[-1]["type"] != "http.request":
        return None
    try:
        body = json.loads(b"".join(each.get("body", b"") for each in came))
        return ContainerIn.model_validate(body).registration(name, container_id)
    except (ValueError, RecursionError):
        return None


def _again(came: list[Message], receive: Receive) -> Receive:
    """`receive`, with what came once more."""
    waiting = iter(came)

    async def received() -> Message:
        return next(waiting, None) or await receive()

    return received
