"""Answers that the client has already are not sent again (RFC 9110: ETag, If-None-Match).

Every JSON answer to a GET under /v1 gets a strong ETag: what its route says of the intent, if
anything, and a digest of the answer itself. So a 304 never hides that an object stands differently.

Must not know: routes, what an answer is of. Streams pass through.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_JSON: Final = "application/json"
_OF_CONTENT: Final = ("content-type", "content-length")


class Conditional:
    """The application, with ETags."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] == "GET"
        if is_read and scope["path"].startswith("/v1/"):
            known = Headers(scope=scope).get("if-none-match", "")
            send = _Tagged(send, known).send
        await self._app(scope, receive, send)


class _Tagged:
    """One answer on its way; `known` is the request's If-None-Match."""

    def __init__(self, send: Send, known: str) -> None:
        self._send = send
        self._known = known
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Keep the start of a JSON answer back until its body is there, in one piece."""
        if message["type"] == "http.response.start" and _is_json(message):
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if not message.get("more_body", False):
                message = self._finished(start, message)
            await self._send(start)
        await self._send(message)

    def _finished(self, start: Message, body: Message) -> Message:
        """Tag the start; the body, or none where the client has it."""
        headers = MutableHeaders(raw=start["headers"])
        digest = blake2b(body.get("body", b""), digest_size=6).hexdigest()
        intent = headers.get("etag", "").strip('"')
        tag = f'"{intent}-{digest}"' if intent else f'"{digest}"'
        headers["ETag"] = tag
        if not is_known(tag, self._known):
            return body
        for name in _OF_CONTENT:
            del headers[name]
        start["status"] = 304
        return {**body, "body": b""}


def _is_json(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and kind.partition(";")[0] == _JSON


def is_known(tag: str, known: str) -> bool:
    """Whether If-None-Match (known) has the tag: by weak comparison (RFC 9110, 13.1.2)."""
    if not known:
        return False
    tags = [each.strip().removeprefix("W/") for each in known.split(",")]
    return tag in tags or tags == ["*"]
