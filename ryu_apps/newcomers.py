"""Stations that were heard in the last seconds: their rows and flows are under way.

Pure: times are given, in seconds of any clock.

Must not know: packets, the database.
"""

from __future__ import annotations

from typing import Final

from nib.topology import Port

_MOST: Final = 4096


class Newcomers:
    """Where each was heard last, for so many seconds; of very many the last _MOST."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: dict[str, tuple[float, Port]] = {}  # by MAC, the oldest first

    def note(self, mac: str, port: Port, now: float) -> None:
        """One spoke at a port."""
        self._heard.pop(mac, None)
        self._heard[mac] = now, port
        if len(self._heard) > _MOST:
            del self._heard[next(iter(self._heard))]

    def port_of(self, mac: str, now: float) -> Port | None:
        """Where it was heard last; None: not of late."""
        then, port = self._heard.get(mac, (-self._seconds, None))
        return port if now - then < self._seconds else None
