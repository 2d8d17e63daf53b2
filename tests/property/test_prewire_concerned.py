"""An explanation from the few units that concern a packet or flow is that of all units."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import Policy, PolicyShare
from nib.records import Record
from nib.topology import Switch
from openflow.fields import FIELDS, IPV4, IPV6, MAC
from openflow.network import Place
from openflow.packet import Packet, arp, icmp, tcp, udp
from openflow.text import flow_text
from openflow.values import merged
from prewire.explaining.concerned import units_of_flow, units_of_packet
from prewire.explaining.flow import explain_flow
from prewire.explaining.model import model_of
from ryu_apps.compile import compile_state, unit_rules
from ryu_apps.dealing import next_slots
from ryu_apps.stations import all_stations
from ryu_apps.units import all_units
from tests.nib_strategies import (
    HERE,
    THERE,
    Database,
    Edit,
    bandwidth_edits,
    examples,
    histories,
    link_of,
    trunk_port,
)
from tests.traffic import Client, client_rows

CLIENT = Client()


POLICED = st.builds(list.__add__, histories(), st.lists(bandwidth_edits, max_size=6))


def whole(history: list[Edit]) -> Mirror:
    """The database after these edits, with a client, links, slots and shares."""
    mirror = Database(history).mirror
    rows: list[Record] = [trunk_port(HERE, "t1"), trunk_port(THERE, "t1")]
    rows += [link_of(HERE, "t1"), link_of(THERE, "t1"), *client_rows(CLIENT, HERE)]
    for row in rows:
        mirror.apply(RowChange(None, row))
    for service in mirror.all(Service):
        mirror.apply(RowChange(None, next_slots(service.name, mirror)))
    for policy in mirror.all(Policy):
        share = PolicyShare(policy.name, HERE, policy.max_bps, policy.max_pps)
        mirror.apply(RowChange(None, share))
    return mirror


@st.composite
def packets_of(draw: st.DrawFn, view: Mirror) -> Packet:
    """A packet between any two addresses and stations that the database knows, or none does."""
    addresses = {service.vip for service in view.all(Service)} | {"10.9.9.9"}
    addresses |= {container.address for container in view.all(Container)}
    families = [{each for each in addresses if (":" in each) == six} for six in (False, True)]
    chosen = draw(st.sampled_from([sorted(each) for each in families if each]))
    source, target = draw(st.sampled_from(chosen)), draw(st.sampled_from(chosen))
    macs = st.sampled_from(sorted(all_stations(view) | {"02:00:00:00:00:fe"}))
    ethernet = {"eth_src": draw(macs), "eth_dst": draw(macs)}
    ports = {80, *(service.port for service in view.all(Service))}
    known = sorted(ports | {container.port for container in view.all(Container)})
    src, dst = draw(st.sampled_from(known)), draw(st.sampled_from(known))
    if ":" not in source and draw(st.booleans()):
        return arp(arp_spa=source, arp_tpa=target, arp_sha=ethernet["eth_src"], **ethernet)
    names = ("ipv6_src", "ipv6_dst") if ":" in source else ("ip_src", "ip_dst")
    ip = dict(zip(names, (source, target), strict=True))
    made = [
        tcp(tcp_src=src, tcp_dst=dst, **ip, **ethernet),
        udp(udp_src=src, udp_dst=dst, **ip, **ethernet),
        *([] if ":" in source else [icmp(**ip, **ethernet)]),
    ]
    return draw(st.sampled_from(made))


@given(POLICED, st.data())
@examples(0.3)
def test_a_packet_meets_no_other_units(history: list[Edit], data: st.DataObject) -> None:
    view = whole(history)
    everything = all_units(view)
    for _ in range(4):
        packet = data.draw(packets_of(view))
        entry = Place(HERE, data.draw(st.integers(1, 6)))
        few = model_of(view, units_of_packet(packet, view), entry).send(entry, packet)
        all_of_them = model_of(view, everything, entry).send(entry, packet)
        assert few.ends == all_of_them.ends
        assert few.hops == all_of_them.hops


@given(POLICED)
@examples(0.3)
def test_a_flow_is_looked_for_where_it_was_made(history: list[Edit]) -> None:
    view = whole(history)
    for switch in view.all(Switch):
        for unit in all_units(view):
            for flow in unit_rules(unit, view, switch).flows:
                assert unit in units_of_flow(flow, view), flow_text(flow)


def test_the_fields_with_addresses_are_known_by_their_form() -> None:
    named = {name for name, field in FIELDS.items() if field.form in (IPV4, IPV6, MAC)}
    assert named == {
        "eth_src", "eth_dst", "ip_src", "ip_dst", "ipv6_src", "ipv6_dst", "arp_spa", "arp_tpa",
        "arp_sha", "arp_tha", "nd_target", "nd_sll", "nd_tll",
    }  # fmt: skip


@given(POLICED, st.data())
@examples(0.1)
def test_every_flow_is_explained(history: list[Edit], data: st.DataObject) -> None:
    view = whole(history)
    switch = view.need(Switch, HERE)
    flows = merged(compile_state(view, switch).values()).flows
    for flow in data.draw(st.lists(st.sampled_from(flows), max_size=5)):
        found = explain_flow(flow_text(flow, "ovs"), switch, view)
        assert (found.wanted, found.origin) == (flow_text(flow), flow.origin)
