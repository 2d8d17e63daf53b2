"""The model of a fabric is the network value that it was made of."""

from __future__ import annotations

import pytest
from hypothesis import given

from gateway_lb.placement import port_of
from nib.intent import Container, Service
from nib.records import SlotTable
from nib.topology import Host, Link, Port, Switch
from openflow.network import Place
from openflow.packet import tcp
from openflow.values import Flow, Output, Rules, match
from ryu_apps.routing import fabric_ports, usable
from tests.fabric_model import (
    containers,
    edge_places,
    ends,
    fabric,
    fabrics,
    infrastructure,
    learned,
    mirror_of,
    place_of,
)
from topologies.shapes import leaf_spine
from topologies.spec import NetworkSpec

SPEC = leaf_spine(2, 3, containers=2, clients=3)
SERVICE = Service("web", "10.0.9.1", 80, number=1)


def test_rows_say_what_the_spec_says() -> None:
    view = mirror_of([*infrastructure(SPEC), *learned(SPEC)])
    assert {(s.dpid, s.name, s.ct_zone) for s in view.all(Switch)} == {
        (switch.dpid_hex16, switch.name, switch.dpid) for switch in SPEC.switches
    }
    assert {port.name for port in view.all(Port)} == set(SPEC.switch_interfaces())
    assert len({port.mac for port in view.all(Port)}) == view.count(Port)
    for host in SPEC.hosts:
        (dpid, name), place = SPEC.port_of(host.name), place_of(SPEC, host.name)
        port = view.need(Port, (dpid, name))
        assert (port.switch, port.number) == place
        assert edge_places(SPEC)[place] == host
        is_container = host.role == "container"
        assert (port.iface_id, port.attached_mac) == (
            (host.name, host.mac) if is_container else (None, None)
        )
        heard = view.get(Host, host.mac)
        assert (heard is None) == is_container
        if heard is not None:
            assert (heard.switch, heard.port) == port.key
            assert heard.addresses == {host.address, host.address6}


@pytest.mark.parametrize("vip", ["10.0.9.1", "fd70:77::9:1"])
def test_containers_are_where_their_hosts_are(vip: str) -> None:
    service = Service("web", vip, 80, number=1)
    view = mirror_of([*infrastructure(SPEC), service, *containers(SPEC, service, ["c2", "c5"])])
    assert {c.address for c in view.all(Container)} <= {
        address for host in SPEC.hosts for address in (host.address, host.address6)
    }
    for container in view.all(Container):
        port = port_of(container, view)
        assert port is not None
        assert port.key == SPEC.port_of(container.id)
    dealt = view.need(SlotTable, "web")
    assert set(dealt.slots) == {100, 101}


@given(fabrics())
def test_links_are_seen_in_both_directions(spec: NetworkSpec) -> None:
    view = mirror_of(infrastructure(spec))
    cables = fabric(spec, {}).links
    seen = set()
    for link in view.all(Link):
        edge = usable(link, view)
        assert edge is not None
        there = view.need(Port, (link.peer, link.peer_port))
        seen.add((Place(edge.switch, edge.port), Place(there.switch, there.number)))
    assert seen == set(cables.items())
    assert len(seen) == 2 * len(spec.trunks)
    for switch in spec.switches:
        inner = {port.number for port in fabric_ports(switch.dpid_hex16, view)}
        assert inner == {place.port for place in cables if place.switch == switch.dpid_hex16}
        assert not inner & {place.port for place in edge_places(spec) if switch.dpid_hex16 in place}


def test_cables_carry_packets() -> None:
    (link,) = SPEC.trunks_between("leaf2", "spine1")
    leaf, spine = ends(SPEC, link)
    out = Rules((Flow(0, 1, match(), (Output(leaf.port),)),))
    end = (
        fabric(SPEC, {leaf.switch: out})
        .send(place_of(SPEC, "c3"), tcp(in_port=0, tcp_dst=80))
        .ends[0]
    )
    assert (end.fate, end.place) == ("dropped", spine)
