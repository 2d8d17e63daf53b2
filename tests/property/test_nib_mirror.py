"""Indexes kept change by change equal indexes built from scratch, and rolling back is exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nib.draft import Draft
from nib.errors import NotFound
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections, Demand, Report
from nib.policy import ExtraPort
from nib.records import RECORD_CLASSES, Global, LocalSlots, Record
from nib.topology import Host, Link, Port

MAC = "0a:00:00:00:00:01"
OTHER_MAC = "0a:00:00:00:00:02"
names = st.sampled_from(["a", "b", "c"])
addresses = st.sampled_from(["10.0.0.1", "10.0.0.2"])
numbers = st.integers(0, 3)
ifaces = st.sampled_from(["i1", "i2"])
dpids = st.sampled_from(["0000000000000001", "0000000000000002"])
macs = st.sampled_from([MAC, OTHER_MAC])

extra_ports = st.lists(
    st.builds(ExtraPort, port=st.integers(3, 5), target=st.just(80)),
    max_size=2,
    unique_by=lambda extra: extra.port,
).map(tuple)
services = st.builds(
    Service,
    name=names,
    vip=addresses,
    port=st.integers(1, 2),
    number=numbers,
    extra_ports=extra_ports,
)
containers = st.builds(
    Container,
    service=names,
    id=names,
    address=addresses,
    port=st.just(80),
    mac=macs,
    iface_id=ifaces,
    number=numbers,
)
ports = st.builds(
    Port,
    switch=dpids,
    name=names,
    number=numbers,
    mac=st.just(MAC),
    iface_id=st.none() | ifaces,
    attached_mac=st.none() | macs,
)
links = st.builds(Link, switch=dpids, port=names, peer=dpids, peer_port=names)
hosts = st.builds(
    Host, mac=macs, switch=dpids, port=names, addresses=st.frozensets(addresses, max_size=2)
)
counts = st.builds(
    Connections,
    service=names,
    container=names,
    open=st.integers(0, 1),
    at_ms=st.just(0),
    switch=st.just("") | dpids,
)
local_slots = st.builds(
    LocalSlots, service=names, switch=dpids, slots=st.sampled_from([(), (1,), (2,)])
)
reports = st.builds(Report, service=names, container=names, percent=st.integers(0, 1))
demands = st.builds(Demand, service=names, at_ms=st.integers(0, 1))
records: st.SearchStrategy[Record] = st.one_of(
    services, containers, ports, links, hosts, reports, counts, demands, local_slots
)
steps = st.lists(st.tuples(st.sampled_from(["put", "delete"]), records), max_size=40)


def contents(mirror: Mirror) -> tuple[Any, Any]:
    """Everything a mirror holds, lookups included; empty lists would show as leaks."""
    store = mirror.draft_store()
    return store.records, store.indexes


def rebuilt(mirror: Mirror) -> Mirror:
    fresh = Mirror()
    for kind in RECORD_CLASSES:
        for record in mirror.all(kind):
            fresh.apply(RowChange(None, record))
    return fresh


@given(steps)
def test_incremental_equals_rebuilt(changes: list[tuple[str, Record]]) -> None:
    mirror = Mirror()
    for action, record in changes:
        old = mirror.get(type(record), record.key)
        if action == "put":
            mirror.apply(RowChange(old, record))
        elif old is not None:
            mirror.apply(RowChange(old, None))
    assert contents(mirror) == contents(rebuilt(mirror))
    for container in mirror.all(Container):
        assert container in mirror.containers_of(container.service)
        assert container in mirror.containers_at(container.address)
        assert container in mirror.containers_with_mac(container.mac)
    for link in mirror.all(Link):
        assert link in mirror.links_to(link.peer, link.peer_port)
    for host in mirror.all(Host):
        assert host in mirror.hosts_on(host.switch, host.port)
        assert all(host in mirror.hosts_at(address) for address in host.addresses)
    for count in mirror.all(Connections):
        assert count in mirror.connections_of(count.service, count.container)
    for local in mirror.all(LocalSlots):
        assert local in mirror.local_slots_of(local.service)
    for service in mirror.all(Service):
        for front in service.fronts:
            found = mirror.service_at(*front)
            assert found is not None
            assert front in found.fronts


@given(steps, steps)
def test_a_draft_taken_back_leaves_the_mirror_as_it_was(
    before: list[tuple[str, Record]], drafted: list[tuple[str, Record]]
) -> None:
    mirror = Mirror()
    mirror.apply(RowChange(None, Global()))
    play(Draft(mirror), before)
    untouched, held = rebuilt(mirror), rebuilt(mirror)
    draft = Draft(mirror)
    play(draft, drafted)
    after = rebuilt(mirror)
    for change in draft.net_changes():
        held.apply(change)
    kinds = tuple(kind for kind in RECORD_CLASSES if kind is not Global)
    assert {kind: set(held.all(kind)) for kind in kinds} == {
        kind: {_without_needless_stamp(held, record) for record in after.all(kind)}
        for kind in kinds
    }
    draft.roll_back(0)
    assert contents(mirror) == contents(untouched)
    assert draft.net_changes() == ()


def _without_needless_stamp(held: Mirror, record: Record) -> Record:
    """A record put back to what it was carries a new stamp in the draft, not in the net changes."""
    kept = held.get(type(record), record.key)
    if not isinstance(kept, Service | Container) or not isinstance(record, Service | Container):
        return record
    return kept if replace(kept, generation=record.generation) == record else record


def play(draft: Draft, changes: list[tuple[str, Record]]) -> None:
    for action, record in changes:
        try:
            if action == "put":
                draft.put(record)
            else:
                draft.delete(type(record), record.key)
        except NotFound:
            continue
