"""Packets held for services that have no container, until they have one.

Of every client and port the newest packet is kept, for a minute. When slots come they are given
back a few at a time, beginning with one, because the switch may not hold its new flows yet: a
packet that comes back by the same way is held again, at its old age, and the pace falls.

Pure: no thread, no clock (times are seconds that only grow). Must not know: messages, rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

MAX_AGE: Final = 60.0
MAX_OF_A_SERVICE: Final = 256
MAX_PACKETS: Final = 8192

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.32
_PACE: Final = 0.01
_MOST_AT_ONCE: Final = 32
_LINGER: Final = 1.0  # after the last packet given back: the time in which one may return


@dataclass(frozen=True, slots=True)
class Held:
    """A frame as it came: by which port of which switch, for whom; `since` in seconds."""

    dpid: str
    port: int
    client: bytes
    frame: bytes
    since: float


@dataclass(slots=True)
class _Release:
    """Giving back is under way. returned: a packet came since the last step."""

    at_once: int = 1
    pause: float = _FIRST_PAUSE
    returned: bool = False
    quiet_at: float = 0.0
    out: dict[tuple[str, bytes], float] = field(default_factory=dict)


@dataclass(slots=True)
class _Waiting:
    packets: dict[tuple[str, bytes], Held] = field(default_factory=dict)
    release: _Release | None = None


class Holding:
    """All packets held, by service number."""

    def __init__(self) -> None:
        self._services: dict[int, _Waiting] = {}
        self._held = 0

    @property
    def held(self) -> int:
        """How many packets are held."""
        return self._held

    def keep(self, service: int, packet: Held) -> bool:
        """Hold a packet in place of an older one of its client; False where there is no room."""
        waiting = self._services.setdefault(service, _Waiting())
        key = (packet.dpid, packet.client)
        if waiting.release is not None:
            waiting.release.returned = True
            packet = replace(packet, since=waiting.release.out.get(key, packet.since))
        if waiting.packets.pop(key, None) is not None:
            self._held -= 1
        elif len(waiting.packets) >= MAX_OF_A_SERVICE or self._held >= MAX_PACKETS:
            return False
        waiting.packets[key] = packet
        self._held += 1
        return True

    def begin(self, service: int) -> bool:
        """Give this service's packets back from now on; True where `step` has to be called."""
        waiting = self._services.get(service)
        if waiting is None or waiting.release is not None:
            return False
        waiting.release = _Release()
        return True

    def step(self, service: int, now: float) -> tuple[list[Held], float | None]:
        """Packets to give back now, and seconds until the next step; None = it is over."""
        waiting = self._services.get(service)
        if waiting is None or waiting.release is None:
            return [], None
        release = waiting.release
        pause = _pace(release)
        given = self._take(waiting, release.at_once)
        release.at_once = min(2 * release.at_once, _MOST_AT_ONCE)
        for each in given:
            release.out[each.dpid, each.client] = each.since
        if given:
            release.quiet_at = now + _LINGER
        elif not waiting.packets and now >= release.quiet_at:
            del self._services[service]
            return [], None
        return given, pause

    def stop(self, service: int) -> None:
        """The slots are gone again: hold on."""
        waiting = self._services.get(service)
        if waiting is not None:
            waiting.release = None

    def drop(self, service: int) -> None:
        """The service is gone."""
        waiting = self._services.pop(service, None)
        self._held -= len(waiting.packets) if waiting else 0

    def expire(self, now: float) -> list[Held]:
        """Let go of what is too old, and return it."""
        old: list[Held] = []
        for service, waiting in list(self._services.items()):
            over = [key for key, held in waiting.packets.items() if held.since + MAX_AGE <= now]
            old += [waiting.packets.pop(key) for key in over]
            if not waiting.packets and waiting.release is None:
                del self._services[service]
        self._held -= len(old)
        return old

    def _take(self, waiting: _Waiting, most: int) -> list[Held]:
        keys = list(waiting.packets)[:most]
        self._held -= len(keys)
        return [waiting.packets.pop(key) for key in keys]


def _pace(release: _Release) -> float:
    """Seconds to wait after this step: short, unless a packet returned since the last."""
    if not release.returned:
        return _PACE
    release.returned = False
    release.at_once = 1
    release.pause = min(2 * release.pause, _LONGEST_PAUSE)
    return release.pause
