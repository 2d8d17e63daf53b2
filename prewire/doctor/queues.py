"""What may be wrong with queues and meters: facts in, findings out.

Must not know: where facts come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prewire.doctor.facts import (
    Facts,
    Filter,
    HostBridge,
    HostMeter,
    HostPort,
    PortKey,
)
from prewire.doctor.findings import Finding, found
from qos.pipeline import policy_of_meter
from qos.queues import POLICER, QueuePlan

# The kernel's qdisc for each kind of QoS that Open vSwitch sets there, and the number it gives it.
_QDISCS: Final = {
    "linux-htb": "htb",
    "linux-hfsc": "hfsc",
    "linux-sfq": "sfq",
    "linux-codel": "codel",
    "linux-fq_codel": "fq_codel",
    "linux-netem": "netem",
}
_OVS_HANDLE: Final = 1
_PLAIN: Final = frozenset({"noqueue", "pfifo_fast", "pfifo", "fq_codel", "fq", "mq", "noop"})
_FAMILIES: Final = ("ip", "ipv6")

# Keys of other_config that are numbers, of any kind of QoS.
_NUMBERS: Final = frozenset(
    {"min-rate", "max-rate", "burst", "priority", "cir", "cbs", "eir", "ebs", "pir", "pbs"}
)

_LONG_S: Final = 600.0
_MANY_PACKETS: Final = 1000
_DROPPED: Final = 0.1
_ENOUGH_S: Final = 0.5


def queue_findings(facts: Facts) -> Iterator[Finding]:
    """Of queues: what the database says of them, and what this host's ports have."""
    yield from _unserved(facts)
    here = {
        (bridge.dpid, port.name): list(_port_findings(facts, bridge, port))
        for bridge in (facts.host.bridges if facts.host else ())
        for port in bridge.ports
    }
    for listed in here.values():
        yield from listed
    for key, problem in sorted(_troubles(facts).items()):
        if all(each.code != "QOS03" for each in here.get(key, ())):  # which is what it says
            yield found("QOS11", f"switch {key[0]} port {key[1]}", problem)


def _unserved(facts: Facts) -> Iterator[Finding]:
    """Switches with queues to set, of which no node agent says anything."""
    wanting = {dpid for dpid, _ in facts.network.queues}
    served = {dpid for dpid, _ in facts.network.port_qos}
    for dpid in sorted(wanting - served):
        ports = sorted(port for switch, port in facts.network.queues if switch == dpid)
        what = f"no node agent sets the queues of {', '.join(ports)}"
        yield found("QOS10", f"switch {dpid}", what, switch=dpid)


def _troubles(facts: Facts) -> dict[PortKey, str]:
    """Ports of which a node agent says itself what is wrong."""
    return {key: row.problem for key, row in facts.network.port_qos.items() if row.problem}


def _port_findings(facts: Facts, bridge: HostBridge, port: HostPort) -> Iterator[Finding]:
    key = (bridge.dpid, port.name)
    plan = facts.network.queues.get(key)
    wanted = plan.queues if plan else ()
    if key in _troubles(facts) or port.qos is None:
        yield from _foreign_qdisc(bridge, port)
        is_served = any(dpid == bridge.dpid for dpid, _ in facts.network.port_qos)
        if wanted and is_served and key not in _troubles(facts):
            numbers = ", ".join(str(each.queue) for each in wanted)
            yield found("QOS01", _subject(bridge, port), f"it should have the queues {numbers}")
        return
    yield from _configured(bridge, port)
    yield from _rates(bridge, port, wanted)
    if port.is_dpdk:
        if port.qos.kind != POLICER and bridge.queues_set:
            what = f"its QoS is {port.qos.kind}, and flows set queues"
            yield found("QOS05", _subject(bridge, port), what, port=port.name)
    else:
        yield from _in_kernel(bridge, port, wanted)


def _configured(bridge: HostBridge, port: HostPort) -> Iterator[Finding]:
    """What is wrong with the QoS that Open vSwitch has configured, whatever is wanted."""
    assert port.qos is not None  # noqa: S101 - asked by the caller
    queues = port.qos.queues
    if queues and 0 not in queues:
        yield found("QOS07", _subject(bridge, port), "it has no queue 0", port=port.name)
    lacking = sorted(bridge.queues_set - queues.keys() - {0}) if queues else []
    if lacking:
        numbers = ", ".join(map(str, lacking))
        yield found("QOS06", _subject(bridge, port), f"flows set queue {numbers}, not there")
    configs = [("", port.qos.config), *((f"queue {n} ", each) for n, each in queues.items())]
    for where, config in configs:
        for name, value in sorted(config.items()):
            if name in _NUMBERS and not value.isdigit():
                what = f"{where}{name} is {value!r}"
                yield found("QOS08", _subject(bridge, port), what, port=port.name)


def _rates(bridge: HostBridge, port: HostPort, wanted: tuple[QueuePlan, ...]) -> Iterator[Finding]:
    """Queues of linux-htb whose rates are others than those wanted."""
    assert port.qos is not None  # noqa: S101 - asked by the caller
    for each in wanted if port.qos.kind == "linux-htb" else ():
        config = port.qos.queues.get(each.queue)
        if config is None:
            continue
        asked = {"min-rate": each.min_bps, "max-rate": each.max_bps}
        for name, bps in asked.items():
            value = config.get(name, "")
            if value.isdigit() and int(value) != bps:
                what = f"queue {each.queue} has {name} {value}, wanted is {bps}"
                yield found("QOS09", _subject(bridge, port), what)


def _in_kernel(
    bridge: HostBridge, port: HostPort, wanted: tuple[QueuePlan, ...]
) -> Iterator[Finding]:
    """Whether the kernel has the qdisc of a port's QoS, and filters to its classes."""
    assert port.qos is not None  # noqa: S101 - asked by the caller
    device, expected = port.device, _QDISCS.get(port.qos.kind)
    if device is None or expected is None:
        return
    if (device.qdisc, device.handle) == (expected, _OVS_HANDLE):
        if bridge.is_userspace and expected == "htb":
            yield from _filters(bridge, port, device.filters, wanted)
    elif device.qdisc in _PLAIN:
        what = f"its root qdisc is {device.qdisc}, not {expected}"
        yield found("QOS02", _subject(bridge, port), what, port=port.name)
    else:
        yield from _foreign_qdisc(bridge, port)


def _filters(
    bridge: HostBridge,
    port: HostPort,
    filters: frozenset[Filter],
    wanted: tuple[QueuePlan, ...],
) -> Iterator[Finding]:
    """Filters that are not there, and those that lead elsewhere."""
    subject = _subject(bridge, port)
    if not wanted:
        if bridge.queues_set - {0} and not filters:
            yield found("QOS04", subject, "it has queues, and no tc filter by DSCP")
        return
    leading = {(each.family, each.dscp): each.queue for each in filters}
    lacking, astray = [], []
    for queue in wanted:
        for family in _FAMILIES:
            leads = leading.get((family, queue.dscp))
            if leads is None and queue.queue:
                lacking.append(f"{family} DSCP {queue.dscp} to queue {queue.queue}")
            elif leads is not None and leads != queue.queue:
                astray.append(f"{family} DSCP {queue.dscp} to queue {leads}, not {queue.queue}")
    if astray:
        yield found("QOS12", subject, f"filters lead {'; '.join(astray)}", port=port.name)
    if lacking:
        yield found("QOS04", subject, f"no tc filter leads {'; '.join(lacking)}")


def _foreign_qdisc(bridge: HostBridge, port: HostPort) -> Iterator[Finding]:
    """A root qdisc that somebody chose, other than Open vSwitch for a port's queues."""
    device = port.device
    if device is None or device.qdisc in _PLAIN:
        return
    expected = _QDISCS.get(port.qos.kind) if port.qos else None
    if (device.qdisc, device.handle) != (expected, _OVS_HANDLE):
        what = f"its root qdisc {device.qdisc} {device.handle:x}: is not Open vSwitch's"
        yield found("QOS03", _subject(bridge, port), what, port=port.name, switch=bridge.dpid)


def _subject(bridge: HostBridge, port: HostPort) -> str:
    return f"bridge {bridge.name} port {port.name}"


# ------------------------------------------------------------------------------- meters


def meter_findings(facts: Facts) -> Iterator[Finding]:
    """Of the meters of policies in this host's switches."""
    for bridge in facts.host.bridges if facts.host else ():
        known = facts.switch(bridge.dpid)
        wanted = known.meters if known else {}
        for number in sorted(wanted.keys() - bridge.meters.keys()):
            what = f"meter {number} of policy {wanted[number]} is missing"
            yield found("MTR01", f"bridge {bridge.name}", what, switch=bridge.dpid)
        for number, meter in sorted(bridge.meters.items()):
            policy = wanted.get(number, f"number {policy_of_meter(number)}")
            if policy_of_meter(number) is not None:
                yield from _meter_findings(f"bridge {bridge.name} meter {number}", policy, meter)


def _meter_findings(subject: str, policy: str, meter: HostMeter) -> Iterator[Finding]:
    if meter.packets == 0 and meter.flows and meter.seconds >= _LONG_S:
        what = f"of policy {policy}: no packet in {meter.seconds / 60:.0f} minutes"
        yield found("MTR02", subject, what)
    drops = meter.dropped / meter.packets if meter.packets >= _MANY_PACKETS else 0.0
    burst_s = meter.burst / meter.rate if meter.rate else 0.0
    if drops >= _DROPPED and burst_s < _ENOUGH_S and not meter.per_packet:
        what = f"of policy {policy}: drops {drops:.0%}, its burst is {burst_s * 1000:.0f} ms"
        yield found("MTR03", subject, what, policy=policy)
