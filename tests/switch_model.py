"""A switch as far as programming it goes: it takes one message after the other, or refuses it.

It refuses what Open vSwitch refuses and deletes what it deletes by itself (flows that name a group
or meter that goes). Tests of a real switch are in tests/switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from openflow.cookies import without_epoch
from openflow.values import Action, ApplyMeter, Flow, Group, Meter, Rules, ToGroup
from ryu_apps.diff import Changes, Desired, Installed
from ryu_apps.order import Batch

# In which order a stage's messages go out (`ryu_apps.link`).
_SENT: Final = (
    "add_meters",
    "modify_meters",
    "add_groups",
    "modify_groups",
    "put_flows",
    "delete_flows",
    "delete_groups",
    "delete_meters",
)

Rule = Flow | Group | Meter
Message = tuple[str, Rule]


def messages(*stages: Changes) -> Iterator[Message]:
    """The messages of stages: which list of Changes each is of, and its rule."""
    return ((kind, rule) for stage in stages for kind in _SENT for rule in getattr(stage, kind))


def messages_of(batches: Iterable[Batch]) -> list[Message]:
    """The messages of some batches, in the order in which they reach the switch."""
    return [message for batch in batches for message in messages(*batch)]


class SwitchModel:
    """`held` is what the switch holds."""

    def __init__(self, held: Installed | None = None) -> None:
        self.held = copy_of(held or Installed())

    def take(self, message: Message) -> str | None:
        """Carry a message out. Returns the error instead where the switch refuses it."""
        kind, rule = message
        refusal = _REFUSALS[kind](self.held, rule) if kind in _REFUSALS else None
        if refusal is None:
            only: dict[str, Any] = {kind: (rule,)}
            self.held.confirm(Changes(**only))
            if kind.startswith("delete"):
                self._drop_flows_that_name(rule)
        return refusal

    def _drop_flows_that_name(self, gone: Rule) -> None:
        named: Action
        match gone:
            case Group():
                named = ToGroup(gone.group_id)
            case Meter():
                named = ApplyMeter(gone.meter_id)
            case Flow():
                return
        for key in [key for key, flow in self.held.flows.items() if named in flow.actions]:
            del self.held.flows[key]


def _names_nothing(held: Installed, rule: Rule) -> str | None:
    assert isinstance(rule, Flow)
    for action in rule.actions:
        if isinstance(action, ToGroup) and action.group_id not in held.groups:
            return "OFPBAC_BAD_OUT_GROUP"
        if isinstance(action, ApplyMeter) and action.meter_id not in held.meters:
            return "OFPMMFC_INVALID_METER"
    return None


def _group_is_there(held: Installed, rule: Rule) -> str | None:
    return "OFPGMFC_GROUP_EXISTS" if getattr(rule, "group_id", 0) in held.groups else None


def _group_is_absent(held: Installed, rule: Rule) -> str | None:
    return None if getattr(rule, "group_id", 0) in held.groups else "OFPGMFC_UNKNOWN_GROUP"


def _meter_is_there(held: Installed, rule: Rule) -> str | None:
    return "OFPMMFC_METER_EXISTS" if getattr(rule, "meter_id", 0) in held.meters else None


def _meter_is_absent(held: Installed, rule: Rule) -> str | None:
    return None if getattr(rule, "meter_id", 0) in held.meters else "OFPMMFC_UNKNOWN_METER"


_REFUSALS: Final[dict[str, Callable[[Installed, Rule], str | None]]] = {
    "add_meters": _meter_is_there,
    "modify_meters": _meter_is_absent,
    "add_groups": _group_is_there,
    "modify_groups": _group_is_absent,
    "put_flows": _names_nothing,
}


def copy_of(held: Installed | Desired) -> Installed:
    """Its own dictionaries."""
    return Installed(dict(held.flows), dict(held.groups), dict(held.meters))


def rules_of(held: Installed | Desired) -> Rules:
    """As the interpreter takes it."""
    return Rules(
        tuple(held.flows.values()), tuple(held.groups.values()), tuple(held.meters.values())
    )


def shown(held: Installed | Desired) -> tuple[object, ...]:
    """All that is held, cookies without their epoch: equal for equal states."""
    flows = {
        key: replace(flow, cookie=without_epoch(flow.cookie)) for key, flow in held.flows.items()
    }
    return flows, dict(held.groups), dict(held.meters)
