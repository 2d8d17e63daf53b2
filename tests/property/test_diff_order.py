"""Differences and their order, over random intent.

A switch is what the messages of a batch, one after the other, make of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import count

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway_lb.lifecycle import is_ready
from gateway_lb.pipeline import group_id
from gateway_lb.placement import port_of
from nib.mirror import Mirror, RowChange
from nib.records import Container, Service, Switch
from openflow.cookies import is_ours, with_epoch, without_epoch
from openflow.values import Flow, Group, Meter, Rules
from ryu_apps.compile import Unit, compile_state, next_slots
from ryu_apps.diff import Changes, Desired, Installed, desired_of, diff
from ryu_apps.order import order
from tests.nib_strategies import HERE, Database, Edit, edits, histories
from tests.strategies import flows, groups, meters
from tests.traffic import Client, Dialogue, Where, Wire, another_client, slot_choices

CLIENT = Client()


@dataclass(frozen=True)
class Moment:
    """The database at one time, and what the switch here shall hold."""

    view: Mirror
    units: dict[Unit, Rules]

    @property
    def desired(self) -> Desired:
        return desired_of(self.units.values())


def moment(database: Database) -> Moment:
    """A copy of the database as it is, slots dealt."""
    for service in database.mirror.all(Service):
        table = next_slots(service.name, database.mirror)
        database.mirror.apply(RowChange(None, table))
    view = Mirror()
    for change in database.everything():
        view.apply(change)
    return Moment(view, compile_state(view, view.need(Switch, HERE)))


def installed(desired: Desired) -> Installed:
    return Installed(dict(desired.flows), dict(desired.groups), dict(desired.meters))


def rules_of(held: Installed | Desired) -> Rules:
    return Rules(tuple(held.flows.values()), tuple(held.groups.values()))


def single(changes: Changes) -> Iterator[Changes]:
    """One message after the other, in the order in which `ryu_apps.link` sends a batch."""
    names = (
        "add_meters",
        "modify_meters",
        "add_groups",
        "modify_groups",
        "put_flows",
        "delete_flows",
        "delete_groups",
        "delete_meters",
    )
    for name in names:
        for rule in getattr(changes, name):
            yield replace(Changes(), **{name: (rule,)})


def whole(held: Installed | Desired) -> tuple[object, ...]:
    """All that is held, cookies without their epoch."""
    plain = {key: replace(flow, cookie=without_epoch(flow.cookie)) for key, flow in held.flows.items()}
    return plain, dict(held.groups), dict(held.meters)


# ------------------------------------------------------------------- any rules, prewire's or not

some_rules = st.builds(
    Rules,
    st.lists(flows(), max_size=8, unique_by=lambda flow: flow.key).map(tuple),
    st.lists(groups(), max_size=4, unique_by=lambda group: group.group_id).map(tuple),
    st.lists(meters(), max_size=4, unique_by=lambda meter: meter.meter_id).map(tuple),
)
