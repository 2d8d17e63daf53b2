"""Writes that tell whether programming works: one at each REST server, as of clients that wait.

The first that is on all switches counts. A server that hangs holds up the one write it was given,
and no other.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import Any, Final

import httpx

from tests.chaos.deployment import Rest
from tests.waiting import had_s

PATH: Final = "/v1/services/probe/containers/p"
_PORT: Final = 9000
_TRY_S: Final = 5.0
_REST_S: Final = 0.1


class Probe:
    """body: of a container, whose weight changes with each write; every REST server is told of one
    of its own, on a port of its own. made: how many writes there were.

    switches: how many have to be connected, with the write on them.
    """

    def __init__(self, rest: Rest, body: dict[str, Any], switches: int) -> None:
        self._rest = rest
        self._body = body
        self._switches = switches
        self._numbers = count(1)
        self.made = 0

    def written(self, server: int, timeout_s: float, **given: str) -> httpx.Response:
        """The answer of a REST server to a write of something new."""
        self.made = next(self._numbers)
        server %= len(self._rest.clients)
        body = self._body | {"weight": 1 + self.made % 200, "port": _PORT + server}
        client = self._rest.clients[server]
        return client.put(f"{PATH}{server}", json=body, params=given, timeout=timeout_s)

    def programmed(self, since_s: float, most_s: float) -> float | None:
        """Seconds that the machine had from then until a write is on all switches; None: never."""
        found = _First()
        for server in range(len(self._rest.clients)):
            threading.Thread(target=self._try, args=(server, found), daemon=True).start()
        while not found.event.wait(_REST_S):
            if had_s() - since_s > most_s:
                found.event.set()
                return None
        return None if found.at_s is None else found.at_s - since_s

    def _try(self, server: int, found: _First) -> None:
        while not found.event.is_set():
            if self._is_applied(server):
                found.note()
                return
            found.event.wait(_REST_S)

    def _is_applied(self, server: int) -> bool:
        """Whether all switches, connected, acknowledge a write."""
        try:
            answer = self.written(server, _TRY_S + 1.0, wait="applied", timeout=str(_TRY_S))
            answer.raise_for_status()
            told = self._rest.clients[server].get("/v1/status").raise_for_status()
        except (httpx.HTTPError, RuntimeError):  # RuntimeError: the client was closed meanwhile
            return False
        switches = told.json()["switches"]
        return sum(bool(switch["connected"]) for switch in switches) >= self._switches


class _First:
    """at_s: when the first write was on all switches, of the time that the machine had."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.at_s: float | None = None
        self._lock = threading.Lock()

    def note(self) -> None:
        """Another one is there."""
        with self._lock:
            if self.at_s is None:
                self.at_s = had_s()
        self.event.set()
