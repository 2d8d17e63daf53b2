"""The PUT of a container as containers send it: a JSON object, and nothing that asks for more.

Registrations come in surges, and this is the one write that must keep up with them. So this route
stands in front of the described one and does just what that does, without what the web framework
does for requests of any kind. A request with a query or conditions, or with a body that is at
fault, is the described route's.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

import json
import re
from typing import Final

from fastapi import FastAPI, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_lb.container_routes import registered
from gateway_lb.intent import Registration
from gateway_lb.models import ContainerIn
from nib.committing import Waiting
from nib.database import Nib
from nib.preconditions import Preconditions

_PATH: Final = re.compile(r"/v1/services/(?P<name>[^/]+)/containers/(?P<container_id>[^/]+)")
_JSON: Final = b"application/json"
_CONDITIONS: Final = frozenset((b"if-match", b"if-none-match"))
_AT_ONCE: Final = Waiting(wait=None, timeout=10)
_ANYHOW: Final = Preconditions(if_match=None, if_none_match=None)
_DESCRIBED: Final = "prewire.described"  # scope: it is the described route's


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
        if scope["type"] != "http" or scope["method"] != "PUT" or scope["query_string"]:
            return Match.NONE, {}
        found = _PATH.fullmatch(scope["path"])
        if found is None or _DESCRIBED in scope or not _is_plain(scope):
            return Match.NONE, {}
        return Match.FULL, {
            "endpoint": self.handle,
            "route": self,
            "path_params": found.groupdict(),
        }

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have it answered."""
        came = await _all_of(receive)
        stated = _stated(came, **scope["path_params"])
        if stated is None:
            scope[_DESCRIBED] = True
            await self._described(scope, _again(came, receive), send)
            return
        answer = Response(media_type="application/json")
        told = await registered(self._nib, stated, answer, _AT_ONCE, _ANYHOW)
        answer.body = told.model_dump_json(by_alias=True).encode()
        answer.headers["content-length"] = str(len(answer.body))
        await answer(scope, receive, send)


def _is_plain(scope: Scope) -> bool:
    """A JSON body of known length, and no conditions."""
    headers = dict(scope["headers"])
    return (
        headers.get(b"content-type") == _JSON
        and b"content-length" in headers
        and _CONDITIONS.isdisjoint(headers)
    )


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
