"""The REST server under load: many that watch, and many containers that register.

No switch and no controller runs: what is measured is the way from a request to the database and to
those who watch it. The clients share the processors with server and database.
"""

from __future__ import annotations

import os
import resource
import time
from typing import Final

from benchmarks.load.http_load import Answered, load, request
from benchmarks.load.watch_load import watchers
from benchmarks.results.report import Outcome, Row, Target, quantiles
from benchmarks.sites.api import Api
from benchmarks.sites.rest_site import PORTS, RestSite, iface, running_rest

WATCHERS: Final = 1000
CHANGES: Final = 20
CLIENTS: Final = 16
SERVICES: Final = 100
REGISTRATIONS: Final = 4000
_WATCHED: Final = "/v1/watch?kinds=services,containers,events"
_DESCRIPTORS: Final = 4096


def measure_watchers(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` changes of a service, each awaited by all clients; `seconds` has no meaning here."""
    del seconds
    _allow_descriptors()
    with running_rest() as site:
        _add_services(site.api)
        alone_mib = site.memory_mib()
        began = time.perf_counter()
        with watchers(site.port, _WATCHED, WATCHERS) as clients:
            joined_s = time.perf_counter() - began
            joined_mib = site.memory_mib()
            before = site.processor_seconds()
            first, last = [], []
            for number in range(rounds or CHANGES):
                began = time.perf_counter()
                site.api.call("PUT", "/v1/services/s0", {**_service(0), "port": 1000 + number})
                told = clients.await_text(f'"port":{1000 + number},'.encode())
                first.append((told[0] - began) * 1000)
                last.append((told[-1] - began) * 1000)
            busy = [
                after - then for after, then in zip(site.processor_seconds(), before, strict=True)
            ]
            most_mib = site.memory_mib()
    rows = {"first told": quantiles(first), "all told": quantiles(last)}
    notes = (
        f"{WATCHERS} clients had all {SERVICES} services within {joined_s:.1f} s; the server had "
        f"{alone_mib:.0f} MiB before, {joined_mib:.0f} MiB then, {most_mib:.0f} MiB at the end",
        f"processor time of a change: server {1000 * busy[0] / len(last):.0f} ms",
    )
    targets = (
        Target("all told, max, ms", max(last), 1000.0, at_least=False),
        Target("resident memory of the server, MiB", most_mib, 300.0, at_least=False),
    )
    title = f"milliseconds from a PUT to {WATCHERS} clients that watch, {len(last)} changes"
    return Outcome("watchers", title, rows, targets, notes, {"all told": last})


def measure_registration(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` registrations of new containers; `seconds` has no meaning here."""
    del seconds
    count = rounds or REGISTRATIONS
    with running_rest() as site:
        _add_services(site.api)
        load(site.port, _registrations(0, CLIENTS * 4), CLIENTS)
        rows = {
            "register": _loaded(site, _registrations(CLIENTS * 4, count)),
            "again": _loaded(site, _registrations(CLIENTS * 4, count)),
        }
    row = rows["register"]
    targets = (
        Target("registrations a second", row["a_second"], 1000.0, at_least=True),
        Target("registration, p99, ms", row["p99"], 100.0, at_least=False),
    )
    title = f"milliseconds of a PUT of a container by {CLIENTS} clients, {count} of each kind"
    note = (
        f"over {SERVICES} services; again: the same once more, which changes nothing; "
        "cpu: seconds of processor time for 1,000 requests"
    )
    return Outcome("registration", title, rows, targets, (note,))


def _loaded(site: RestSite, requests: list[bytes]) -> Row:
    before, own = site.processor_seconds(), _own_seconds()
    met: Answered = load(site.port, requests, CLIENTS)
    server, database = (
        (after - then) * 1000 / len(requests)
        for after, then in zip(site.processor_seconds(), before, strict=True)
    )
    client = (_own_seconds() - own) * 1000 / len(requests)
    cost = {"server_cpu": server, "database_cpu": database, "client_cpu": client}
    return {**quantiles(met.each_ms), "a_second": len(requests) / met.seconds, **cost}


def _registrations(begin: int, count: int) -> list[bytes]:
    """Requests of containers, each new, spread over all services."""
    return [_registration(number) for number in range(begin, begin + count)]


def _registration(number: int) -> bytes:
    address = f"10.1.{number // 256}.{number % 256}"
    body = {"address": address, "port": 8080, "iface_id": iface(number % PORTS)}
    return request("PUT", f"/v1/services/s{number % SERVICES}/containers/c{number}", body)


def _service(number: int) -> dict[str, object]:
    return {"vip": f"10.0.0.{number}", "port": 80}


def _add_services(api: Api) -> None:
    for number in range(SERVICES):
        api.call("PUT", f"/v1/services/s{number}", _service(number))


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _allow_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _DESCRIPTORS), hard))
