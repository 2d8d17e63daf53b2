"""The outermost layer of the REST server: every request has an id, and its answer says it.

An id that came with the request (`X-Request-Id`) is kept, so that a caller finds its own again in
answers, log lines, events and exemplars.

Must not know: what a request does, who asks.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nib.request_ids import REQUEST, request_id

_HEADER: Final = b"x-request-id"


class RequestIds:
    """The application, with ids."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        chosen = request_id(given.decode("latin-1"))
        header = (_HEADER, chosen.encode())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        token = REQUEST.set(chosen)
        try:
            await self._app(scope, receive, answer)
        finally:
            REQUEST.reset(token)
