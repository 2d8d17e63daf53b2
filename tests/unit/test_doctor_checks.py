"""The doctor's checks: sound facts give nothing, and each fault gives just its own code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from nib.qos import PortQos
from prewire.doctor.checks import findings
from prewire.doctor.facts import (
    Device,
    Facts,
    Filter,
    Host,
    HostBridge,
    HostMeter,
    HostPort,
    KnownPolicy,
    KnownSwitch,
    Network,
    Peer,
    QosRow,
    RuleList,
)
from prewire.doctor.findings import CODES
from qos.pipeline import bit_meter
from qos.queues import PortQueues, QueuePlan

DPID = f"{1:016x}"
METER = bit_meter(1)
UPLINK, WEB, HEALTH = (DPID, "uplink"), (DPID, "p-web"), (DPID, "pwh-1")

WANTED = PortQueues(
    100_000_000,
    (
        QueuePlan(0, "default", 0, 20_000_000, 100_000_000, 2, 400_000),
        QueuePlan(3, "realtime", 46, 10_000_000, 50_000_000, 0, 200_000),
    ),
)
QUEUES = {
    0: {"min-rate": "20000000", "max-rate": "100000000"},
    3: {"min-rate": "10000000", "max-rate": "50000000"},
}
HTB = QosRow("linux-htb", {"max-rate": "100000000"}, QUEUES)
FILTERS = frozenset(Filter(family, 46, 3) for family in ("ip", "ipv6"))
QUEUED = Device(1500, "htb", 1, FILTERS, Peer("uplink-peer", 1500, tx_checksum=True))
PLAIN = Device(1500, peer=Peer("eth0", 1500, tx_checksum=False))

SWITCH = KnownSwitch(DPID, "br0", meters={METER: "buy"}, missing=RuleList(), alien=RuleList())
NETWORK = Network(
    switches=(SWITCH,),
    policies=(KnownPolicy("buy"),),
    fabric=frozenset({UPLINK}),
    health=frozenset({HEALTH}),
    queues={UPLINK: WANTED},
    port_qos={UPLINK: PortQos(*UPLINK, "dscp + linux-htb", 100_000_000)},
)
BRIDGE = HostBridge(
    "br0",
    DPID,
    controllers={"tcp:127.0.0.1:6653": 1000},
    ports=(HostPort("p-web", device=PLAIN), HostPort("uplink", qos=HTB, device=QUEUED)),
    queues_set=frozenset({0, 3}),
    meters={METER: HostMeter(10_000, 10_000, False, 5000, 2500, 900.0, 1)},
)
SOUND = Facts(NETWORK, Host((BRIDGE,)))

Change = Callable[[], Facts]


def codes(facts: Facts) -> list[str]:
    return [each.code for each in findings(facts)]


def network(**changes: Any) -> Facts:
    return replace(SOUND, network=replace(NETWORK, **changes))


def switch(**changes: Any) -> Facts:
    return network(switches=(replace(SWITCH, **changes),))


def policy(**changes: Any) -> Facts:
    return network(policies=(replace(KnownPolicy("buy"), **changes),))


def bridge(**changes: Any) -> Facts:
    return replace(SOUND, host=Host((replace(BRIDGE, **changes),)))


def uplink(**changes: Any) -> Facts:
    web, up = BRIDGE.ports
    return bridge(ports=(web, replace(up, **changes)))


def web_port(**changes: Any) -> Facts:
    web, up = BRIDGE.ports
    return bridge(ports=(replace(web, **changes), up))


def queued(**changes: Any) -> Facts:
    return uplink(device=replace(QUEUED, **changes))


def queues(changed: Mapping[int, Mapping[str, str]], **changes: Any) -> Facts:
    return uplink(qos=replace(HTB, queues=changed, **changes))


def meter(**changes: Any) -> Facts:
    return bridge(meters={METER: replace(BRIDGE.meters[METER], **changes)})


TBF = replace(PLAIN, qdisc="tbf", handle=0x8001)

# Each fault: the code, and the facts with it.
FAULTS: list[tuple[str, str, Change]] = [
    ("QOS01", "no queues", lambda: uplink(qos=None, device=replace(PLAIN, peer=None))),
    ("QOS02", "no qdisc", lambda: queued(qdisc="noqueue", handle=0, filters=frozenset())),
    ("QOS03", "tbf on a port without queues", lambda: web_port(device=TBF)),
    ("QOS03", "tbf on a port with queues", lambda: queued(qdisc="tbf", handle=0x8001)),
    ("QOS03", "htb of Mininet on a port with queues", lambda: queued(handle=5)),
    ("QOS04", "no filters", lambda: queued(filters=frozenset())),
    ("QOS04", "no filter for IPv6", lambda: queued(filters=frozenset({Filter("ip", 46, 3)}))),
    ("QOS05", "linux-htb at a DPDK port", lambda: uplink(kind="dpdk", device=None)),
    ("QOS06", "a queue that is not there", lambda: bridge(queues_set=frozenset({0, 3, 5}))),
    (
        "QOS07",
        "no queue 0",
        lambda: replace(
            queues({3: QUEUES[3]}),
            network=replace(NETWORK, queues={UPLINK: replace(WANTED, queues=WANTED.queues[1:])}),
        ),
    ),
    ("QOS08", "a fraction at a queue", lambda: queues({**QUEUES, 3: {"min-rate": "1e7"}})),
    ("QOS08", "a fraction at the port", lambda: queues(QUEUES, config={"max-rate": "1e8"})),
    ("QOS09", "another rate", lambda: queues({**QUEUES, 3: {**QUEUES[3], "min-rate": "9"}})),
    ("QOS10", "no agent", lambda: network(port_qos={})),
    (
        "QOS11",
        "the agent has a problem",
        lambda: network(port_qos={UPLINK: PortQos(*UPLINK, "none", problem="no htb here")}),
    ),
    (
        "QOS12",
        "a filter to another queue",
        lambda: queued(filters=frozenset({Filter("ip", 46, 1), Filter("ipv6", 46, 3)})),
    ),
    ("MTR01", "a meter that is missing", lambda: bridge(meters={})),
    ("MTR02", "a meter never hit", lambda: meter(packets=0, dropped=0)),
    ("MTR03", "a short burst", lambda: meter(burst=500)),
    ("POL01", "two of the same ends", lambda: policy(shadowed_by="bye")),
    ("POL02", "a guarantee that is short", lambda: policy(fate="short", reason="link lost")),
    ("POL03", "a policy that waits", lambda: policy(fate="waiting", reason="no container")),
    ("POL04", "a class that is gone", lambda: policy(has_class=False)),
    ("FLW01", "an alien flow", lambda: switch(alien=RuleList(1, ("cookie=0x5",)))),
    (
        "FLW01",
        "an alien flow, seen on the host only",
        lambda: replace(
            bridge(alien=RuleList(1, ("cookie=0x5",))),
            network=replace(NETWORK, switches=(replace(SWITCH, alien=None, missing=None),)),
        ),
    ),
    ("FLW02", "missing flows", lambda: switch(missing=RuleList(2, ("table=0", "table=1")))),
    ("SWT01", "a problem", lambda: switch(problem="it refused a group")),
    ("SWT02", "not connected", lambda: switch(connected=False)),
    ("OVS01", "no device", lambda: web_port(error="no such device", device=None)),
    (
        "OVS02",
        "no DPDK",
        lambda: replace(SOUND, host=Host((BRIDGE,), dpdk_wanted=True)),
    ),
    ("OVS03", "fail_mode", lambda: bridge(fail_mode="")),
    ("OVS04", "max_backoff", lambda: bridge(controllers={"tcp:127.0.0.1:6653": 8000})),
    (
        "OVS05",
        "DPDK port in the kernel's datapath",
        lambda: bridge(
            datapath="system",
            ports=(HostPort("p-web", "dpdk", "no such type"), BRIDGE.ports[1]),
        ),
    ),
    (
        "NET01",
        "TX checksum",
        lambda: web_port(device=replace(PLAIN, peer=Peer("eth0", 1500, tx_checksum=True))),
    ),
    ("NET02", "checksum errors", lambda: replace(SOUND, host=Host((BRIDGE,), checksum_errors=0.4))),
    ("NET03", "a container's MTU", lambda: web_port(device=replace(PLAIN, mtu=1400))),
    (
        "NET03",
        "a container that sends more",
        lambda: web_port(device=replace(PLAIN, peer=Peer("eth0", 1600, tx_checksum=False))),
    ),
    ("NET03", "a fabric port's MTU", lambda: queued(mtu=1400)),
]


def test_sound_facts_give_nothing() -> None:
    assert findings(SOUND) == []


def test_without_a_host_only_the_network_is_judged() -> None:
    assert findings(replace(SOUND, host=None)) == []
    assert codes(replace(switch(connected=False), host=None)) == ["SWT02"]


@pytest.mark.parametrize(
    ("code", "faulty"),
    [(code, faulty) for code, _, faulty in FAULTS],
    ids=[f"{code} {what}" for code, what, _ in FAULTS],
)
def test_each_fault_gives_just_its_code(code: str, faulty: Change) -> None:
    (found,) = findings(faulty())
    assert (found.code, found.severity) == (code, CODES[code].severity)
    assert found.subject
    assert "\n" not in found.what
    assert not re.search(r"[{}]", found.remedy), "every name of the remedy is filled in"


def test_every_code_has_a_fault_here() -> None:
    assert {code for code, _, _ in FAULTS} == set(CODES)


def test_findings_come_worst_first() -> None:
    several = network(
        policies=(
            KnownPolicy("late", "waiting"),
            KnownPolicy("short", "short"),
            KnownPolicy("two", shadowed_by="one"),
        )
    )
    assert codes(several) == ["POL02", "POL01", "POL03"]


@pytest.mark.parametrize(
    "sound",
    [
        lambda: web_port(device=replace(PLAIN, qdisc="fq_codel")),
        lambda: web_port(device=None),
        lambda: web_port(device=replace(PLAIN, peer=None)),
        lambda: queued(peer=Peer("uplink-peer", 1500, tx_checksum=True)),
        lambda: meter(burst=500, dropped=100),
        lambda: meter(burst=500, packets=999, dropped=900),
        lambda: meter(packets=0, dropped=0, seconds=60.0),
        lambda: meter(packets=0, dropped=0, flows=0),
        lambda: bridge(datapath="system", ports=(HostPort("uplink", qos=HTB, device=QUEUED),)),
    ],
    ids=[
        "a plain qdisc",
        "a device that is not here",
        "a peer that cannot be seen",
        "a link between switches leaves checksums",
        "few drops",
        "few packets",
        "a young meter",
        "a meter without flows",
        "the kernel's datapath",
    ],
)
def test_what_is_sound_all_the_same(sound: Change) -> None:
    assert codes(sound()) == []


def test_the_kernels_datapath_needs_no_filters_and_no_checksums() -> None:
    facts = queued(filters=frozenset())
    assert facts.host is not None
    (only,) = facts.host.bridges
    web = replace(PLAIN, peer=Peer("eth0", 1500, tx_checksum=True))
    ports = (HostPort("p-web", device=web), only.ports[1])
    kernel = replace(only, datapath="system", ports=ports)
    assert codes(replace(facts, host=Host((kernel,)))) == []


def test_a_dpdk_port_with_a_policer_is_sound() -> None:
    policer = QosRow("trtcm-policer", {"cir": "1", "cbs": "1"}, {0: {}, 3: {}})
    assert codes(uplink(kind="dpdk", device=None, qos=policer)) == []


def test_a_jumbo_container_is_too_large_for_the_fabric() -> None:
    facts = web_port(device=replace(PLAIN, mtu=9000))
    found = [each for each in findings(facts) if each.code == "NET03"]
    assert [each.subject for each in found] == ["bridge br0 port uplink"]
    assert "9000" in found[0].remedy
