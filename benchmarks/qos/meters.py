"""How long a thousand rates of one switch take to change, and what is sent for it.

Either an operator writes a thousand limits anew in one transaction, or the rate of one link: then
the controller divides that anew among a thousand policies. `heard` counts from when the controller
has heard of the change until the switch has acknowledged the last meter; `all` from when the
transaction begins until the database says that it is applied, most of it the database's work on a
thousand rows. Messages are counted: one a meter, and so no flow is touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import median
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Target, spread
from benchmarks.sites.counters import metric
from benchmarks.sites.site import Site, running_site, until
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Mirror
from nib.qos import LinkRate, Policy
from nib.topology import Port, Switch
from topologies.processes import run

POLICIES: Final = 1000
ROUNDS: Final = 5
_SERVICES: Final = 33
_LIMIT_BPS: Final = 10_000_000
_LINK_BPS: Final = 1_000_000_000
_MOST_SECONDS: Final = 0.5
_PATIENCE_S: Final = 60.0
_CALM_S: Final = 2.0  # between changes: what was decided is saved meanwhile


@dataclass(frozen=True, slots=True)
class Change:
    """What one change took; seconds as the module says."""

    heard: float
    all: float
    messages: float


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` changes of each kind; `seconds` has no meaning here."""
    del seconds
    times = rounds or ROUNDS
    with (
        running_site() as site,
        Nib(site.settings.nib_remote, "meters", write_timeout_s=_PATIENCE_S) as nib,
    ):
        port = _container_port(site, nib)
        _register(site, nib, port, _limited())
        found = {"limits": [_changed(site, nib, _other_limits) for _ in range(times)]}
        _register(site, nib, port, _sharing())
        found["link rate"] = [_changed(site, nib, _other_link_rate) for _ in range(times)]
    return _outcome(found)


def _outcome(found: dict[str, list[Change]]) -> Outcome:
    rows, targets, samples = {}, [], {}
    for kind, changes in found.items():
        samples[kind] = [each.heard for each in changes]
        rows[f"{kind}, heard"] = spread(samples[kind])
        rows[f"{kind}, all"] = spread([each.all for each in changes])
        rows[f"{kind}, messages"] = spread([each.messages for each in changes])
        took = median(samples[kind])
        targets.append(Target(f"{kind}, median seconds", took, _MOST_SECONDS, at_least=False))
        most = max(each.messages for each in changes)
        targets.append(Target(f"{kind}, most messages", most, POLICIES, at_least=False))
    title = f"changing {POLICIES} meters of a switch: seconds, and messages"
    return Outcome("meters", title, rows, tuple(targets), samples=samples)


def _container_port(site: Site, nib: Nib) -> Port:
    """The switch's port to the first container."""
    with nib.view() as view:
        port = view.port_with_iface(site.net.spec.containers[0].name)
    if port is None:
        raise BenchmarkFailed("the container's port is not known")
    return port


def _limited() -> list[Policy]:
    """Policies that have a limit each."""
    return [replace(each, max_bps=_LIMIT_BPS) for each in _policies()]


def _sharing() -> list[Policy]:
    """Policies that share a link with the guarantee of the first."""
    first, *others = (replace(each, qos_class="bulk") for each in _policies())
    return [replace(first, guaranteed_bps=_LIMIT_BPS), *others]


def _policies() -> list[Policy]:
    """One for each of so many pairs of services."""
    pairs = [*permutations(range(_SERVICES), 2)][:POLICIES]
    return [Policy(f"p{n}", f"s{source}", f"s{to}") for n, (source, to) in enumerate(pairs)]


def _register(site: Site, nib: Nib, port: Port, policies: Iterable[Policy]) -> None:
    """These policies, of services whose containers are all behind one port; each has a meter."""

    def change(draft: Draft) -> None:
        draft.put(LinkRate(port.switch, port.name, _LINK_BPS))
        for number in range(_SERVICES):
            service = draft.put(Service(f"s{number}", f"10.3.0.{1 + number}", 80))
            mac = f"02:00:00:00:03:{number:02x}"
            address = f"10.3.1.{1 + number}"
            here = Container(service.name, "c", address, 8080, mac, iface_id=port.iface_id)
            draft.put(here)
        for policy in policies:
            draft.put(policy)

    _apply(nib, change)
    until(lambda: _meters(site) >= POLICIES, "every policy has a meter", _PATIENCE_S)
    time.sleep(_CALM_S)


def _other_limits(draft: Draft) -> None:
    """Every limit is half more."""
    for policy in draft.all(Policy):
        draft.put(replace(policy, max_bps=(policy.max_bps or _LIMIT_BPS) * 3 // 2))


def _other_link_rate(draft: Draft) -> None:
    """The link carries half more."""
    for rate in draft.all(LinkRate):
        draft.put(replace(rate, bps=rate.bps * 3 // 2))


def _changed(site: Site, nib: Nib, change: Callable[[Draft], None]) -> Change:
    """Make one change, and wait until it is over."""
    heard, messages = _heard_seconds(site), _messages(site)
    began = time.monotonic()
    _apply(nib, change)
    took = time.monotonic() - began
    time.sleep(_CALM_S)
    return Change(_heard_seconds(site) - heard, took, _messages(site) - messages)


def _apply(nib: Nib, change: Callable[[Draft], None]) -> None:
    """Commit a change, and wait until every switch holds it."""
    generation = nib.write(change).result(_PATIENCE_S).generation

    def applied(view: Mirror) -> bool:
        return all(switch.applied >= generation for switch in view.all(Switch))

    nib.when(applied).result(_PATIENCE_S)


def _heard_seconds(site: Site) -> float:
    """What changes took since the controller began, from its hearing of them."""
    name = 'prewire_programming_seconds_sum{stage="switch"}'
    return sum(
        float(line.rpartition(" ")[2])
        for line in site.metrics().splitlines()
        if line.startswith(name)
    )


def _messages(site: Site) -> float:
    return metric(site.metrics(), "prewire_switch_rule_messages_total")


def _meters(site: Site) -> int:
    told = run(["ovs-ofctl", "-O", "OpenFlow13", "dump-meters", site.bridge])
    return told.count("meter=")
