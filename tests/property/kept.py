"""A controller's `Incremental` for property tests, and each switch's rules as they accumulate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gateway_lb.balance import service_standings
from gateway_lb.intent import (
    Registration,
    put_container,
    put_service,
)
from gateway_lb.placement import port_of
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.plans import PolicyRate, RatePlan
from nib.prewarm import Override
from nib.qos import LinkRate, Policy, PolicyShare, QosClass
from nib.records import (
    ABOUT_CONTAINER,
    RECORD_CLASSES,
    AboutContainer,
    Key,
    LocalSlots,
    SlotTable,
)
from nib.topology import Port, Switch
from openflow.values import Rules
from qos.shares import shares_of
from ryu_apps.compile import compile_state
from ryu_apps.dealing import deal
from ryu_apps.decisions import Decisions
from ryu_apps.incremental import Incremental
from ryu_apps.provision import provision
from ryu_apps.rating import Rating
from ryu_apps.rows import save
from ryu_apps.units import Unit
from tests.nib_strategies import (
    STATIONS,
    SWITCHES,
    Database,
    Edit,
    port_of_station,
    put_port,
    registration,
)

Parts = dict[Unit, Rules]
Decided = SlotTable | LocalSlots | PolicyShare | PolicyRate
Unsaved = dict[tuple[type[Decided], Key], Decided | None]
START_MS = 1_000_000
THIRD = Switch("0000000000000003", 3, "s3", connected=True)


class Kept:
    """The controller: an `Incremental`, and each switch's rules as they accumulate."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.state = Incremental()
        self.parts = {dpid: self.state.all_rules(switch) for dpid, switch in SWITCHES.items()}
        self.now_ms = now_ms

    def absorb(self, changes: Iterable[RowChange]) -> set[Unit]:
        touched = self.state.absorb(changes, self.state.generation + 1, self.now_ms)
        return self.recompiled(touched)

    def tick(self, passed_ms: int = 50) -> set[Unit]:
        self.now_ms += passed_ms
        return self.recompiled(self.state.tick(self.now_ms))

    def recompiled(self, touched: set[Unit]) -> set[Unit]:
        for dpid, switch in SWITCHES.items():
            self.parts[dpid].update(self.state.rules(touched, switch))
        return touched

    def unsaved(self) -> Unsaved:
        """What it decided since it was asked last."""
        decided: dict[type[Decided], Decisions[Any, Any]] = {
            SlotTable: self.state.tables,
            LocalSlots: self.state.local_tables,
            PolicyShare: self.state.policing.shares,
            PolicyRate: self.state.rating.rates,
        }
        return {
            (kind, key): record
            for kind, decisions in decided.items()
            for key, record in decisions.take_unsaved().items()
        }

    def full(self, switch: Switch) -> Parts:
        return not_empty(compile_state(self.state.view, switch))


def not_empty(parts: Parts) -> Parts:
    return {unit: rules for unit, rules in parts.items() if rules != Rules()}


def shape(given: tuple[str, dict[str, Any]]) -> Callable[[Draft], object]:
    """Change some fields of a service, by name."""
    name, fields = given
    return lambda draft: put_service(replace(draft.need(Service, name), **fields), START_MS)(draft)


def tell(row: AboutContainer) -> Callable[[Draft], object]:
    """Say something of a container, if it is there."""
    container = (row.service, row.container)
    return lambda draft: draft.put(row) if draft.get(Container, container) else None


def delete_switch(dpid: str) -> Callable[[Draft], object]:
    return lambda draft: draft.delete(Switch, dpid)


def check(kept: Kept, database: Database) -> None:
    for dpid, switch in SWITCHES.items():
        assert not_empty(kept.parts[dpid]) == kept.full(switch)
        assert not_empty(kept.state.all_rules(switch)) == kept.full(switch)
    intent = (Service, Container, Policy, QosClass, LinkRate, Override)
    for kind in (*intent, Port, Switch, RatePlan, *ABOUT_CONTAINER):
        assert set(kept.state.view.all(kind)) == set(database.mirror.all(kind))


def check_dealt(kept: Kept, passed_ms: int) -> None:
    """After a tick, every slot table is the one that follows from all rows at this time."""
    kept.tick(passed_ms)
    view = kept.state.view
    for service in view.all(Service):
        table = check_tables(kept, service, kept.now_ms)
        weights = service_standings(service.name, view, kept.now_ms).weights
        wanted = {number for number, weight in weights.items() if weight}
        assert set(table.slots) <= wanted
        assert bool(table.slots) == bool(wanted)
        check_locality(kept, service, wanted)


def check_policed(kept: Kept) -> None:
    """Once a second has passed, rates and shares follow from all rows, and stay as they are."""
    kept.tick(1000)
    view = kept.state.view
    assert set(view.all(PolicyRate)) == set(rates_anew(kept))
    for state in provision(view).policies.values():
        held = {share.switch: share for share in view.shares_of(state.policy.name)}
        assert shares_of(state, {}, held) == held
        if held and state.metered_bps is not None:
            total = sum(share.bps or 0 for share in held.values())
            assert total <= state.metered_bps + len(held)
    assert {share.policy for share in view.all(PolicyShare)} <= {p.name for p in view.all(Policy)}


def rates_anew(kept: Kept) -> Iterable[PolicyRate]:
    """The rates in force, as one decides on them who knows nothing but all other rows."""
    view = Mirror()
    rating = Rating(view)
    for kind in RECORD_CLASSES:
        for row in kept.state.view.all(kind) if kind is not PolicyRate else ():
            view.apply(RowChange(None, row))
            rating.mark(RowChange(None, row), kept.now_ms)
    rating.settle(kept.now_ms)
    return view.all(PolicyRate)


def check_tables(kept: Kept, service: Service, now_ms: int) -> SlotTable:
    """Dealing anew at a time changes nothing; the table of all containers."""
    table = kept.state.view.need(SlotTable, service.name)
    local = {each.switch: each for each in kept.state.view.local_slots_of(service.name)}
    dealt = deal(service.name, kept.state.view, now_ms)
    assert (dealt.table, dealt.local) == (table, local)
    return table


def check_locality(kept: Kept, service: Service, wanted: set[int]) -> None:
    """Clients of a switch get exactly its own containers that can take more, or all that can."""
    view = kept.state.view
    local = {each.switch: each.slots for each in view.local_slots_of(service.name)}
    if service.locality == "none":
        assert not local
        return
    assert local.keys() == {switch.dpid for switch in view.all(Switch)}
    for dpid, slots in local.items():
        ports = {each.number: port_of(each, view) for each in view.containers_of(service.name)}
        near = {number for number in wanted if (port := ports[number]) and port.switch == dpid}
        assert set(slots) <= (near or wanted)
        assert bool(slots) == bool(wanted)


def saved(database: Database, unsaved: Unsaved) -> list[RowChange]:
    """What was decided as it comes back from the database."""
    changes = [
        change
        for (kind, key), record in unsaved.items()
        for change in database.write(save(kind, key, record))
    ]
    unsaved.clear()
    return changes


def many_services(count: int) -> tuple[Kept, Database]:
    """Services of two containers each, all at two stations' ports; two services share a VIP."""
    database = Database(Edit(put_port, port_of_station(station)) for station in STATIONS)
    for number in range(count):
        name, vip = f"s{number}", f"10.1.{number // 400}.{number // 2 % 200 + 1}"
        assert database.write(put_service(Service(name, vip, 80 + number % 2)))
        for station in (1, 2):
            assert database.write(put_container(at_station(number, station)))
    kept = Kept()
    kept.absorb(database.everything())
    return kept, database


def at_station(number: int, station: int, port: int = 2000) -> Registration:
    """A container of a service by its number, with an address of its own."""
    here = registration(f"s{number}", f"c{station}", station, port)
    return replace(here, address=f"10.3.{number}.{station}")


def number_of(kept: Kept, container: str) -> int:
    return kept.state.view.need(Container, ("s0", container)).number
