"""Explaining what governs a packet, which policy a meter or flow is of, and closed gates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.pipeline import EMPTY_METER
from nib.intent import Container, Service
from nib.mirror import Mirror
from nib.plans import PolicyRate
from nib.qos import Policy, PolicyConnections, PolicyShare
from nib.records import Global, Record
from nib.topology import Host, Port, Switch
from openflow.cookies import METER_IDS, Kind
from openflow.cookies import read as read_cookie
from openflow.text import flow_text
from openflow.values import merged
from prewire.explaining.flow import explain_flow
from prewire.explaining.meter import explain_meter
from prewire.explaining.packet import ExplainedPacket, explain_packet
from qos.pipeline import bit_meter
from ryu_apps.compile import compile_state
from ryu_apps.forwarding import LEARN_METER
from tests.fabric_model import mirror_of

S1 = "00000000000000a1"
SWITCH = Switch(S1, 1, "br0", connected=True)
SHOP = Service("shop", "10.0.0.100", 80, number=1)
DB = Service("db", "10.0.0.101", 80, number=2)
S_SHOP = Container("shop", "s1", "10.0.0.11", 80, "02:00:00:00:00:11", iface_id="s1", number=11)
S_DB = replace(
    S_SHOP,
    service="db",
    id="d1",
    address="10.0.0.12",
    mac="02:00:00:00:00:12",
    iface_id="d1",
    number=12,
)
CLIENT = Host("02:00:00:00:00:21", S1, "client", frozenset({"10.0.0.21"}))
BUY = Policy("buy", "shop", "db", "realtime", max_bps=10_000_000, max_pps=5_000, number=7)
SHARE = PolicyShare("buy", S1, 4_000_000, 2_000)
BITS, PACKETS = bit_meter(7), bit_meter(7) + 1

TO_DB = (
    f"in_port=1,tcp,dl_src={S_SHOP.mac},nw_src=10.0.0.11,nw_dst=10.0.0.101,"
    "tp_src=40000,tp_dst=80,tcp_flags=syn"
)
FROM_CLIENT = TO_DB.replace("in_port=1", "in_port=9").replace("10.0.0.11,", "10.0.0.21,")


def view(*rows: Record) -> Mirror:
    """Two services with a container each, a client, and these rows."""
    ports = [
        Port(S1, each.id, number, each.mac, each.id, each.mac, up=True, speed_bps=10**9)
        for number, each in enumerate((S_SHOP, S_DB), 1)
    ]
    client = Port(S1, "client", 9, "0a:00:00:00:00:09", up=True)
    fixed: tuple[Record, ...] = (Global(), SWITCH, *ports, client, SHOP, DB, S_SHOP, S_DB, CLIENT)
    return mirror_of((*fixed, *rows))


def explained(mirror: Mirror, packet: str = TO_DB) -> ExplainedPacket:
    return explain_packet(packet, SWITCH, mirror, 1_000_000)


def test_without_any_policy_nothing_governs() -> None:
    assert explained(view()).policy is None


def test_the_policy_of_a_pair_with_its_share_and_meters() -> None:
    found = explained(view(BUY, SHARE))
    assert found.outputs[0].startswith("port 2")
    governing = found.policy
    assert governing is not None
    assert (governing.policy, governing.state, governing.reason) == ("buy", "active", "")
    assert (governing.qos_class, governing.dscp, governing.queue) == ("realtime", 46, 3)
    assert (governing.max_bps, governing.max_pps) == (10_000_000, 5_000)
    assert (governing.share_bps, governing.share_pps) == (4_000_000, 2_000)
    assert governing.meters == (BITS, PACKETS)
    assert governing.switch == S1


def test_rates_of_a_plan_are_shown_as_those_in_force() -> None:
    governing = explained(
        view(BUY, PolicyRate("buy", "plan", 1_700_000_000_000, 30_000_000))
    ).policy
    assert governing is not None
    assert (governing.max_bps, governing.rates_by) == (30_000_000, "plan")
    assert governing.rates_until_ms == 1_700_000_000_000


def test_what_no_policy_speaks_of_is_of_the_default_class() -> None:
    governing = explained(view(BUY, SHARE), FROM_CLIENT).policy
    assert governing is not None
    assert (governing.policy, governing.qos_class, governing.meters) == ("", "default", ())


def test_a_policy_that_is_short_says_so() -> None:
    short = replace(BUY, guaranteed_bps=2_000_000_000, max_bps=None)
    governing = explained(view(short)).policy
    assert governing is not None
    assert (governing.policy, governing.state) == ("buy", "short")
    assert "lacks" in governing.reason


def test_a_closed_gate_is_why_a_new_connection_is_dropped() -> None:
    full = replace(BUY, max_connections=5)
    found = explained(view(full, SHARE, PolicyConnections("buy", S1, 5)))
    assert found.outputs == ("dropped: policy buy has all the connections that it may have",)


@pytest.mark.parametrize(
    ("number", "counts", "rate"), [(BITS, "bits", 4_000), (PACKETS, "packets", 2_000)]
)
def test_a_meter_of_a_policy(number: int, counts: str, rate: int) -> None:
    found = explain_meter(number, view(BUY, SHARE))
    assert (found.owner, found.policy, found.counts) == ("policy buy", "buy", counts)
    (wanted,) = found.switches
    assert (wanted.switch, wanted.switch_name, wanted.rate) == (S1, "br0", rate)
    assert wanted.burst == rate, "a second of the rate"


def test_meters_of_no_policy() -> None:
    mirror = view(BUY)
    gone = explain_meter(bit_meter(99), mirror)
    assert (gone.owner, gone.policy, gone.switches) == ("policy number 99, gone", "", ())
    unlimited = explain_meter(BITS, mirror)
    assert (unlimited.policy, unlimited.switches) == ("buy", ())
    assert explain_meter(5, mirror).owner.startswith("not prewire's")
    assert explain_meter(METER_IDS.start + 100, mirror).owner == "nothing has it"


@pytest.mark.parametrize("number", [LEARN_METER, EMPTY_METER])
def test_meters_of_every_switch(number: int) -> None:
    found = explain_meter(number, view())
    assert found.owner.startswith("base: bounds what the controller is told of ")
    assert [each.switch for each in found.switches] == [S1]


def test_every_meter_of_a_switch_has_an_owner_and_its_rate() -> None:
    mirror = view(BUY, SHARE)
    for meter in merged(compile_state(mirror, SWITCH).values()).meters:
        found = explain_meter(meter.meter_id, mirror)
        assert [each.rate for each in found.switches] == [meter.rate_kbps], found.owner


def test_the_owners_of_flows() -> None:
    mirror = view(BUY, SHARE)
    owners: dict[Kind, set[str]] = {}
    for flow in merged(compile_state(mirror, SWITCH).values()).flows:
        cookie = read_cookie(flow.cookie)
        assert cookie is not None
        found = explain_flow(flow_text(flow, "ovs"), SWITCH, mirror)
        assert found.wanted, flow
        owners.setdefault(cookie.kind, set()).add(found.owner.partition(",")[0])
    assert owners[Kind.POLICY] == {"policy buy"}
    assert owners[Kind.CLASS] == {
        "classes", "class default", "class bulk", "class interactive", "class realtime"
    }  # fmt: skip
    assert owners[Kind.MEMBER] == {
        "address 10.0.0.11 of a service",
        "address 10.0.0.12 of a service",
    }


def test_the_flow_of_a_policy_that_is_gone() -> None:
    mirror, without = view(BUY, SHARE), view()
    flows = merged(compile_state(mirror, SWITCH).values()).flows
    (flow,) = [flow for flow in flows if flow.origin == "policy buy" and flow.table == 75]
    found = explain_flow(flow_text(flow, "ovs"), SWITCH, without)
    assert (found.owner.partition(", written")[0], found.wanted) == ("policy number 7, gone", "")
