"""Many services of so many containers behind the site's one switch, and when the switch holds them.

The containers share the few ports that are there, each with an address of its own. They are written
to the database as the REST server writes them, many to a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.site import Site
from gateway_lb.intent import Registration, put_container, put_service
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Lookups
from nib.topology import Switch

CONTAINERS: Final = 10  # of each service, by default
PORT: Final = 8080
_AT_ONCE: Final = 25  # services in a transaction
_SETTLED_SECONDS: Final = 900.0


class Many:
    """The services `s0`, `s1`, and so on of a site; `nib` is the site's database."""

    def __init__(self, site: Site, nib: Nib, each: int) -> None:
        self._site = site
        self._nib = nib
        self._each = each
        self._count = 0

    def grow(self, count: int) -> None:
        """Add services until there are so many; returns when the switch holds them all."""
        done = [
            self._nib.write(self._added(range(begin, min(begin + _AT_ONCE, count))))
            for begin in range(self._count, count, _AT_ONCE)
        ]
        for each in done:
            each.result(_SETTLED_SECONDS)
        self._count = count
        self.settle()

    def settle(self) -> None:
        """Return when the switch holds all that is wanted."""
        self.awaited(_holds_all)

    def gone(self) -> None:
        """Return when the switch is known to be gone."""
        self.awaited(lambda view: not any(each.connected for each in view.all(Switch)))

    def awaited(self, holds: Callable[[Lookups], bool]) -> None:
        """Return as soon as it holds of the database; BenchmarkFailed when it does not in time."""
        ready: Future[None] = self._nib.when(holds)
        try:
            ready.result(_SETTLED_SECONDS)
        except TimeoutError:
            ready.cancel()
            raise BenchmarkFailed(f"the switch: not within {_SETTLED_SECONDS:g} s") from None

    def container(self, service: int, number: int, port: int = PORT) -> tuple[str, dict[str, Any]]:
        """Where a container is registered by REST, and with what."""
        given = self._registration(service, number)
        body = {"address": given.address, "mac": given.mac, "port": port}
        body["iface_id"] = given.iface_id
        return f"/v1/services/{given.service}/containers/{given.id}", body

    def _added(self, services: range) -> Callable[[Draft], None]:
        def change(draft: Draft) -> None:
            for service in services:
                put_service(Service(f"s{service}", vip(service), 80))(draft)
                for number in range(self._each):
                    put_container(self._registration(service, number))(draft)

        return change

    def _registration(self, service: int, number: int) -> Registration:
        hosts = self._site.net.spec.containers
        iface = hosts[number % len(hosts)].name
        address = backend(service, number)
        ids = f"s{service}", f"c{number}"
        return Registration(*ids, address, PORT, mac(service, number), iface_id=iface)


@contextmanager
def many(site: Site, each: int = CONTAINERS) -> Iterator[Many]:
    """No services yet; they come by `Many.grow`, with so many containers each."""
    with Nib(site.settings.nib_remote, "benchmark", write_timeout_s=_SETTLED_SECONDS) as nib:
        yield Many(site, nib, each)


def vip(service: int) -> str:
    """The address of a service."""
    return f"10.50.{service // 250}.{1 + service % 250}"


def backend(service: int, number: int) -> str:
    """The address of a container."""
    return f"10.{60 + number}.{service // 250}.{1 + service % 250}"


def mac(service: int, number: int) -> str:
    """The MAC address of a container."""
    return f"02:00:01:{number:02x}:{service >> 8:02x}:{service & 255:02x}"


def _holds_all(view: Lookups) -> bool:
    return all(each.connected and each.applied >= view.generation for each in view.all(Switch))
