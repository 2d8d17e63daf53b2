"""Bodies of requests: none beyond a size, and those that are looked at before a route has them.

Must not know: who asks, what is done with a body.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from prewire.api.access.identity import Identity
from prewire.api.access.refusals import forbidden, too_large

_LONGEST_LENGTH: Final = 20  # digits, leading zeros among them


class BodyTooLarge(HTTPException):
    """More has come than may; routes that read the body need not know."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"more than {limit} bytes", {"Connection": "close"})


def check_length(headers: Iterable[tuple[bytes, bytes]], limit: int) -> bool:
    """Whether the length of the body is known beforehand. Refusal where it is beyond the limit."""
    for name, value in headers:
        if name == b"content-length":
            if not value.isdigit() or len(value) > _LONGEST_LENGTH or int(value) > limit:
                raise too_large(limit)
            return True
    return False


def bounded(receive: Receive, limit: int) -> Receive:
    """The same body, which ends with 413 once it is beyond the limit."""
    seen = 0

    async def received() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge(limit)
        return message

    return received


async def whole(receive: Receive) -> tuple[bytes, Receive]:
    """The body, and a receiver that gives it once more."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"", _replayed(message, receive)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    body = b"".join(parts)
    return body, _replayed({"type": "http.request", "body": body, "more_body": False}, receive)


def check_reports(body: bytes, identity: Identity) -> None:
    """Refusal where a report among these is of a service that is not the registrar's.

    What is no list of reports is left to the route, which refuses it.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return
    for place, service in enumerate(_services(told)):
        if service not in identity.services:
            raise forbidden(
                identity.name, identity.role, f"reports[{place}] is of a service not its own"
            )


def _services(told: Any) -> Iterable[Any]:
    reports = told.get("reports") if isinstance(told, dict) else None
    for each in reports if isinstance(reports, list) else ():
        if isinstance(each, dict):
            yield each.get("service") if isinstance(each.get("service"), str) else None


def _replayed(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
