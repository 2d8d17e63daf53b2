"""What contradicts what among classes and policies.

A record checks its own fields; here is what takes more than one row, or the built-in classes, to
know. Each check can be made before its record is put or after. Errors name the field and the
remedy.

Must not know: HTTP, how a change is made, what links can carry (`qos.admission`).
"""

from __future__ import annotations

from nib.errors import Conflict, FieldError
from nib.intent import Service
from nib.mirror import Lookups
from nib.qos import Policy, QosClass
from qos.classes import DEFAULT, classes_of


def check_class(each: QosClass, view: Lookups) -> None:
    """A class against all others, built-in ones among them. FieldError, Conflict."""
    if each.name == DEFAULT:
        _check_default(each)
    others = [other for other in classes_of(view).values() if other.name != each.name]
    for field in ("dscp", "queue"):
        value = getattr(each, field)
        for other in others:
            if getattr(other, field) == value:
                raise Conflict(
                    field,
                    f"class {other.name} has {field} {value} already",
                    f"give another; taken are {_taken(field, others)}",
                )
    kept = sum(other.min_percent for other in others)
    if kept + each.min_percent > 100:
        raise Conflict(
            "min_percent",
            f"the other classes have {kept} % of every link as their minimum",
            f"give at most {100 - kept}, or lower theirs",
        )


def _check_default(each: QosClass) -> None:
    """What has no mark is of this class, and so is what no queue is chosen for."""
    for field in ("dscp", "queue"):
        if getattr(each, field) != 0:
            raise FieldError(
                field,
                f"class {DEFAULT} has {field} 0, as what nobody marked",
                f"leave {field} out, or make a class of another name",
            )


def check_unused(name: str, view: Lookups) -> None:
    """A class that is to go, against the policies. Conflict where one is of it."""
    users = sorted(policy.name for policy in view.all(Policy) if policy.qos_class == name)
    if users:
        more = f" and {len(users) - 3} more" if len(users) > 3 else ""
        raise Conflict(
            "class",
            f"of class {name} {'are policies' if len(users) > 1 else 'is policy'} "
            f"{', '.join(users[:3])}{more}",
            "give them another class, or delete them first",
        )


def check_policy(policy: Policy, view: Lookups) -> None:
    """A policy against classes and other policies. FieldError, Conflict."""
    classes = classes_of(view)
    if policy.qos_class not in classes:
        raise FieldError(
            "class",
            f"{policy.qos_class!r} is unknown",
            f"use one of {', '.join(classes)}, or make that class first",
        )
    _check_guarantee(policy)
    _check_connections(policy, view)
    taken = view.policy_between(*policy.ends)
    if taken is not None and taken.name != policy.name:
        raise ends_taken(policy, taken.name)


def ends_taken(policy: Policy, other: str) -> Conflict:
    """What is wrong where another policy has the same ends."""
    return Conflict(
        "source" if policy.destination is None else "destination",
        f"policy {other} is about traffic {_way(policy)} already",
        f"change that policy, or delete it first: `prewire policy delete {other}`",
    )


def _check_guarantee(policy: Policy) -> None:
    if policy.guaranteed_bps is None:
        return
    if policy.destination is None:
        raise FieldError(
            "guaranteed_bps",
            "a guarantee is kept on the way to a service, and there is no destination",
            "name a destination, or leave guaranteed_bps out",
        )
    if policy.qos_class == DEFAULT:
        raise FieldError(
            "guaranteed_bps",
            f"class {DEFAULT} also has what no policy speaks of, and that could use it up",
            "give a class of its own kind, such as interactive, or leave guaranteed_bps out",
        )


def _check_connections(policy: Policy, view: Lookups) -> None:
    if policy.max_connections is None or policy.destination is None:
        return
    service = view.get(Service, policy.destination)
    if service is None:
        return
    if service.mode == "stateless" or "tcp" not in {protocol for _, _, protocol in service.fronts}:
        raise FieldError(
            "max_connections",
            f"service {service.name} tracks no TCP connections, so there is nothing to count",
            "leave max_connections out, or make the service a stateful TCP one",
        )


def _way(policy: Policy) -> str:
    source = f"from {policy.source}" if policy.source else "from anyone"
    return f"{source} to {policy.destination or 'anyone'}"


def _taken(field: str, others: list[QosClass]) -> str:
    return ", ".join(str(number) for number in sorted(getattr(each, field) for each in others))
