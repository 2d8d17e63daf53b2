"""Differences, and the order in which they reach a switch.

First over any rules, prewire's or not; then over random intent, where at every message a packet to
a live VIP is still delivered and answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import example, given
from hypothesis import strategies as st

from gateway_lb.intent import put_container, put_service
from gateway_lb.lifecycle import is_ready
from gateway_lb.pipeline import group_id
from gateway_lb.placement import port_of
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.records import Record
from nib.topology import Switch
from openflow.cookies import (
    GROUP_IDS,
    METER_IDS,
    OWNER_COOKIE,
    ROUTE_IDS,
    is_our_group,
    is_ours,
    with_epoch,
)
from openflow.interpreter import Choose
from openflow.tables import FORWARD, PIPELINE
from openflow.values import (
    CONTROLLER,
    Bucket,
    Flow,
    Group,
    Meter,
    Output,
    Rules,
    ToGroup,
)
from openflow.values import match as matching
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots
from ryu_apps.diff import Changes, Desired, Installed, alien_flows, desired_of, diff
from ryu_apps.order import Act, order, phases
from ryu_apps.stations import located
from ryu_apps.units import Unit
from tests.nib_strategies import (
    HERE,
    THERE,
    Database,
    Edit,
    edits,
    examples,
    histories,
    link_of,
    port_of_station,
    put_port,
    registration,
    trunk_port,
)
from tests.switch_model import Message, SwitchModel, copy_of, messages, messages_of, rules_of, shown
from tests.traffic import (
    TRUNK,
    Client,
    Where,
    Wire,
    another_client,
    client_rows,
    connection,
    slot_choices,
)

CLIENT = Client()

# ------------------------------------------------------------------- any rules, prewire's or not

# Few keys, so that states meet each other.
_small = st.integers(1, 3)
_outputs = st.builds(Output, _small).map(lambda output: (output,))
_flows = st.builds(
    Flow,
    table=st.sampled_from([table.number for table in PIPELINE]),
    priority=_small,
    match=st.builds(lambda port: matching(in_port=port), _small),
    actions=_outputs | st.builds(lambda number: (ToGroup(number),), _small),
    cookie=_small,
    hops=_small,
)
_groups = st.builds(
    Group,
    group_id=_small,
    kind=st.just("select"),
    buckets=st.lists(st.builds(Bucket, _outputs), max_size=3).map(tuple),
    hops=_small,
)
_meters = st.builds(Meter, meter_id=_small, rate_kbps=_small, burst_kb=_small)

any_rules = st.builds(
    Rules,
    st.lists(_flows, max_size=6, unique_by=lambda flow: flow.key).map(tuple),
    st.lists(_groups, max_size=3, unique_by=lambda group: group.group_id).map(tuple),
    st.lists(_meters, max_size=3, unique_by=lambda meter: meter.meter_id).map(tuple),
)


def made_ours(rules: Rules) -> Rules:
    """The same with our cookie and ids in our ranges."""
    return Rules(
        tuple(replace(flow, cookie=OWNER_COOKIE | flow.cookie & 0xFFFF) for flow in rules.flows),
        tuple(replace(group, group_id=our_group(group.group_id)) for group in rules.groups),
        tuple(replace(meter, meter_id=METER_IDS[meter.meter_id % 1000]) for meter in rules.meters),
    )


def our_group(number: int) -> int:
    """Some lead to other switches, some choose containers."""
    return (GROUP_IDS, ROUTE_IDS)[number % 2][number]


def held_of(rules: Rules) -> Installed:
    return Installed(
        {flow.key: flow for flow in rules.flows},
        {group.group_id: group for group in rules.groups},
        {meter.meter_id: meter for meter in rules.meters},
    )


ours = any_rules.map(made_ours).map(held_of)


def desired_as(held: Installed) -> Desired:
    return Desired(held.flows, held.groups, held.meters)


def both(one: Installed, other: Installed) -> Installed:
    """Where both have a key, the other's."""
    return Installed(
        {**one.flows, **other.flows},
        {**one.groups, **other.groups},
        {**one.meters, **other.meters},
    )


@st.composite
def part_of(draw: st.DrawFn, wanted: Installed) -> Installed:
    """Some of what is wanted, put there in another epoch; some of it spoilt."""
    held = Installed()
    for flow in wanted.flows.values():
        state = draw(st.sampled_from(("absent", "right", "spoilt", "alien")))
        if state == "right":
            held.flows[flow.key] = replace(flow, cookie=with_epoch(flow.cookie, 7))
        elif state == "spoilt":
            held.flows[flow.key] = replace(flow, actions=(), idle_timeout=3)
        elif state == "alien":
            held.flows[flow.key] = replace(flow, cookie=0)
    for group in wanted.groups.values():
        if draw(st.booleans()):
            held.groups[group.group_id] = replace(group, buckets=group.buckets[1:])
    for meter in wanted.meters.values():
        if draw(st.booleans()):
            held.meters[meter.meter_id] = replace(meter, burst_kb=5)
    return held


def aliens_in(held: Installed) -> Installed:
    return Installed(
        {key: flow for key, flow in held.flows.items() if not is_ours(flow.cookie)},
        {number: group for number, group in held.groups.items() if not is_our_group(number)},
        {number: meter for number, meter in held.meters.items() if number not in METER_IDS},
    )


@given(st.data(), ours, ours, any_rules)
@examples(0.5)
def test_a_difference_makes_installed_hold_what_is_desired_and_keeps_aliens(
    data: st.DataObject, wanted: Installed, stale: Installed, others: Rules
) -> None:
    present = both(both(stale, data.draw(part_of(wanted))), held_of(others))
    changed = copy_of(present)
    changed.confirm(diff(desired_as(wanted), present))
    assert shown(changed) == shown(both(aliens_in(present), wanted))


@given(ours, any_rules)
@examples(0.5)
def test_no_difference_where_all_is_there_whatever_the_epoch(
    wanted: Installed, others: Rules
) -> None:
    held = both(aliens_in(held_of(others)), wanted)
    held.flows = {
        key: replace(flow, cookie=with_epoch(flow.cookie, 41)) if is_ours(flow.cookie) else flow
        for key, flow in held.flows.items()
    }
    assert diff(desired_as(wanted), held) == Changes()
    assert diff(desired_as(wanted), held, desired_as(wanted)) == Changes()


@given(ours, any_rules)
@examples(0.5)
def test_aliens_are_reported(wanted: Installed, others: Rules) -> None:
    held = both(held_of(others), wanted)
    assert {flow.key for flow in alien_flows(desired_as(wanted), held)} == (
        held.flows.keys() - wanted.flows.keys()
    )


@given(st.data(), ours, ours)
@examples(0.5)
def test_batches_are_all_changes_once(
    data: st.DataObject, wanted: Installed, stale: Installed
) -> None:
    changes = diff(desired_as(wanted), both(stale, data.draw(part_of(wanted))))
    batches = order(changes)
    assert Counter(messages_of(batches)) == Counter(messages(changes))
    assert all(len(stage) for batch in batches for stage in batch)
    for batch in batches:
        kinds = {kind.startswith("delete") for kind, _ in messages(*batch)}
        assert len(kinds) == 1, "what breaks waits until what makes is acknowledged"


@given(st.data(), ours, ours)
@examples(0.5)
def test_phases_are_all_changes_once_and_ways_go_by_distance(
    data: st.DataObject, wanted: Installed, stale: Installed
) -> None:
    held = both(stale, data.draw(part_of(wanted)))
    changes = diff(desired_as(wanted), held)
    parts = phases(changes)
    whens = [part.when for part in parts]
    assert whens == sorted(set(whens))
    assert Counter(messages_of(part.batch for part in parts)) == Counter(messages(changes))
    for when, batch in parts:
        for kind, rule in messages(*batch):
            assert is_way(kind, rule, held) == (when.act is Act.ROUTE)
            assert when.act is not Act.ROUTE or when.hops == getattr(rule, "hops", None)


def is_way(kind: str, rule: object, held: Installed) -> bool:
    """Whether a message changes where packets to a station or another switch go."""
    match rule:
        case Flow():
            return kind == "put_flows" and rule.table == FORWARD.number and rule.key in held.flows
        case Group():
            return kind == "modify_groups" and rule.group_id in ROUTE_IDS
    return False


# ------------------------------------------------------------------------------- random intent


@dataclass(frozen=True)
class Moment:
    """The database at one time, and what the switch here shall hold."""

    view: Mirror
    units: dict[Unit, Rules]

    @property
    def desired(self) -> Desired:
        return desired_of(self.units.values())

    def endpoint(self, name: str) -> tuple[str, int, str] | None:
        service = self.view.get(Service, name)
        return (service.vip, service.port, service.protocol) if service else None

    def ready(self, name: str) -> set[str]:
        """The ids of the service's containers that take connections."""
        return {
            container.id
            for container in self.view.containers_of(name)
            if is_ready(container) and port_of(container, self.view) is not None
        }

    def places(self, name: str) -> set[Where]:
        """Where the service's containers are, whatever their state."""
        return {self.place(container) for container in self.view.containers_of(name)}

    def sources(self, name: str) -> set[tuple[str, int, str]]:
        """From where its containers reply: address, port and protocol."""
        service = self.view.get(Service, name)
        protocol = service.protocol if service else ""
        return {(c.address, c.port, protocol) for c in self.view.containers_of(name)}

    def sources_of_others(self, name: str) -> set[tuple[str, int, str]]:
        others = (service.name for service in self.view.all(Service) if service.name != name)
        return {source for other in others for source in self.sources(other)}

    def place(self, container: Container) -> Where:
        """Where this switch sends what is for a container; nobody knows: to the controller."""
        port = located(container.mac, self.view)
        leaves = CONTROLLER if port is None else port.number if port.switch == HERE else TRUNK
        return Where(container.mac, container.address, container.port, leaves)


def moment(database: Database) -> Moment:
    """The database as it is now, slots dealt, with a client and a link to the other switch."""
    trunks = [trunk_port(HERE, "t1"), trunk_port(THERE, "t1")]
    links = [link_of(HERE, "t1"), link_of(THERE, "t1")]
    rows: list[Record] = [*trunks, *links, *client_rows(CLIENT, HERE)]
    for row in rows:
        database.mirror.apply(RowChange(None, row))
    for service in database.mirror.all(Service):
        table = next_slots(service.name, database.mirror)
        database.mirror.apply(RowChange(None, table))
    view = Mirror()
    for change in database.everything():
        view.apply(change)
    return Moment(view, compile_state(view, view.need(Switch, HERE)))


@given(histories(), st.lists(edits, max_size=6))
@examples(0.3)
def test_the_units_that_changed_make_the_same_difference_as_the_whole(
    history: list[Edit], later: list[Edit]
) -> None:
    database = Database(history)
    before = moment(database)
    for edit in later:
        database.write(edit)
    after = moment(database)
    changed = {
        unit
        for unit in before.units.keys() | after.units.keys()
        if before.units.get(unit) != after.units.get(unit)
    }
    held = copy_of(before.desired)
    part = diff(
        desired_of(after.units[unit] for unit in changed if unit in after.units),
        held,
        desired_of(before.units[unit] for unit in changed if unit in before.units),
    )
    full = diff(after.desired, held)
    assert Counter(messages(part)) == Counter(messages(full))


@given(histories(), st.lists(edits, max_size=6))
@examples(0.3)
def test_a_switch_takes_every_message_and_can_be_taken_back(
    history: list[Edit], later: list[Edit]
) -> None:
    database = Database(history)
    first = moment(database)
    for edit in later:
        database.write(edit)
    second = moment(database)
    switch = SwitchModel()
    for wanted in (first, second, first):
        for message in programme(switch.held, wanted):
            assert switch.take(message) is None
        assert shown(switch.held) == shown(wanted.desired)


def programme(held: Installed, wanted: Moment) -> list[Message]:
    return messages_of(order(diff(wanted.desired, held)))


@given(histories(), st.lists(edits, min_size=1, max_size=6))
@examples(0.6)
@example(
    [
        Edit(put_port, port_of_station(1)),
        Edit(put_service, Service("web", "10.0.0.100", 80)),
        Edit(put_container, registration("web", "c1", 1)),
    ],
    [Edit(put_container, registration("web", "c1", 1, port=8081))],
)
def test_at_every_message_a_live_vip_is_delivered_and_answered(
    history: list[Edit], later: list[Edit]
) -> None:
    """Live: the service keeps its VIP and port, and some container is ready before and after.

    A service that loses an address and port to another service in the same change is not looked at:
    one reply flow cannot serve both while they change hands.
    """
    database = Database(history)
    before = moment(database)
    for edit in later:
        database.write(edit)
    after = moment(database)
    switch = SwitchModel(copy_of(before.desired))
    wire = Wire(rules_of(switch.held))
    live = live_services(before, after)
    talks = [talk for name in live for talk in established(name, wire, before, after)]
    for message in programme(switch.held, after):
        switch.take(message)
        wire = wire.programmed(rules_of(switch.held))
        for name in live:
            check_new_connections(name, Wire(wire.index), before, after, str(message))
        for talk in talks:
            check_goes_on(talk, wire, before, after, str(message))


def live_services(before: Moment, after: Moment) -> list[str]:
    return [
        service.name
        for service in before.view.all(Service)
        if before.endpoint(service.name) == after.endpoint(service.name)
        and before.ready(service.name) & after.ready(service.name)
        and not before.sources(service.name) & after.sources_of_others(service.name)
    ]


def check_new_connections(
    name: str, wire: Wire, before: Moment, after: Moment, message: str
) -> None:
    places = before.places(name) | after.places(name)
    service = after.view.need(Service, name)
    client = clients()
    for choose in choices(name, wire, before, after):
        dialogue = connection(wire, next(client), service)
        where = dialogue.opened(choose)
        assert where in places, f"{name}: {where} after {message}"
        assert dialogue.answered(where), f"{name}: no answer from {where} after {message}"


Talk = tuple[Client, str, Container]


def established(name: str, wire: Wire, before: Moment, after: Moment) -> Iterator[Talk]:
    """Connections to those containers that will still be there, where somebody knows."""
    client = clients()
    containers = {before.place(each): each for each in before.view.containers_of(name)}
    for choose in choices(name, wire, before, after):
        dialogue = connection(wire, next(client), before.view.need(Service, name))
        where = dialogue.established(choose)
        container = containers[where] if where else None
        kept = after.view.container_numbered(container.number) if container else None
        if container and kept and located(kept.mac, after.view):
            yield dialogue.client, name, container


def check_goes_on(talk: Talk, wire: Wire, before: Moment, after: Moment, message: str) -> None:
    client, name, container = talk
    now = after.view.need(Container, container.key)
    dialogue = connection(wire, client, after.view.need(Service, name))
    where = dialogue.more()
    assert where in (before.place(container), after.place(now)), f"{where} after {message}"
    assert dialogue.answered(where), f"{name}: no answer from {where} after {message}"


def choices(name: str, wire: Wire, before: Moment, after: Moment) -> Iterator[Choose]:
    """Every bucket that the service's group has, before or after."""
    for number in {group_id(at.view.need(Service, name)) for at in (before, after)}:
        yield from slot_choices(wire, number)


def clients() -> Iterator[Client]:
    return (another_client(CLIENT, number) for number in count())
