"""What may be wrong with switches, their ports, rules and policies: facts in, findings out.

`findings` runs every check. Must not know: where facts come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prewire.doctor.facts import Facts, Host, HostBridge, HostPort, KnownPolicy, Network, RuleList
from prewire.doctor.findings import Finding, found
from prewire.doctor.queues import meter_findings, queue_findings

_LATEST_MS: Final = 1000
_SHOWN_RULES: Final = 3
_BAD_FIRST: Final = ("error", "warning", "info")


def findings(facts: Facts) -> list[Finding]:
    """Everything that is wrong, the worst first."""
    every = [finding for check in _CHECKS for finding in check(facts)]
    return sorted(every, key=lambda each: (_BAD_FIRST.index(each.severity), each.code))


# ------------------------------------------------------------------------------- what is known


def _switches(facts: Facts) -> Iterator[Finding]:
    for each in facts.network.switches:
        subject = f"switch {each.name or each.dpid}"
        if not each.connected:
            names = {"switch": each.dpid, "bridge": each.name or "BRIDGE"}
            yield found("SWT02", subject, "it is not connected", **names)
        elif each.problem:
            yield found("SWT01", subject, each.problem)


def _rules(facts: Facts) -> Iterator[Finding]:
    for each in facts.network.switches:
        subject, bridge = f"switch {each.name or each.dpid}", each.name or "BRIDGE"
        alien = each.alien or _alien_here(facts, each.dpid)
        if alien.count:
            yield found("FLW01", subject, _listed(alien), bridge=bridge)
        if each.missing is not None and each.missing.count:
            yield found("FLW02", subject, _listed(each.missing))


def _alien_here(facts: Facts, dpid: str) -> RuleList:
    """What this host's bridge shows, where no controller reads the switch back."""
    bridges = facts.host.bridges if facts.host else ()
    return next((each.alien for each in bridges if each.dpid == dpid), RuleList())


def _listed(rules: RuleList) -> str:
    shown = "; ".join(rules.shown[:_SHOWN_RULES])
    more = "; …" if rules.count > _SHOWN_RULES else ""
    return f"{rules.count} in all: {shown}{more}" if rules.count > 1 else shown


def _policies(facts: Facts) -> Iterator[Finding]:
    for each in facts.network.policies:
        subject = f"policy {each.name}"
        if not each.has_class:
            names = {"qos_class": each.qos_class, "policy": each.name}
            yield found("POL04", subject, f"there is no class {each.qos_class}", **names)
        elif each.shadowed_by:
            what = f"policy {each.shadowed_by} has the same source and destination"
            yield found("POL01", subject, what, policy=each.name)
        else:
            yield from _fate(subject, each)


def _fate(subject: str, policy: KnownPolicy) -> Iterator[Finding]:
    code = {"short": "POL02", "waiting": "POL03"}.get(policy.fate)
    if code is not None:
        yield found(code, subject, policy.reason or f"it is {policy.fate}")


# ------------------------------------------------------------------------------- what a host has


def _host(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    if host is None:
        return
    if host.dpdk_wanted and not host.dpdk_initialised:
        what = f"DPDK did not start; there are {host.hugepages} hugepages"
        yield found("OVS02", "Open vSwitch", what)
    if host.checksum_errors > 0:
        what = f"{host.checksum_errors:.1f} packets a second are refused (conntrack_l4csum_err)"
        yield found("NET02", "Open vSwitch", what)
    for bridge in host.bridges:
        yield from _bridge(bridge)
        for port in bridge.ports:
            yield from _port(bridge, port, facts.network)
    yield from _mtus(host, facts.network)


def _bridge(bridge: HostBridge) -> Iterator[Finding]:
    subject = f"bridge {bridge.name}"
    if bridge.fail_mode != "secure":
        what = f"its fail_mode is {bridge.fail_mode or 'standalone'}"
        yield found("OVS03", subject, what, bridge=bridge.name)
    for target, backoff_ms in sorted(bridge.controllers.items()):
        if backoff_ms > _LATEST_MS:
            what = f"max_backoff of {target} is {backoff_ms} ms"
            yield found("OVS04", subject, what, bridge=bridge.name)


def _port(bridge: HostBridge, port: HostPort, network: Network) -> Iterator[Finding]:
    subject, names = f"bridge {bridge.name} port {port.name}", {"bridge": bridge.name}
    if port.is_dpdk and not bridge.is_userspace:
        what = f"the bridge's datapath is {bridge.datapath or 'system'}"
        yield found("OVS05", subject, what, **names)
    elif port.error:
        yield found("OVS01", subject, port.error, port=port.name, **names)
    peer = port.device.peer if port.device else None
    is_container = (bridge.dpid, port.name) not in network.fabric | network.health
    if peer is not None and peer.tx_checksum and is_container and bridge.is_userspace:
        what = f"TX checksum offload is on at its other end, {peer.name}"
        yield found("NET01", subject, what, peer=peer.name)


def _mtus(host: Host, network: Network) -> Iterator[Finding]:
    """Ports below most others or their own other end, fabric ports below what containers send."""
    there = [
        ((bridge.dpid, port.name), f"bridge {bridge.name} port {port.name}", port.device)
        for bridge in host.bridges
        for port in bridge.ports
        if port.device is not None and (bridge.dpid, port.name) not in network.health
    ]
    if not there:
        return
    counts = Counter(device.mtu for *_, device in there)
    usual = max(counts, key=lambda mtu: (counts[mtu], mtu))
    largest = max((d.mtu for key, _, d in there if key not in network.fabric), default=usual)
    for key, subject, device in there:
        beyond = largest if key in network.fabric else 0
        needed = max(usual, beyond, device.peer.mtu if device.peer else 0)
        if device.mtu < needed:
            what = f"its MTU is {device.mtu}, that of others {needed}"
            yield found("NET03", subject, what, port=key[1], mtu=needed)


_CHECKS: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    _host,
    _switches,
    _rules,
    _policies,
    queue_findings,
    meter_findings,
)
