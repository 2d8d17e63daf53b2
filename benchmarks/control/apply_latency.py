"""How long `PUT container ?wait=applied` takes on one real switch, and where the time goes.

Ten services of three containers. An `applied` request changes one container's port: the switch gets
new flows and answers barriers before the request returns. In turn with it run two parts of the way:
`no change` (HTTP, and a look at the database that finds nothing to do) and `stored` (committed, not
waited for).
"""

from __future__ import annotations

from typing import Final

from benchmarks.results.report import Outcome, quantiles
from benchmarks.sites.api import Api
from benchmarks.sites.site import running_site
from topologies.spec import HostSpec, NetworkSpec

SERVICES: Final = 10
ROUNDS: Final = 400


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` of one request of each kind; `seconds` has no meaning here."""
    del seconds
    with running_site() as site:
        spec = site.net.spec
        _register(site.api, spec)
        times = _measured(site.api, spec.containers[0], rounds or ROUNDS)
    title = f"milliseconds of PUT container, {SERVICES} services, {rounds or ROUNDS} rounds"
    rows = {kind: quantiles(values) for kind, values in times.items()}
    return Outcome("apply", title, rows, samples=times)


def _register(api: Api, spec: NetworkSpec) -> None:
    for number in range(SERVICES):
        api.call("PUT", f"/v1/services/s{number}", {"vip": f"10.0.1.{1 + number}", "port": 80})
        for host in spec.containers:
            api.call("PUT", _path(number, host), _body(number, host, 0))
    api.call("PUT", _path(0, spec.containers[0]) + "?wait=applied", _body(0, spec.containers[0], 1))


def _measured(api: Api, host: HostSpec, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each request, by kind; the kinds take turns, each change is a new one."""
    times: dict[str, list[float]] = {"no change": [], "stored": [], "applied": []}
    for turn in range(rounds):
        number = turn % SERVICES
        path, wait = _path(number, host), "?wait=applied"
        variant = 2 + 2 * (turn // SERVICES % 2)
        times["applied"].append(api.timed(path + wait, _body(number, host, variant)))
        times["no change"].append(api.timed(path, _body(number, host, variant)))
        times["stored"].append(api.timed(path, _body(number, host, variant + 1)))
        api.call("PUT", path + wait, _body(number, host, variant + 1))  # let it settle
    return times


def _path(number: int, host: HostSpec) -> str:
    return f"/v1/services/s{number}/containers/{host.name}"


def _body(number: int, host: HostSpec, variant: int) -> dict[str, object]:
    return {"address": host.address, "port": 10000 + 10 * number + variant, "iface_id": host.name}
