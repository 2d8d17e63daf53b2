"""What the database wants of switches, and what the controller finds on them when it is asked.

Must not know: this host, what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from gateway_lb.health import health_iface
from nib.database import Nib
from nib.errors import Conflict, NotFound
from nib.mirror import Lookups
from nib.qos import Policy, PolicyShare, PortQos
from nib.records import Audit, Leader
from nib.topology import Port, Switch
from prewire.doctor.facts import KnownPolicy, KnownSwitch, Network, PortKey, RuleList
from prewire.fabric.read_back import audit_finished, audit_requested
from qos.classes import classes_of
from qos.queues import PortQueues, port_queues
from ryu_apps.compile import unit_rules
from ryu_apps.provision import provision
from ryu_apps.routing import is_fabric_port
from ryu_apps.units import Unit

_MISSING: Final = "missing "
_ALIEN: Final = "alien "


def network_of(view: Lookups) -> Network:
    """What is known and wanted, without any read-back."""
    ports = view.all(Port)
    return Network(
        switches=tuple(_switch(each, view) for each in sorted(view.all(Switch), key=_dpid)),
        policies=tuple(_policies(view)),
        fabric=frozenset(port.key for port in ports if is_fabric_port(port, view)),
        health=frozenset(port.key for port in ports if port.iface_id == health_iface(port.switch)),
        queues=dict(_queues(ports, view)),
        port_qos={row.key: row for row in view.all(PortQos)},
    )


def _dpid(switch: Switch) -> str:
    return switch.dpid


def _switch(switch: Switch, view: Lookups) -> KnownSwitch:
    shares = [each for each in view.all(PolicyShare) if each.switch == switch.dpid]
    meters = {
        meter.meter_id: share.policy
        for share in shares
        for meter in unit_rules(Unit("policy", share.policy), view, switch).meters
    }
    return KnownSwitch(switch.dpid, switch.name, switch.connected, switch.problem, meters)


def _policies(view: Lookups) -> Iterable[KnownPolicy]:
    states, classes = provision(view).policies, classes_of(view)
    for policy in sorted(view.all(Policy), key=lambda policy: policy.name):
        state = states[policy.name]
        used = view.policy_between(*policy.ends)
        yield KnownPolicy(
            policy.name,
            state.state,
            state.reason,
            policy.qos_class in classes,
            policy.qos_class,
            used.name if used is not None and used != policy else "",
        )


def _queues(ports: Iterable[Port], view: Lookups) -> Iterable[tuple[PortKey, PortQueues]]:
    promised = provision(view)
    plans = ((port.key, port_queues(view, promised, port)) for port in ports)
    return ((key, plan) for key, plan in plans if plan is not None)


# ------------------------------------------------------------------------------- read-backs


def read_back(nib: Nib, network: Network, timeout_s: float) -> tuple[Network, list[str]]:
    """The network with what the controller finds on its switches; and those it did not look at.

    The controller reads a switch once it has done all that it has to do there, and then puts right
    what it finds of its own.
    """
    with nib.view() as view:
        has_leader = view.get(Leader, ()) is not None
    connected = [each.dpid for each in network.switches if each.connected]
    if not has_leader:
        return network, ["no controller leads: rules were not read back"] if connected else []
    rows = {row.switch: row for row in _audits(nib, connected, timeout_s)}
    switches = tuple(_with_audit(each, rows.get(each.dpid)) for each in network.switches)
    unseen = [
        f"switch {dpid}: the controller did not read it back in time"
        for dpid in connected
        if dpid not in rows
    ]
    return replace(network, switches=switches), unseen


def _audits(nib: Nib, dpids: list[str], timeout_s: float) -> list[Audit]:
    """What each read-back found, of switches that were read back in time."""
    asked = {dpid: nib.write(audit_requested(dpid)) for dpid in dpids}
    waits: dict[str, Future[None]] = {}
    for dpid, request in asked.items():
        with suppress(Conflict, NotFound):  # it was lost meanwhile
            waits[dpid] = nib.when(partial(_is_answered, dpid, request.result().value))
    done, _ = wait(waits.values(), timeout_s)
    for future in waits.values():
        future.cancel()
    with nib.view() as view:
        return [view.need(Audit, dpid) for dpid, future in waits.items() if future in done]


def _is_answered(dpid: str, number: int, view: Lookups) -> bool:
    return audit_finished(view, dpid) >= number


def _with_audit(switch: KnownSwitch, row: Audit | None) -> KnownSwitch:
    if row is None:
        return switch
    missing = tuple(sorted(t[len(_MISSING) :] for t in row.lines if t.startswith(_MISSING)))
    alien = tuple(sorted(t[len(_ALIEN) :] for t in row.lines if t.startswith(_ALIEN)))
    return replace(switch, missing=RuleList(row.missing, missing), alien=RuleList(row.alien, alien))
