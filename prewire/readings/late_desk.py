"""The desk of readings, made at the first question: a server starts without what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prewire.readings.answers import Kind

if TYPE_CHECKING:
    from prewire.readings.desk import ReadingsDesk


class LateDesk:
    """As `ReadingsDesk`, of the controllers at these URLs."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._making: asyncio.Future[ReadingsDesk] | None = None

    async def told(self, kinds: frozenset[Kind]) -> bytes:
        """The readings of these kinds as JSON (`Readings`), not older than a second."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._made))
        desk = await asyncio.shield(self._making)
        return await desk.told(kinds)

    async def close(self) -> None:
        """Close connections."""
        if self._making is not None:
            await (await self._making).close()

    def _made(self) -> ReadingsDesk:
        from prewire.readings.desk import ReadingsDesk  # noqa: PLC0415 - late is what it is for

        return ReadingsDesk(self._urls)
