"""A watcher's answer: an endless body of server-sent events.

Owns: the ASGI messages of one stream, and noticing that its client is gone.
Must not know: what events say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.types import Receive, Scope, Send

from prewire.api.watching import frames
from prewire.api.watching.choice import Choice
from prewire.api.watching.feed import Feed
from prewire.api.watching.watcher import TOO_SLOW, Watcher

LOG = logging.getLogger(__name__)

IS_STREAM: Final = "prewire.stream"  # scope: the answer has no end, so its duration says nothing
MAY_GO_ON: Final = "prewire.valid"  # scope: a callable; false when its client may hear no more

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx: pass on what comes, when it comes
]
_TIME_IS_UP: Final = "the time asked for is up"
_NOT_ALLOWED: Final = "access has ended"
_GONE: Final = ""


async def stream(feed: Feed, choice: Choice, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what `choice` asks for, until either side ends it. NibUnavailable before."""
    scope[IS_STREAM] = True
    watcher = await feed.join(choice)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        gone = asyncio.create_task(_until_gone(watcher, receive))
        if choice.timeout_s is not None:
            timer = asyncio.get_running_loop().call_later(
                choice.timeout_s, watcher.end, _TIME_IS_UP
            )
        try:
            await _tell(watcher, send, scope.get(MAY_GO_ON))
        finally:
            if choice.timeout_s is not None:
                timer.cancel()
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
    finally:
        feed.leave(watcher)


async def _tell(watcher: Watcher, send: Send, may_go_on: Callable[[], bool] | None) -> None:
    while True:
        piece = watcher.next()
        if piece and may_go_on is not None and not may_go_on():
            watcher.end(_NOT_ALLOWED)
        elif piece:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        elif watcher.ended is not None:
            break
        else:
            await watcher.wait()
    if watcher.ended == TOO_SLOW:
        LOG.warning("a watcher is let go: %s", TOO_SLOW)
    if watcher.ended:
        await send({"type": "http.response.body", "body": frames.bye(watcher.ended)})
    else:
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(watcher: Watcher, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.end(_GONE)
