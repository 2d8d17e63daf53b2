"""When shares of policies' limits are decided, and that late rows undo nothing."""

from __future__ import annotations

from dataclasses import replace

from gateway_lb.intent import put_container, put_service
from nib.intent import Service
from nib.mirror import RowChange
from nib.qos import Policy, PolicyShare
from nib.records import Record
from nib.topology import Switch
from ryu_apps.incremental import Incremental
from ryu_apps.units import Unit
from tests.nib_strategies import HERE, THERE, Database, port_of_station, put_row, registration

NOW = 1_000_000
LIMIT = Policy("from-web", "web", None, max_bps=10_000_000, number=1)


class Site:
    """A controller, and the database it hears of; `web` has containers at two switches."""

    def __init__(self, *rows: Record) -> None:
        self.database = Database()
        self.state = Incremental()
        self.now = NOW
        for station, switch in ((1, HERE), (2, THERE)):
            port = replace(port_of_station(station, switch), up=True)
            self.database.write(put_row(port))
        self.database.write(put_service(Service("web", "10.0.0.100", 80)))
        self.database.write(put_container(registration("web", "c1", 1)))
        for row in rows:
            self.database.write(put_row(row))
        self.absorb(*self.database.everything())

    def absorb(self, *changes: RowChange) -> set[Unit]:
        return self.state.absorb(changes, self.state.generation + 1, self.now)

    def write(self, change: object) -> set[Unit]:
        return self.absorb(*self.database.write(change))  # type: ignore[arg-type]

    def shares(self) -> dict[str, int | None]:
        return {share.switch: share.bps for share in self.state.view.shares_of("from-web")}


def test_a_policy_is_limited_with_the_change_that_makes_it() -> None:
    site = Site()
    assert site.shares() == {}
    touched = site.write(lambda draft: draft.put(LIMIT))
    assert Unit("policy", "from-web") in touched
    assert site.shares() == {HERE: 10_000_000}
    unsaved = site.state.policing.shares.take_unsaved()
    assert unsaved == {("from-web", HERE): PolicyShare("from-web", HERE, 10_000_000)}


def test_another_rate_recompiles_nothing_but_the_policy() -> None:
    site = Site(LIMIT)
    touched = site.write(put_row(replace(LIMIT, max_bps=30_000_000)))
    assert touched == {Unit("policy", "from-web")}


def test_a_container_elsewhere_has_its_part_at_once() -> None:
    site = Site(LIMIT)
    touched = site.write(put_container(registration("web", "c2", 2)))
    assert Unit("policy", "from-web") in touched
    assert site.shares() == {HERE: 5_000_000, THERE: 5_000_000}


def test_what_is_offered_moves_the_limit_on_the_next_tick() -> None:
    site = Site(LIMIT)
    site.write(put_container(registration("web", "c2", 2)))
    site.state.policing.offered({"from-web": {HERE: 50_000_000.0, THERE: 0.0}}, site.now)
    assert site.state.is_due(site.now)
    assert site.state.tick(site.now) == {Unit("policy", "from-web")}
    shares = site.shares()
    assert shares[HERE] == 9_750_000
    assert sum(filter(None, shares.values())) == 10_000_000


def test_a_late_row_does_not_undo_what_was_decided_since() -> None:
    site = Site(LIMIT)
    old = PolicyShare("from-web", HERE, 10_000_000)
    site.write(lambda draft: draft.put(replace(LIMIT, max_bps=30_000_000)))
    assert site.absorb(RowChange(None, old)) == set()
    assert site.shares() == {HERE: 30_000_000}


def test_another_leaders_share_is_put_right() -> None:
    site = Site(LIMIT)
    site.absorb(RowChange(None, PolicyShare("from-web", HERE, 10_000_000)))  # ours, back
    touched = site.absorb(RowChange(None, PolicyShare("from-web", HERE, 77_000_000)))
    assert Unit("policy", "from-web") in touched
    assert site.shares() == {HERE: 10_000_000}


def test_a_policy_that_is_gone_leaves_no_share() -> None:
    site = Site(LIMIT)
    site.write(lambda draft: draft.delete(Policy, "from-web"))
    assert site.shares() == {}
    assert site.state.policing.shares.take_unsaved() == {("from-web", HERE): None}


def test_nothing_is_due_while_there_is_no_policy_or_a_switch_only_applied_something() -> None:
    plain, limited = Site(), Site(LIMIT)
    plain.write(lambda draft: draft.put(port_of_station(5)))
    assert plain.state.policing.due_ms() is None
    limited.now += 2000
    limited.state.tick(limited.now)
    before = limited.database.mirror.need(Switch, HERE)
    limited.write(lambda draft: draft.put(replace(before, applied=before.applied + 1)))
    assert limited.state.policing.due_ms() is None
    limited.write(lambda draft: draft.put(replace(before, connected=not before.connected)))
    assert limited.state.policing.due_ms() == limited.now + 1000
