"""A typed replica of the database, with the lookups the other rooms need.

Owns: records by key, and secondary lookups kept up to date change by change.
Must not know: OVSDB, threads, or where changes come from. Pure: no I/O, no clock.

Every lookup costs its result, never the size of the table. Where the database promises that one
record at most has a value (an index), the lookup returns that record or None; while a group of
changes is half made two may have it, and the one with the smallest key is returned.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from nib.errors import NotFound
from nib.intent import Container, Service
from nib.observed import Connections
from nib.plans import Dependency, PrewarmRequest
from nib.qos import Policy, PolicyConnections, PolicyShare
from nib.records import INTENT, RECORD_CLASSES, Global, Key, LocalSlots, Record
from nib.topology import Host, Link, Port

R = TypeVar("R", bound=Record)
T = TypeVar("T")

Endpoint: TypeAlias = tuple[str, int, str]  # address, port, protocol


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row before and after: (None, new) inserted, (old, None) deleted, both = modified.

    Raises ValueError unless at least one side is given and both sides have one class and key.
    """

    old: Record | None
    new: Record | None

    def __post_init__(self) -> None:
        if self.old is None and self.new is None:
            raise ValueError("a change needs an old or a new record")
        both = self.old is not None and self.new is not None
        if both and (type(self.old), self.old.key) != (type(self.new), self.new.key):  # type: ignore[union-attr]
            raise ValueError(f"{self.old} and {self.new} are not the same row")

    @property
    def record(self) -> Record:
        """The new record, or the old one when the row is gone."""
        return cast(Record, self.old if self.new is None else self.new)

    @property
    def kind(self) -> type[Record]:
        """The record's class."""
        return type(self.record)

    @property
    def is_intent(self) -> bool:
        """Whether it is intent that is changed."""
        return self.kind in INTENT

    @property
    def inverse(self) -> RowChange:
        """The change that takes this one back."""
        return RowChange(self.new, self.old)


@dataclass(frozen=True, slots=True)
class _Index:
    """A secondary lookup: records of `kind` by each of `values(record)`."""

    kind: type[Record]
    values: Callable[[Any], Collection[Hashable]]


def _one_value(kind: type[Record], value: Callable[[Any], Hashable]) -> _Index:
    """By one value; a record where it is None or 0 is not listed."""
    return _Index(kind, lambda record: (value(record),) if value(record) else ())


_INDEXES: Mapping[str, _Index] = {
    "service by endpoint": _Index(Service, lambda s: s.fronts),
    "service by vip": _one_value(Service, lambda s: s.vip),
    "service by number": _one_value(Service, lambda s: s.number),
    "container by service": _one_value(Container, lambda c: c.service),
    "container by address": _one_value(Container, lambda c: c.address),
    "container by number": _one_value(Container, lambda c: c.number),
    "container by iface": _one_value(Container, lambda c: c.iface_id),
    "container by port": _one_value(Container, lambda c: c.switch and (c.switch, c.switch_port)),
    "container by mac": _one_value(Container, lambda c: c.mac),
    "port by switch": _one_value(Port, lambda p: p.switch),
    "port by number": _one_value(Port, lambda p: (p.switch, p.number)),
    "port by iface": _one_value(Port, lambda p: p.iface_id),
    "port by attached mac": _one_value(Port, lambda p: p.attached_mac),
    "link by peer": _one_value(Link, lambda link: (link.peer, link.peer_port)),
    "host by address": _Index(Host, lambda h: h.addresses),
    "host by port": _one_value(Host, lambda h: (h.switch, h.port)),
    "connections by container": _one_value(Connections, lambda c: (c.service, c.container)),
    "policy by ends": _one_value(Policy, lambda p: p.ends),
    "policy by service": _Index(Policy, lambda p: {end for end in p.ends if end}),
    "policy by number": _one_value(Policy, lambda p: p.number),
    "share by policy": _one_value(PolicyShare, lambda s: s.policy),
    "connections by policy": _one_value(PolicyConnections, lambda c: c.policy),
    "request by service": _one_value(PrewarmRequest, lambda r: r.service),
    "dependency by child": _one_value(Dependency, lambda d: d.child),
    "local slots by service": _one_value(LocalSlots, lambda s: s.service),
}
_INDEXES_OF: Mapping[
    type[Record], tuple[tuple[str, Callable[[Any], Collection[Hashable]]], ...]
] = {
    kind: tuple((name, index.values) for name, index in _INDEXES.items() if index.kind is kind)
    for kind in RECORD_CLASSES
}


# What an index has at a value: one record, or several by key. There are many, and most have one.
Listed: TypeAlias = Record | dict[Key, Record]


def _list(index: dict[Hashable, Listed], value: Hashable, key: Key, record: Record) -> None:
    listed = index.get(value)
    if isinstance(listed, dict):
        listed[key] = record
    elif listed is None or listed.key == key:
        index[value] = record
    else:
        index[value] = {listed.key: listed, key: record}


def _strike(index: dict[Hashable, Listed], value: Hashable, key: Key) -> None:
    listed = index[value]
    if not isinstance(listed, dict):
        del index[value]
        return
    del listed[key]
    if len(listed) == 1:
        (index[value],) = listed.values()


class Store:
    """The dictionaries behind a mirror; `Lookups` reads them, `replace` alone changes them."""

    __slots__ = ("derived", "indexes", "records", "versions")

    def __init__(self) -> None:
        self.versions: dict[type[Any], int] = dict.fromkeys(RECORD_CLASSES, 0)
        self.derived: dict[Callable[..., Any], tuple[tuple[int, ...], Any]] = {}
        self.records: dict[type[Any], dict[Key, Record]] = {k: {} for k in RECORD_CLASSES}
        self.indexes: dict[str, dict[Hashable, Listed]] = {n: {} for n in _INDEXES}

    def replace(self, kind: type[Record], key: Key, new: Record | None) -> None:
        """Put `new` (None = nothing) in the place of whatever is at `key`."""
        table = self.records[kind]
        self.versions[kind] += 1
        old = table.pop(key, None) if new is None else table.get(key)
        if new is not None:
            table[key] = new
        for name, values in _INDEXES_OF[kind]:
            index = self.indexes[name]
            after = () if new is None else values(new)
            for value in () if old is None else values(old):
                if value not in after:
                    _strike(index, value, key)
            if new is not None:
                for value in after:
                    _list(index, value, key, new)


class Lookups:
    """Reading a store. Results are tuples in no particular order, fixed at the time of the call."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: type[R], key: Key) -> R | None:
        """The record of this class and key, or None."""
        return cast("R | None", self._store.records[kind].get(key))

    def need(self, kind: type[R], key: Key) -> R:
        """The record of this class and key; raises NotFound."""
        record = self.get(kind, key)
        if record is None:
            raise NotFound(kind.__name__, key)
        return record

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """Every record of this class."""
        return cast("tuple[R, ...]", tuple(self._store.records[kind].values()))

    def count(self, kind: type[Record]) -> int:
        """How many records of this class there are."""
        return len(self._store.records[kind])

    def derived(self, make: Callable[[Lookups], T], *kinds: type[Record]) -> T:
        """What `make` finds in this view; made anew only when records of these classes changed."""
        versions = tuple(self._store.versions[kind] for kind in kinds)
        known = self._store.derived.get(make)
        if known is None or known[0] != versions:
            known = self._store.derived[make] = versions, make(self)
        return cast(T, known[1])

    @property
    def generation(self) -> int:
        """Intent's generation in this view; 0 before the first change."""
        row = self.get(Global, ())
        return 0 if row is None else row.generation

    def service_at(self, vip: str, port: int, protocol: str) -> Service | None:
        """The service that has this VIP, port and protocol."""
        return self._one(Service, "service by endpoint", (vip, port, protocol))

    def services_at_vip(self, vip: str) -> tuple[Service, ...]:
        """Every service that shares this VIP."""
        return self._listed(Service, "service by vip", vip)

    def service_numbered(self, number: int) -> Service | None:
        """The service with this number."""
        return self._one(Service, "service by number", number)

    def containers_of(self, service: str) -> tuple[Container, ...]:
        """Every container of the service with this name."""
        return self._listed(Container, "container by service", service)

    def containers_at(self, address: str) -> tuple[Container, ...]:
        """Every container with this IPv4 address."""
        return self._listed(Container, "container by address", address)

    def container_numbered(self, number: int) -> Container | None:
        """The container with this number."""
        return self._one(Container, "container by number", number)

    def containers_on_iface(self, iface_id: str) -> tuple[Container, ...]:
        """Every container attached through this interface (one pod may serve several services)."""
        return self._listed(Container, "container by iface", iface_id)

    def containers_on_port(self, switch: str, switch_port: str) -> tuple[Container, ...]:
        """Every container registered at this port of a switch, as it was named there."""
        return self._listed(Container, "container by port", (switch, switch_port))

    def port_numbered(self, switch: str, number: int) -> Port | None:
        """The port of a switch with this OpenFlow number."""
        return self._one(Port, "port by number", (switch, number))

    def ports_of(self, switch: str) -> tuple[Port, ...]:
        """Every port of the switch with this datapath id."""
        return self._listed(Port, "port by switch", switch)

    def port_with_iface(self, iface_id: str) -> Port | None:
        """The port whose interface has this iface-id (should be one; the smallest key if not)."""
        return self._one(Port, "port by iface", iface_id)

    def containers_with_mac(self, mac: str) -> tuple[Container, ...]:
        """Every container registered with this MAC address."""
        return self._listed(Container, "container by mac", mac)

    def ports_with_mac(self, mac: str) -> tuple[Port, ...]:
        """Every port that is said to have this MAC address behind it (`attached-mac`)."""
        return self._listed(Port, "port by attached mac", mac)

    def links_to(self, switch: str, port: str) -> tuple[Link, ...]:
        """Every link that arrives at a port (should be one)."""
        return self._listed(Link, "link by peer", (switch, port))

    def hosts_at(self, address: str) -> tuple[Host, ...]:
        """Every learned host with this IP address (should be one)."""
        return self._listed(Host, "host by address", address)

    def hosts_on(self, switch: str, port: str) -> tuple[Host, ...]:
        """Every learned host at this port."""
        return self._listed(Host, "host by port", (switch, port))

    def connections_of(self, service: str, container: str) -> tuple[Connections, ...]:
        """What every switch counted of a container's connections."""
        return self._listed(Connections, "connections by container", (service, container))

    def local_slots_of(self, service: str) -> tuple[LocalSlots, ...]:
        """The slots of a service for the clients of each switch."""
        return self._listed(LocalSlots, "local slots by service", service)

    def policy_between(self, source: str | None, destination: str | None) -> Policy | None:
        """The policy with just these ends (should be one)."""
        return self._one(Policy, "policy by ends", (source, destination))

    def policies_of(self, service: str) -> tuple[Policy, ...]:
        """Every policy that names this service as its source or destination."""
        return self._listed(Policy, "policy by service", service)

    def shares_of(self, policy: str) -> tuple[PolicyShare, ...]:
        """What every switch lets through of a policy."""
        return self._listed(PolicyShare, "share by policy", policy)

    def policy_connections(self, policy: str) -> tuple[PolicyConnections, ...]:
        """The open connections of a policy, by every switch that they came in at."""
        return self._listed(PolicyConnections, "connections by policy", policy)

    def requests_of(self, service: str) -> tuple[PrewarmRequest, ...]:
        """Every prewarm request for a service."""
        return self._listed(PrewarmRequest, "request by service", service)

    def dependencies_of(self, child: str) -> tuple[Dependency, ...]:
        """Every service whose rise precedes one at this service."""
        return self._listed(Dependency, "dependency by child", child)

    def policy_numbered(self, number: int) -> Policy | None:
        """The policy with this number."""
        return self._one(Policy, "policy by number", number)

    def free_policy_number(self) -> int:
        """The smallest that no policy has: switches have room for a few thousand meters of ours."""
        taken = self._store.indexes["policy by number"]
        return next(number for number in itertools.count(1) if number not in taken)

    def _listed(self, kind: type[R], index: str, value: Hashable) -> tuple[R, ...]:  # noqa: ARG002
        found = self._store.indexes[index].get(value)
        if isinstance(found, dict):
            return cast("tuple[R, ...]", tuple(found.values()))
        return () if found is None else (cast(R, found),)

    def _one(self, kind: type[R], index: str, value: Hashable) -> R | None:  # noqa: ARG002
        found = self._store.indexes[index].get(value)
        if isinstance(found, dict):
            return cast(R, found[min(found)])
        return cast("R | None", found)


class Mirror(Lookups):
    """The whole database as records. `Nib` keeps one; tests may build their own."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(Store())

    def apply(self, change: RowChange) -> None:
        """Make one change; what was at the key before, if anything, is replaced."""
        record = change.record
        self._store.replace(type(record), record.key, change.new)

    def draft_store(self) -> Store:
        """The store itself, for the one owner who applies changes and takes them back."""
        return self._store
