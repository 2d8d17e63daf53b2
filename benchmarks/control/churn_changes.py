"""Ten thousand containers that come, change and go: the requests, in an order that a seed gives.

Owns who is there: every container that is asked to change or go was registered, and none is asked
for twice in a row.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.load.churn_load import Client

SERVICES: Final = 1000
EACH: Final = 10  # containers of a service
WAIT: Final = "wait=applied&timeout=60"
_SEED: Final = 8


@dataclass(frozen=True, slots=True)
class Container:
    """number: of all that ever came, from 0; service: its number."""

    number: int
    service: int

    @property
    def path(self) -> str:
        """Of the container in REST."""
        return f"/v1/services/s{self.service}/containers/c{self.number}"

    def body(self, ifaces: Sequence[str], port: int = 8080) -> dict[str, object]:
        """What it registers with: addresses of its own, behind one of these interfaces."""
        number = self.number
        iface = ifaces[number % len(ifaces)]
        address = f"10.{64 + number // 65025}.{1 + number // 255 % 255}.{number % 255}"
        mac = ":".join(f"{byte:02x}" for byte in (2, 1, *number.to_bytes(4, "big")))
        return {"address": address, "port": port, "mac": mac, "iface_id": iface}


class Population:
    """The containers there are. ifaces: interfaces of the switch, by iface-id."""

    def __init__(self, client: Client, ifaces: Sequence[str]) -> None:
        self._client = client
        self._ifaces = ifaces
        self._next = SERVICES * EACH
        there = [Container(number, number % SERVICES) for number in range(self._next)]
        random.Random(_SEED).shuffle(there)
        self._there = deque(there)
        self._ports: dict[int, int] = {}

    @property
    def size(self) -> int:
        """How many containers there are."""
        return len(self._there)

    def services(self) -> dict[str, Any]:
        """The document of all services."""
        items = [
            {"name": f"s{number}", "vip": f"10.32.{number // 250}.{1 + number % 250}", "port": 80}
            for number in range(SERVICES)
        ]
        return {"services": items}

    def registrations(self) -> Iterator[bytes]:
        """A PUT of each, in the order of their numbers."""
        for each in sorted(self._there, key=lambda each: each.number):
            yield self._client.request("PUT", each.path, each.body(self._ifaces))

    def changes(self) -> Iterator[bytes]:
        """One changes its port, one goes, one comes, and so on; each is to wait for the switch."""
        while True:
            yield self._changed()
            gone = self._there.popleft()
            yield self._client.request("DELETE", f"{gone.path}?drain=0&{WAIT}")
            yield self._come(gone.service)

    def _changed(self) -> bytes:
        found = self._there.popleft()
        self._there.append(found)
        port = self._ports.get(found.number, 8080) ^ 1
        self._ports[found.number] = port
        body = found.body(self._ifaces, port)
        return self._client.request("PUT", f"{found.path}?{WAIT}", body)

    def _come(self, service: int) -> bytes:
        new = Container(self._next, service)
        self._next += 1
        self._there.append(new)
        return self._client.request("PUT", f"{new.path}?{WAIT}", new.body(self._ifaces))
