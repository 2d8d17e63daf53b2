"""A server that tells its watchers to go before it waits for its connections to end.

Must not know: who watches.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import uvicorn


class EndingServer(uvicorn.Server):
    """uvicorn, with something to do as soon as it is told to stop: an answer without an end would
    keep it."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Stop."""
        self._end()
        await super().shutdown(None if sockets is None else list(sockets))
