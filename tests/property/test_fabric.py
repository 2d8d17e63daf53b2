"""Who reaches whom through whole fabrics of any shape, by the interpreter, switch by switch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.neighbours import VIP_MAC
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.records import Record, SlotTable
from nib.topology import Host
from openflow.fields import ETH_IP, IPV4, MAC
from openflow.network import Journey, Network, Place
from openflow.packet import ACK, SYN, SYN_ACK, Packet, arp, tcp
from openflow.packet import packet as packet_of
from openflow.values import Rules
from ryu_apps.diff import desired_of, diff
from ryu_apps.order import order
from ryu_apps.routing import fabric_of
from tests import fabric_model
from tests.fabric_model import fabrics, place_of
from tests.nib_strategies import examples
from tests.switch_model import SwitchModel, copy_of, messages_of, rules_of
from topologies.spec import HostSpec, LinkSpec, NetworkSpec

WEB = Service("web", "10.0.0.100", 80, number=1)


def known(spec: NetworkSpec) -> Mirror:
    """The database of a network that is whole and known."""
    rows: list[Record] = [*fabric_model.infrastructure(spec), *fabric_model.learned(spec)]
    rows += [WEB, *fabric_model.containers(spec, WEB)]
    return fabric_model.mirror_of(rows)


def built(spec: NetworkSpec, view: Mirror | None = None) -> Network:
    """Its switches, programmed from a view of it. view: None = all is known."""
    return fabric_model.fabric(spec, fabric_model.compiled(view or known(spec)))


class Call(NamedTuple):
    """One who calls the VIP, and the container that every slot leads to; where each of them is."""

    view: Mirror
    caller: HostSpec
    edge: Place
    chosen: Container
    there: Place


def call(spec: NetworkSpec, callers: Sequence[HostSpec], data: st.DataObject) -> Call:
    """All is known."""
    view = known(spec)
    caller = data.draw(st.sampled_from(callers))
    chosen = data.draw(st.sampled_from(sorted(view.all(Container), key=str)))
    view.apply(RowChange(view.get(SlotTable, "web"), SlotTable("web", (chosen.number,) * 64)))
    return Call(view, caller, place_of(spec, caller.name), chosen, place_of(spec, chosen.id))


def clients(spec: NetworkSpec) -> list[HostSpec]:
    return [host for host in spec.hosts if host.role == "client"]


def between(source: HostSpec, target: HostSpec, flags: int = SYN) -> Packet:
    return tcp(
        eth_src=source.mac,
        eth_dst=target.mac,
        ip_src=source.address,
        ip_dst=target.address,
        tcp_src=40_000,
        tcp_dst=9999,
        tcp_flags=flags,
    )


def to_vip(source: HostSpec, port: int, flags: int) -> Packet:
    return tcp(
        eth_src=source.mac,
        eth_dst=VIP_MAC,
        ip_src=source.address,
        ip_dst=WEB.vip,
        tcp_src=port,
        tcp_dst=WEB.port,
        tcp_flags=flags,
    )


def reply(seen: Packet, container: Container, flags: int) -> Packet:
    """What a container answers to a packet as it came."""
    return tcp(
        eth_src=container.mac,
        eth_dst=seen["eth_src"],
        ip_src=seen["ip_dst"],
        ip_dst=seen["ip_src"],
        tcp_src=seen["tcp_dst"],
        tcp_dst=seen["tcp_src"],
        tcp_flags=flags,
    )


def arrives(journey: Journey, at: Place) -> Packet:
    """The packet as it left there, and nowhere else."""
    assert not journey.errors
    assert [(end.fate, end.place) for end in journey.ends] == [("delivered", at)]
    return journey.ends[0].packet


@given(fabrics(6), st.data())
@examples(0.3)
def test_every_host_reaches_every_other_by_a_shortest_path(
    spec: NetworkSpec, data: st.DataObject
) -> None:
    net = built(spec)
    pairs = list(permutations(spec.hosts, 2))
    for source, target in data.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=6)):
        asked = between(source, target)
        journey = net.send(place_of(spec, source.name), asked)
        assert arrives(journey, place_of(spec, target.name)).outside() == asked.outside()
        assert len(journey.hops) <= len(spec.switches)


@given(fabrics(6), st.data())
@examples(0.3)
def test_a_connection_is_balanced_once_and_answered_as_the_vip(
    spec: NetworkSpec, data: st.DataObject
) -> None:
    """From any client to a container anywhere; only the client's switch knows of it."""
    view, client, edge, chosen, there = call(spec, clients(spec), data)
    net = built(spec, view)
    for flags, answer in ((SYN, SYN_ACK), (ACK, ACK)):
        journey = net.send(edge, to_vip(client, 40_000, flags))
        seen, net = arrives(journey, there), journey.network
        assert IPV4.show(seen["ip_dst"]) == chosen.address
        assert seen["tcp_dst"] == chosen.port
        assert IPV4.show(seen["ip_src"]) == client.address
        journey = net.send(there, reply(seen, chosen, answer))
        back, net = arrives(journey, edge), journey.network
        assert IPV4.show(back["ip_src"]) == WEB.vip
        assert MAC.show(back["eth_src"]) == VIP_MAC
        assert (back["tcp_src"], back["tcp_dst"]) == (WEB.port, 40_000)
    knowing = {dpid for dpid, table in net.conntrack.items() if table.connections}
    assert knowing == {edge.switch}


@given(fabrics(6), st.data())
@examples(0.3)
def test_while_a_client_is_learned_or_forgotten_no_answer_comes_to_it_but_the_vip_s(
    spec: NetworkSpec, data: st.DataObject
) -> None:
    """A container's own answer would have the client reset the connection."""
    view, client, edge, chosen, there = call(spec, clients(spec), data)
    journey = built(spec, view).send(edge, to_vip(client, 40_000, SYN))
    answer = reply(arrives(journey, there), chosen, SYN_ACK)
    heard: set[str] = set()
    for rules in while_known(edge.switch, view, client.mac):
        back = journey.network.programmed({edge.switch: rules}).send(there, answer)
        assert not back.errors
        heard |= {IPV4.show(end.packet["ip_src"]) for end in back.of("delivered")}
    assert heard == {WEB.vip}


def while_known(dpid: str, view: Mirror, mac: str) -> Iterator[Rules]:
    """What a switch holds, message by message, while it learns a station and forgets it again."""
    with_it = desired_of([fabric_model.compiled(view)[dpid]])
    view.apply(RowChange(view.need(Host, mac), None))
    without = desired_of([fabric_model.compiled(view)[dpid]])
    switch = SwitchModel(copy_of(without))
    for wanted in (with_it, without):
        for message in messages_of(order(diff(wanted, switch.held))):
            assert switch.take(message) is None
            yield rules_of(switch.held)


@given(fabrics(6), st.data())
@examples(0.3)
def test_a_container_calls_a_vip_itself_and_others(spec: NetworkSpec, data: st.DataObject) -> None:
    view, caller, edge, chosen, there = call(spec, spec.containers, data)
    journey = built(spec, view).send(edge, to_vip(caller, 41_000, SYN))
    seen = arrives(journey, there)
    answer = reply(seen, chosen, SYN_ACK)
    if caller.name == chosen.id:
        answer = answer.having(eth_dst=MAC.read(VIP_MAC))
    back = arrives(journey.network.send(there, answer), edge)
    assert IPV4.show(back["ip_src"]) == WEB.vip
    assert IPV4.show(back["ip_dst"]) == caller.address


@given(fabrics(6), st.data())
@examples(0.3)
def test_nothing_is_flooded(spec: NetworkSpec, data: st.DataObject) -> None:
    """Broadcast reaches nobody but the controller, which hears who is asked for."""
    net = built(spec)
    source = data.draw(st.sampled_from(spec.hosts))
    at = place_of(spec, source.name)
    everybody = "ff:ff:ff:ff:ff:ff"
    other = data.draw(st.sampled_from([host for host in spec.hosts if host != source]))
    resolved = net.send(at, asking(source, other.address))
    assert MAC.show(arrives(resolved, at)["arp_sha"]) == other.mac
    unknown = net.send(at, asking(source, "10.0.99.99"))
    assert [end.fate for end in unknown.ends] == ["controller"]
    noise = packet_of(
        eth_type=ETH_IP, eth_src=source.mac, eth_dst=everybody, ip_src=source.address, ip_proto=17
    )
    assert [end.fate for end in net.send(at, noise).ends] == ["dropped"]


def asking(source: HostSpec, address: str) -> Packet:
    return arp(
        eth_src=source.mac,
        eth_dst="ff:ff:ff:ff:ff:ff",
        arp_sha=source.mac,
        arp_spa=source.address,
        arp_tpa=address,
    )


@given(fabrics(6), st.data())
@examples(0.3)
def test_where_a_switch_has_another_way_a_cut_loses_nothing_before_any_controller_acts(
    spec: NetworkSpec, data: st.DataObject
) -> None:
    """The switch at the cut goes on by another of its shortest paths, or by its detour."""
    if not spec.trunks:
        return
    view = known(spec)
    one, _ = fabric_model.ends(spec, data.draw(st.sampled_from(spec.trunks)))
    broken = built(spec, view).having_cut(one)
    for source, target in permutations(spec.hosts, 2):
        at, there = place_of(spec, source.name), place_of(spec, target.name)
        if at.switch == one.switch != there.switch and _has_choice(view, at, there):
            arrives(broken.send(at, between(source, target)), there)


def _has_choice(view: Mirror, here: Place, there: Place) -> bool:
    """Whether a switch has two ways on to another."""
    hops = fabric_of(view).hops(here.switch, there.switch)
    return hops is not None and (len(hops.ports) > 1 or hops.detour is not None)


@given(fabrics(6), st.data())
@examples(0.3)
def test_after_a_cut_is_known_everybody_who_can_be_reached_is(
    spec: NetworkSpec, data: st.DataObject
) -> None:
    if not spec.trunks:
        return
    view = known(spec)
    links = data.draw(st.lists(st.sampled_from(spec.trunks), max_size=3, unique=True))
    for link in links:
        for row in fabric_model.link_rows(spec, link):
            view.apply(RowChange(row, None))
    cut = [place for link in links for place in fabric_model.ends(spec, link)]
    net = built(spec, view).having_cut(*cut)
    reached = _islands(spec, links)
    for source, target in permutations(spec.hosts, 2):
        at, there = place_of(spec, source.name), place_of(spec, target.name)
        journey = net.send(at, between(source, target))
        if reached[at.switch] == reached[there.switch]:
            arrives(journey, there)
        else:
            assert not journey.of("delivered", "looped")


def _islands(spec: NetworkSpec, cut: list[LinkSpec]) -> dict[str, str]:
    """Switches by the smallest switch that they can still reach."""
    island = {switch.dpid_hex16: switch.dpid_hex16 for switch in spec.switches}
    for _ in spec.switches:
        for link in spec.trunks:
            if link not in cut:
                one, other = (end.switch for end in fabric_model.ends(spec, link))
                island[one] = island[other] = min(island[one], island[other])
    return island
