"""Desired against installed: what to add, modify and delete.

`Desired` is what intent compiles to, `Installed` what the switch reported plus what it confirmed
since; two types, so that nobody mistakes one for the other. Cookies compare without their epoch: a
new leader changes nothing that is right already. Only flows that carry our cookie, and groups and
meters in our ranges, are ever deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from openflow.cookies import METER_IDS, is_our_group, is_ours, without_epoch
from openflow.values import Flow, FlowKey, Group, Meter, Rules, merged

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Desired:
    """Flows by key, groups and meters by id. Two rules with one key are a compiler's fault."""

    flows: Mapping[FlowKey, Flow]
    groups: Mapping[int, Group]
    meters: Mapping[int, Meter]


@dataclass(slots=True)
class Installed:
    """What a switch holds; grows and shrinks as batches are confirmed."""

    flows: dict[FlowKey, Flow] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    meters: dict[int, Meter] = field(default_factory=dict)

    def confirm(self, changes: Changes) -> None:
        """The switch acknowledged these changes."""
        for flow in changes.put_flows:
            self.flows[flow.key] = flow
        for flow in changes.delete_flows:
            self.flows.pop(flow.key, None)
        for group in (*changes.add_groups, *changes.modify_groups):
            self.groups[group.group_id] = group
        for group in changes.delete_groups:
            self.groups.pop(group.group_id, None)
        for meter in (*changes.add_meters, *changes.modify_meters):
            self.meters[meter.meter_id] = meter
        for meter in changes.delete_meters:
            self.meters.pop(meter.meter_id, None)


@dataclass(frozen=True, slots=True)
class Changes:
    """What turns installed into desired. put_flows: added, or overwritten where the key exists.

    overwritten: the keys of those that exist; it orders changes and is no part of them.
    """

    add_groups: tuple[Group, ...] = ()
    modify_groups: tuple[Group, ...] = ()
    delete_groups: tuple[Group, ...] = ()
    add_meters: tuple[Meter, ...] = ()
    modify_meters: tuple[Meter, ...] = ()
    delete_meters: tuple[Meter, ...] = ()
    put_flows: tuple[Flow, ...] = ()
    delete_flows: tuple[Flow, ...] = ()
    overwritten: frozenset[FlowKey] = field(default=frozenset(), compare=False)

    def __len__(self) -> int:
        return (
            len(self.add_groups)
            + len(self.modify_groups)
            + len(self.delete_groups)
            + len(self.add_meters)
            + len(self.modify_meters)
            + len(self.delete_meters)
            + len(self.put_flows)
            + len(self.delete_flows)
        )


def desired_of(parts: Iterable[Rules]) -> Desired:
    """The parts as one state. ValueError where two parts claim one key."""
    rules = merged(parts)
    desired = Desired(
        {flow.key: flow for flow in rules.flows},
        {group.group_id: group for group in rules.groups},
        {meter.meter_id: meter for meter in rules.meters},
    )
    for kind in ("flows", "groups", "meters"):
        if len(getattr(desired, kind)) != len(getattr(rules, kind)):
            raise ValueError(f"two units compile to the same key among {kind}")
    return desired


def diff(desired: Desired, installed: Installed, before: Desired | None = None) -> Changes:
    """The changes that make installed hold desired.

    before: where desired is only a part of the whole (the units that changed), the same part as it
    was; what it no longer has is deleted. Without it desired is the whole, and whatever else of
    ours is installed is deleted.
    """
    leaving = before or ours(installed)
    put = tuple(
        flow
        for key, flow in desired.flows.items()
        if not _same_flow(flow, installed.flows.get(key))
    )
    return Changes(
        add_groups=_absent(desired.groups, installed.groups),
        modify_groups=_altered(desired.groups, installed.groups),
        delete_groups=_unwanted(leaving.groups, desired.groups, installed.groups),
        add_meters=_absent(desired.meters, installed.meters),
        modify_meters=_altered(desired.meters, installed.meters),
        delete_meters=_unwanted(leaving.meters, desired.meters, installed.meters),
        put_flows=put,
        delete_flows=_unwanted(leaving.flows, desired.flows, installed.flows),
        overwritten=frozenset(flow.key for flow in put if flow.key in installed.flows),
    )


def ours(installed: Installed) -> Desired:
    """What a switch holds that is prewire's, as if just that were wanted."""
    return Desired(
        {key: flow for key, flow in installed.flows.items() if is_ours(flow.cookie)},
        {number: group for number, group in installed.groups.items() if is_our_group(number)},
        {number: meter for number, meter in installed.meters.items() if number in METER_IDS},
    )


def alien_flows(desired: Desired, installed: Installed) -> list[Flow]:
    """Flows that the switch holds and nobody wants, whoever put them there."""
    return [flow for key, flow in installed.flows.items() if key not in desired.flows]


def _same_flow(wanted: Flow, held: Flow | None) -> bool:
    """Whether a flow with the wanted one's key is the wanted one, whichever epoch wrote it."""
    return held is not None and (
        held.actions == wanted.actions
        and without_epoch(held.cookie) == without_epoch(wanted.cookie)
        and held.idle_timeout == wanted.idle_timeout
    )


def _absent(desired: Mapping[K, V], installed: Mapping[K, V]) -> tuple[V, ...]:
    return tuple(value for key, value in desired.items() if key not in installed)


def _altered(desired: Mapping[K, V], installed: Mapping[K, V]) -> tuple[V, ...]:
    return tuple(
        value for key, value in desired.items() if key in installed and installed[key] != value
    )


def _unwanted(
    leaving: Mapping[K, V], desired: Mapping[K, V], installed: Mapping[K, V]
) -> tuple[V, ...]:
    return tuple(installed[key] for key in leaving if key not in desired and key in installed)
