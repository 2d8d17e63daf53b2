"""What contradicts what: between a service and its containers, and between any of them and others.

A record checks its own fields; here is what takes more than one row to know, and what a health
check of one kind has no use for. Errors name the field and the remedy.

Must not know: HTTP, how a change is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from nib.errors import Conflict, FieldError
from nib.fields import is_ipv6
from nib.intent import Container, Service
from nib.mirror import Endpoint, Lookups
from nib.policy import HealthCheck

_STATELESS = "stateless"


def check_service(service: Service, view: Lookups) -> None:
    """A service against other services and its own containers. FieldError, Conflict."""
    _check_health(service.health)
    if service.mode == _STATELESS and service.ejection is not None:
        raise FieldError(
            "ejection",
            "failed connections are not known in stateless mode",
            "set mode to stateful, or leave ejection out",
        )
    if service.locality != "none" and service.affinity_seconds:
        raise FieldError(
            "affinity_seconds",
            "with locality a client's container depends on the switch where it enters",
            "leave affinity_seconds out, or set locality to none",
        )
    _check_vip(service, view)
    for container in view.containers_of(service.name):
        if is_ipv6(container.address) != is_ipv6(service.vip):
            raise Conflict(
                "vip",
                f"{service.vip} is not of the family of container {container.id}, "
                f"{container.address}",
                "give a VIP of that family, or delete the container",
            )
        _check_cap(container, service, "mode" if service.mode == _STATELESS else "protocol")
        _check_endpoints(container, service, view, "extra_ports")


def check_container(container: Container, service: Service, view: Lookups) -> None:
    """A container against its service and other containers. FieldError, Conflict."""
    _check_address(container, view)
    if is_ipv6(container.address) != is_ipv6(service.vip):
        family = "IPv6" if is_ipv6(service.vip) else "IPv4"
        raise FieldError(
            "address",
            f"{container.address} is not of the family of service {service.name}'s VIP, "
            f"{service.vip}",
            f"give the container's {family} address",
        )
    _check_cap(container, service, "max_connections")
    _check_endpoints(container, service, view, "port")


def _check_health(health: HealthCheck | None) -> None:
    """What only a check of another kind looks at."""
    if health is None:
        return
    plain = HealthCheck()
    of_kind = {
        "http": ("path", "status_from", "status_to"),
        "grpc": ("grpc_service",),
    }
    for kind, names in of_kind.items():
        for name in names:
            if health.kind != kind and getattr(health, name) != getattr(plain, name):
                raise FieldError(
                    f"health.{name}",
                    f"a {health.kind} check does not look at it",
                    f"set health.kind to {kind}, or leave health.{name} out",
                )


def _check_vip(service: Service, view: Lookups) -> None:
    for vip, port, protocol in service.fronts:
        taken = view.service_at(vip, port, protocol)
        if taken is not None and taken.name != service.name:
            raise front_taken(service, (vip, port, protocol), taken.name)
    holders = view.containers_at(service.vip)
    if holders:
        raise Conflict(
            "vip",
            f"{service.vip} is the address of container {'/'.join(holders[0].key)}",
            "choose an address that no container has",
        )


def front_taken(service: Service, front: Endpoint, other: str) -> Conflict:
    """What is wrong where a VIP, port and protocol of a service are another's already."""
    vip, port, protocol = front
    return Conflict(
        "vip" if (port, protocol) == (service.port, service.protocol) else "extra_ports",
        f"service {other} has {protocol} {vip}:{port} already",
        "choose another VIP or port, or delete that service",
    )


def _check_address(container: Container, view: Lookups) -> None:
    """An address belongs to one interface in one place, and is no VIP."""
    services = view.services_at_vip(container.address)
    if services:
        raise Conflict(
            "address",
            f"{container.address} is the VIP of service {services[0].name}",
            "give the container's own address",
        )
    for other in view.containers_at(container.address):
        if other.key != container.key and _interface(other) != _interface(container):
            raise Conflict(
                "address",
                f"container {'/'.join(other.key)} has {container.address} on another interface",
                "give the same mac and place, or another address",
            )


def _interface(container: Container) -> tuple[str | None, ...]:
    return container.mac, container.switch, container.switch_port, container.iface_id


def _check_cap(container: Container, service: Service, field: str) -> None:
    """Connections are counted where conntrack sees their beginning and end."""
    if container.max_connections is None:
        return
    if service.mode != _STATELESS and service.protocol != "udp":
        return
    what = _STATELESS if service.mode == _STATELESS else service.protocol
    raise FieldError(
        field,
        f"container {container.id} has max_connections, and service {service.name} is {what}: "
        "its connections are not counted",
        "leave max_connections out, or use a stateful TCP service",
    )


def _check_endpoints(container: Container, service: Service, view: Lookups, field: str) -> None:
    """An address and port may stand behind several ports of VIPs, in different services too.

    But a stateless service does not remember which VIP a packet went to: what answers for it
    answers for nothing else. And within one service each container has its own.
    """
    own = list(_endpoints(container, service))
    if service.mode == _STATELESS and len(set(own)) != len(own):
        raise Conflict(
            field,
            f"a port of container {container.id} stands behind two ports of the stateless "
            f"service {service.name}, and its replies can be restored to one only",
            "give each port a target of its own, or set mode to stateful",
        )
    for other in view.containers_at(container.address):
        if other.key == container.key:
            continue
        its = service if other.service == service.name else view.need(Service, other.service)
        shared = sorted(set(own) & set(_endpoints(other, its)))
        if shared:
            _check_shared(shared[0], service, its, other, field)


def _endpoints(container: Container, service: Service) -> Iterator[Endpoint]:
    for _port, protocol, target in service.targets(container):
        yield container.address, target, protocol


def _check_shared(
    shared: Endpoint, service: Service, its: Service, other: Container, field: str
) -> None:
    address, port, protocol = shared
    held = f"container {'/'.join(other.key)} is at {protocol} {_joined(address, port)} already"
    if its.name == service.name:
        raise Conflict(field, held, "give each container its own address or port")
    for each in (service, its):
        if each.mode == _STATELESS:
            raise Conflict(
                field,
                f"{held}, and replies of the stateless service {each.name} can be restored to "
                "one VIP only",
                "give the container a port of its own, or make that service stateful",
            )


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if is_ipv6(address) else f"{address}:{port}"
