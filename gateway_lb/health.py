"""Active checks as values: which containers are checked, how, and what the results amount to.

A container is checked from the switch that it is behind, through a port that the node agent has
there. Pure: results in, verdicts out; no clock, no sockets.

Must not know: how a check is made (gateway_lb.probes), what balancing does with a verdict.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from gateway_lb.placement import port_of
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Health
from nib.policy import HealthCheck
from nib.topology import Switch

# What a row's reason has room for.
_LONGEST_REASON: Final = 255


@dataclass(frozen=True, slots=True)
class Target:
    """One container and its check. A target that differs in anything is checked from scratch.

    vip: the check's source address; number: the container's.
    """

    service: str
    container: str
    number: int
    switch: str
    vip: str
    address: str
    port: int
    mac: str
    check: HealthCheck

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return (self.service, self.container)


@dataclass(frozen=True, slots=True)
class Verdict:
    """up: None = not known yet; streak: results in a row against it; reason: the last failure."""

    up: bool | None = None
    streak: int = 0
    reason: str = ""


def health_iface(dpid: str) -> str:
    """The iface-id of the node agent's interface in a switch."""
    return f"prewire-health-{dpid}"


def targets_of(service: Service, switches: Collection[str], view: Lookups) -> dict[str, Target]:
    """By container id: the service's containers behind these switches; none without a check."""
    if service.health is None:
        return {}
    found = {}
    for container in view.containers_of(service.name):
        target = _target(service, service.health, container, view)
        if target is not None and target.switch in switches:
            found[container.id] = target
    return found


def is_current(target: Target, view: Lookups) -> bool:
    """Whether the container is still there and is still to be checked like this."""
    service = view.get(Service, target.service)
    container = view.get(Container, target.key)
    if service is None or service.health is None or container is None:
        return False
    return _target(service, service.health, container, view) == target


def has_moved(target: Target, view: Lookups) -> bool:
    """Whether the target's container is behind another switch now, where an agent checks it.

    What was found of it stands until that agent finds otherwise.
    """
    service = view.get(Service, target.service)
    container = view.get(Container, target.key)
    if service is None or service.health is None or container is None:
        return False
    now = _target(service, service.health, container, view)
    if now is None or now.switch == target.switch:
        return False
    return view.port_with_iface(health_iface(now.switch)) is not None


def is_programmed(target: Target, view: Lookups) -> bool:
    """Whether the target's switch leads a check's packets there and its answers back."""
    switch = view.get(Switch, target.switch)
    service = view.get(Service, target.service)
    container = view.get(Container, target.key)
    if switch is None or service is None or container is None:
        return False
    port = view.port_with_iface(health_iface(target.switch))
    return port is not None and switch.applied >= max(service.generation, container.generation)


def after(verdict: Verdict, check: HealthCheck, failure: str | None) -> Verdict:
    """The verdict after one more result. failure: why the check failed; None = it succeeded.

    The first success is enough where nothing is known yet: a new container waits for it.
    """
    if failure is not None:  # it may hold words of the container's
        failure = "".join(each if each.isprintable() else "?" for each in failure)
        failure = failure[:_LONGEST_REASON]
    if verdict.up is None and failure is None:
        return Verdict(up=True)
    if verdict.up is False:
        if failure is not None:
            return Verdict(up=False, reason=failure)
        risen = verdict.streak + 1 >= check.rise
        return Verdict(up=True) if risen else replace(verdict, streak=verdict.streak + 1)
    if failure is None:
        return replace(verdict, streak=0)
    fallen = verdict.streak + 1 >= check.fall
    if fallen:
        return Verdict(up=False, reason=failure)
    return replace(verdict, streak=verdict.streak + 1)


def row(target: Target, verdict: Verdict) -> Health | None:
    """What the database should say; None while nothing is known."""
    if verdict.up is None:
        return None
    return Health(target.service, target.container, verdict.up, verdict.reason)


def adopted(known: Health | None) -> Verdict:
    """The verdict to begin with: what an agent before this one found, until results differ."""
    return Verdict() if known is None else Verdict(known.up, 0, known.reason)


def _target(
    service: Service, check: HealthCheck, container: Container, view: Lookups
) -> Target | None:
    port = port_of(container, view)
    if port is None:
        return None
    return Target(
        service=service.name,
        container=container.id,
        number=container.number,
        switch=port.switch,
        vip=service.vip,
        address=container.address,
        port=check.port or container.port,
        mac=container.mac,
        check=check,
    )
