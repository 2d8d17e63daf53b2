"""The bandwidth that policies are promised, from where their services are and how the fabric leads.

A policy's links are those of every shortest path from each switch that its traffic comes in at to
each container it may go to, and that container's own port. How policies stand, and what queues are
sure of, is by the rates in force (`qos.in_force`); what intent is admitted to is by policies' own:
plans give way to it.

Must not know: flows, meters, who changes rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Final

from gateway_lb.health import health_iface
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.plans import PolicyRate
from nib.qos import LinkRate, Policy, QosClass
from nib.records import Record
from nib.topology import Host, Link, Port, Switch
from openflow.values import MAX_PORT
from qos.classes import classes_of
from qos.entitlements import provided
from qos.in_force import policies_in_force
from qos.planned import Network
from qos.provision import LinkKey, LinkState, Provision, Reach, link_name, reserved
from ryu_apps.routing import Fabric, fabric_of, is_fabric_port, usable
from ryu_apps.stations import located

_PLACES: Final[tuple[type[Record], ...]] = (Port, Link, Switch, Container, Service, Host)
_ALL: Final = (Policy, QosClass, LinkRate, *_PLACES)


def provision(view: Lookups) -> Provision:
    """How every policy and link stands; the same object for the same rows."""
    return view.derived(_provision_in, *_ALL, PolicyRate)


def reservations(view: Lookups) -> Mapping[LinkKey, LinkState]:
    """What policies' own guarantees take of links; the same object for the same rows."""
    return view.derived(_reservations_in, *_ALL)


def reservations_in_force(view: Lookups) -> Mapping[LinkKey, LinkState]:
    """The links of `provision`, without its allocation; the same object for the same rows."""
    if not view.count(PolicyRate):
        return reservations(view)
    return view.derived(_reservations_in_force, *_ALL, PolicyRate)


def placed(view: Lookups) -> Mapping[str, tuple[Policy, Reach]]:
    """Every policy by name, with its own rates, and where it is."""
    return view.derived(_placed_in, Policy, *_PLACES)


def network(view: Lookups) -> Network:
    """What there is for plans to be admitted to (`qos.planned`)."""
    return Network(
        view.derived(_rates_in, *_ALL),
        classes_of(view),
        lambda key: view.get(Link, key) is None,
        partial(link_name, view=view),
    )


def reach(policy: Policy, view: Lookups) -> Reach:
    """Where a policy's traffic comes in, and the links it may take; it need not be in the view."""
    return view.derived(_no_places, *_PLACES).reach(policy.ends, view)


class _Last:
    """What was provided last, and from what: most rows that change leave all that as it was."""

    def __init__(self, _view: Lookups) -> None:
        self._inputs: tuple[object, ...] = ()
        self._found = Provision({}, {})

    def provided(self, view: Lookups) -> Provision:
        """How everything stands in the view; the same object for the same."""
        known, links, classes = (
            _placed_in_force(view),
            reservations_in_force(view),
            classes_of(view),
        )
        inputs = known, links, classes, view.derived(_names_in, Switch)
        if self._inputs != inputs:
            self._found = provided(known, links, classes, partial(link_name, view=view))
            self._inputs = inputs
        return self._found


def _names_in(view: Lookups) -> Mapping[str, str]:
    return {switch.dpid: switch.name for switch in view.all(Switch)}


def _provision_in(view: Lookups) -> Provision:
    return view.derived(_Last).provided(view)


def _reservations_in(view: Lookups) -> Mapping[LinkKey, LinkState]:
    return reserved(view.derived(_rates_in, *_ALL), placed(view).values(), classes_of(view))


def _reservations_in_force(view: Lookups) -> Mapping[LinkKey, LinkState]:
    rates = view.derived(_rates_in, *_ALL)
    return reserved(rates, _placed_in_force(view).values(), classes_of(view))


def _rates_in(view: Lookups) -> Mapping[LinkKey, tuple[int, bool]]:
    """The rate of every link: of the fabric, of a policy, or with a stated one."""
    keys = set(_ways_of(view).all_links())
    keys.update(rate.key for rate in view.all(LinkRate))
    for links in {reach.links for _, reach in placed(view).values()}:
        keys |= links
    return {key: _rate(key, view) for key in sorted(keys)}


def _rate(key: LinkKey, view: Lookups) -> tuple[int, bool]:
    """(bits a second, 0 = nobody knows; whether an operator stated it)."""
    stated = view.get(LinkRate, key)
    if stated is not None:
        return stated.bps, True
    port = view.get(Port, key)
    return (0 if port is None else port.speed_bps), False


def _placed_in_force(view: Lookups) -> Mapping[str, tuple[Policy, Reach]]:
    """As `placed`, with the rates in force."""
    if not view.count(PolicyRate):
        return placed(view)
    return view.derived(_placed_with_rates, Policy, PolicyRate, *_PLACES)


def _placed_with_rates(view: Lookups) -> Mapping[str, tuple[Policy, Reach]]:
    policies = policies_in_force(view)
    return {name: (policies[name], reach) for name, (_, reach) in placed(view).items()}


def _placed_in(view: Lookups) -> Mapping[str, tuple[Policy, Reach]]:
    places = view.derived(_no_places, *_PLACES)
    policies = sorted(view.all(Policy), key=lambda each: each.name)
    return {policy.name: (policy, places.reach(policy.ends, view)) for policy in policies}


# ------------------------------------------------------------------------------- places


class _Places:
    """Where services are, and the reaches between them; as long as no row about places changes.

    `view` is always the one that this was derived from.
    """

    def __init__(self) -> None:
        self._targets: dict[str, Mapping[LinkKey, int]] = {}
        self._reaches: dict[tuple[str | None, str | None], Reach] = {}
        self._edges: Mapping[str, int] | None = None

    def reach(self, ends: tuple[str | None, str | None], view: Lookups) -> Reach:
        """Of the traffic between two services, None = anyone."""
        if ends not in self._reaches:
            self._reaches[ends] = self._reach(*ends, view)
        return self._reaches[ends]

    def _reach(self, source: str | None, destination: str | None, view: Lookups) -> Reach:
        for service in (destination, source):
            if service is not None and not self._containers(service, view):
                return Reach({}, frozenset(), _absence(service, view))
        ingress = self._ingress(source, view)
        if destination is None:
            return Reach(ingress, frozenset())
        targets = self._containers(destination, view)
        links = _ways_of(view).links(frozenset(ingress), frozenset(targets))
        return Reach(ingress, links, "" if links else f"no way leads to service {destination}")

    def _ingress(self, source: str | None, view: Lookups) -> Mapping[str, int]:
        if source is None:
            if self._edges is None:
                self._edges = _edge_switches(view)
            return self._edges
        counts: Counter[str] = Counter()
        for (switch, _), count in self._containers(source, view).items():
            counts[switch] += count
        return dict(counts)

    def _containers(self, service: str, view: Lookups) -> Mapping[LinkKey, int]:
        """How many containers of a service are behind each port."""
        if service not in self._targets:
            ports = (located(each.mac, view) for each in view.containers_of(service))
            self._targets[service] = dict(Counter(port.key for port in ports if port is not None))
        return self._targets[service]


def _no_places(_view: Lookups) -> _Places:
    return _Places()


def _absence(service: str, view: Lookups) -> str:
    """Why a service has no place."""
    if view.get(Service, service) is None:
        return f"there is no service {service}"
    if not view.containers_of(service):
        return f"service {service} has no container"
    return f"no switch has a port with a container of service {service}"


def _edge_switches(view: Lookups) -> dict[str, int]:
    """The switches that clients may be at: with an edge port that is up, and not our own."""
    return {
        port.switch: 1
        for port in sorted(view.all(Port), key=lambda each: each.key)
        if port.up
        and port.number < MAX_PORT
        and port.iface_id != health_iface(port.switch)
        and not is_fabric_port(port, view)
    }


# ------------------------------------------------------------------------------- ways


class _Ways:
    """The links of the shortest paths through one fabric."""

    def __init__(self, fabric: Fabric, names: frozenset[tuple[tuple[str, int], str]]) -> None:
        """names: of the ports that usable links leave by, by switch and number."""
        self._fabric = fabric
        self._names = dict(names)
        self._onward: dict[tuple[str, str], frozenset[LinkKey] | None] = {}
        self.links = lru_cache(maxsize=1 << 12)(self._links)

    def all_links(self) -> Iterable[LinkKey]:
        """Every usable link."""
        return ((switch, name) for (switch, _), name in self._names.items())

    def _links(self, ingress: frozenset[str], targets: frozenset[LinkKey]) -> frozenset[LinkKey]:
        """All that leads from some switches to ports of containers; none where no way does."""
        found: set[LinkKey] = set()
        for target in targets:
            ways = [self._way(here, target[0]) for here in ingress]
            led = [way for way in ways if way is not None]
            if led:
                found |= {target}.union(*led)
        return frozenset(found)

    def _way(self, here: str, target: str) -> frozenset[LinkKey] | None:
        """The links of all shortest paths between two switches; None where there is no way."""
        if here == target:
            return frozenset()
        if (here, target) not in self._onward:
            self._onward[here, target] = self._walked(here, target)
        return self._onward[here, target]

    def _walked(self, here: str, target: str) -> frozenset[LinkKey] | None:
        edges = self._fabric.onward(here, target)
        if not edges:
            return None
        own = {(here, self._names[here, edge.port]) for edge in edges}
        beyond = (self._way(edge.peer, target) for edge in edges)
        return frozenset(own).union(*(way for way in beyond if way is not None))


def _ways_of(view: Lookups) -> _Ways:
    """The ways in a view; the same object as long as the fabric is the same."""
    return view.derived(_ways_in, Link, Port, Switch)


def _ways_in(view: Lookups) -> _Ways:
    edges = ((link, usable(link, view)) for link in view.all(Link))
    names = frozenset(
        ((edge.switch, edge.port), link.port) for link, edge in edges if edge is not None
    )
    return _ways(fabric_of(view), names)


@lru_cache(maxsize=4)
def _ways(fabric: Fabric, names: frozenset[tuple[tuple[str, int], str]]) -> _Ways:
    return _Ways(fabric, names)
