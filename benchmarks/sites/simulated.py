"""All of prewire in control of simulated switches (`responder`): the connections are real."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.api import Api
from benchmarks.sites.responder import SimulatedSwitch, connected
from benchmarks.sites.site import until
from benchmarks.sites.whole import Whole, running_prewire
from gateway_lb.intent import Registration, put_container, put_service
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Lookups
from nib.topology import Switch

_READY_SECONDS: Final = 300.0
_GROWN_SECONDS: Final = 900.0
_PORTS: Final = 2  # of a switch; containers are behind the first
_AT_ONCE: Final = 25  # services in a transaction


@dataclass(frozen=True, slots=True)
class World:
    """The switches, and who controls them. ports_each: how many containers share an address."""

    switches: Sequence[SimulatedSwitch]
    whole: Whole
    ports_each: int = 1

    def grow(self, services: Iterable[Service], each: int) -> None:
        """Have these services as well, with so many containers each; returns when every switch
        holds them. They are written to the database as the REST server writes them, many to a
        transaction. BenchmarkFailed where it takes too long.
        """
        added = list(services)
        with Nib(
            self.whole.settings.nib_remote, "benchmark", write_timeout_s=_GROWN_SECONDS
        ) as nib:
            written = [
                nib.write(self._added(added[at : at + _AT_ONCE], each))
                for at in range(0, len(added), _AT_ONCE)
            ]
            for one in written:
                one.result(_GROWN_SECONDS)
            settled: Future[None] = nib.when(_holds_all)
            try:
                settled.result(_GROWN_SECONDS)
            except TimeoutError:
                settled.cancel()
                raise BenchmarkFailed(f"the switches: not within {_GROWN_SECONDS:g} s") from None

    def _added(self, services: Iterable[Service], each: int) -> Callable[[Draft], None]:
        def change(draft: Draft) -> None:
            for service in services:
                put_service(service)(draft)
                number = int(service.name[1:]) * each
                for at in range(number, number + each):
                    given = self.container(at)
                    put_container(Registration(service.name, f"c{at}", **given))(draft)

        return change

    def counts(self) -> dict[str, Counter[str]]:
        """Messages received, by switch and kind."""
        return {switch.dpid: switch.counts.copy() for switch in self.switches}

    def container(self, number: int, **fields: Any) -> dict[str, Any]:
        """What a container registers with, behind the switch that its station says: of the
        containers of one station, each has a port of its own."""
        station, place = divmod(number, self.ports_each)
        switch = self.switches[station % len(self.switches)]
        given = {
            "address": f"10.{70 + station // 50_000}.{station // 250 % 200}.{1 + station % 250}",
            "mac": f"02:06:00:{station >> 16:02x}:{station >> 8 & 255:02x}:{station & 255:02x}",
            "port": 8080 + place,
        }
        return {**given, "switch": switch.dpid, "switch_port": "p1", **fields}


def service(number: int, **fields: Any) -> Service:
    """One named s, with its number."""
    vip = f"10.{50 + number // 50_000}.{number // 250 % 200}.{1 + number % 250}"
    return Service(f"s{number}", vip, 80, **fields)


def _holds_all(view: Lookups) -> bool:
    return all(each.connected and each.applied >= view.generation for each in view.all(Switch))


@contextmanager
def running_world(count: int, ports_each: int = 1) -> Iterator[tuple[World, float]]:
    """All of prewire with so many simulated switches under control, and how many seconds that took.

    ports_each: as `World` has it.
    NibError, CommandFailed or BenchmarkFailed where something does not start.
    """
    switches = [SimulatedSwitch(number, _PORTS) for number in range(1, count + 1)]
    with running_prewire(_READY_SECONDS) as whole:
        began = time.monotonic()
        with connected(switches, whole.settings.controller_port):
            until(lambda: _are_usable(whole.api, count), "switches under control", _READY_SECONDS)
            yield World(switches, whole, ports_each), time.monotonic() - began


def _are_usable(api: Api, count: int) -> bool:
    page = api.call("GET", "/v1/switches?limit=1000")["items"]
    return sum(bool(each["connected"] and each["ports"]) for each in page) == count
