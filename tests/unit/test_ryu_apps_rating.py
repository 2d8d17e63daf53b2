"""Plans and overrides become rates in force when their time has come, and go by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.intent import put_container, put_service
from nib.intent import Service
from nib.mirror import RowChange
from nib.plans import PolicyRate, RatePlan
from nib.prewarm import Override
from nib.qos import LinkRate, Policy
from nib.records import Record
from nib.topology import Port
from ryu_apps import rows
from ryu_apps.incremental import Incremental
from ryu_apps.provision import provision, reservations, reservations_in_force
from ryu_apps.rating import admit
from ryu_apps.units import Unit
from tests.nib_strategies import HERE, Database, port_of_station, put_row, registration

M = 1_000_000
NOW = 1_000_000
LIMITED = Policy("limited", None, "web", "bulk", max_bps=10 * M, number=1)
SURE = Policy("sure", None, "api", "interactive", number=2)
ALSO = Policy("also", "web", "api", "interactive", number=3)
PLAN = RatePlan("limited", NOW + 500, NOW + 2500, "forecast", 40 * M)


class Site:
    """A controller, and the database it hears of: `web` and `api` have a container each."""

    def __init__(self, *rows: Record) -> None:
        self.database = Database()
        self.state = Incremental()
        self.now = NOW
        for station in (1, 2):
            port = replace(port_of_station(station), up=True, speed_bps=100 * M)
            self.database.write(put_row(port))
        for number, name in enumerate(("web", "api"), 1):
            self.database.write(put_service(Service(name, f"10.0.0.10{number}", 80)))
            self.database.write(put_container(registration(name, f"c{number}", number)))
        for row in rows:
            self.database.write(put_row(row))
        self.absorb(*self.database.everything())

    def absorb(self, *changes: RowChange) -> set[Unit]:
        return self.state.absorb(changes, self.state.generation + 1, self.now)

    def put(self, *rows: Record) -> set[Unit]:
        return self.absorb(*(part for row in rows for part in self.database.write(put_row(row))))

    def delete(self, row: Record) -> set[Unit]:
        return self.absorb(*self.database.write(lambda draft: draft.delete(type(row), row.key)))

    def pass_to(self, now_ms: int) -> set[Unit]:
        """Tick whenever something is due until this time."""
        touched: set[Unit] = set()
        while (due_ms := self.state.due_ms(self.now)) is not None and due_ms <= now_ms:
            self.now = max(self.now, due_ms)
            touched |= self.state.tick(self.now)
        self.now = now_ms
        return touched

    def limit(self, policy: str = "limited") -> int:
        return sum(share.bps or 0 for share in self.state.view.shares_of(policy))

    def rate(self, policy: str) -> PolicyRate | None:
        return self.state.view.get(PolicyRate, policy)

    def guaranteed(self, policy: str) -> int | None:
        return provision(self.state.view).policies[policy].policy.guaranteed_bps


def sure(policy: str, bps: int) -> RatePlan:
    return RatePlan(policy, 0, NOW + 100_000, "forecast", guaranteed_bps=bps)


def test_a_plan_begins_and_ends_by_itself() -> None:
    site = Site(LIMITED)
    assert site.put(PLAN) == set()
    assert site.state.due_ms(site.now) == NOW + 500
    assert site.pass_to(NOW + 499) == set()
    assert site.limit() == 10 * M
    assert site.pass_to(NOW + 500) == {Unit("policy", "limited")}
    assert site.limit() == 40 * M
    assert site.pass_to(NOW + 2499) == set()
    assert site.pass_to(NOW + 2500) == {Unit("policy", "limited")}
    assert site.limit() == 10 * M
    assert site.rate("limited") is None
    assert site.state.due_ms(site.now) is None


def test_a_plan_that_is_deleted_holds_no_longer() -> None:
    site = Site(LIMITED, replace(PLAN, from_ms=0))
    assert site.limit() == 40 * M
    assert site.delete(PLAN) == {Unit("policy", "limited")}
    assert site.limit() == 10 * M


def test_a_plan_made_again_for_longer_touches_nothing() -> None:
    site = Site(LIMITED, replace(PLAN, from_ms=0))
    assert site.put(replace(PLAN, from_ms=0, until_ms=NOW + 9000)) == set()
    assert site.rate("limited") == PolicyRate("limited", "plan", NOW + 9000, 40 * M)
    assert site.pass_to(NOW + 8999) == set()


def test_a_new_leader_takes_up_what_is_in_force_and_ends_what_ended_before_it_led() -> None:
    site = Site(LIMITED, SURE, replace(PLAN, from_ms=0), PolicyRate("sure", "plan", 5, 9 * M))
    assert site.limit() == 40 * M
    assert site.rate("sure") is None
    unsaved = site.state.rating.rates.take_unsaved()
    assert unsaved == {"limited": site.rate("limited"), "sure": None}


def test_an_override_wins_and_expires() -> None:
    site = Site(LIMITED, replace(PLAN, from_ms=0))
    site.put(Override("policy", "limited", NOW + 1000, max_bps=3 * M))
    assert site.limit() == 3 * M
    site.pass_to(NOW + 1000)
    assert site.limit() == 40 * M
    site.pass_to(NOW + 2500)
    assert site.limit() == 10 * M


def test_rates_go_with_their_policy() -> None:
    site = Site(LIMITED, replace(PLAN, from_ms=0))
    site.delete(LIMITED)
    assert site.rate("limited") is None
    unsaved = site.state.rating.rates.take_unsaved()
    assert unsaved == {"limited": None}
    late = rows.save_rate("limited", PolicyRate("limited", "plan", NOW + 5000, M))
    assert site.database.write(late) == (), "a late one is not saved"


def test_another_leaders_rate_is_put_right() -> None:
    site = Site(LIMITED)
    touched = site.absorb(RowChange(None, PolicyRate("limited", "plan", NOW + 5000, 77 * M)))
    assert site.rate("limited") is None
    assert site.limit() == 10 * M
    assert touched <= {Unit("policy", "limited")}


def test_a_planned_guarantee_is_reserved_and_the_policys_row_is_as_it_was() -> None:
    site = Site(SURE, LIMITED, sure("sure", 30 * M))
    view, port = site.state.view, (HERE, "v2")
    assert reservations_in_force(view)[port].guaranteed == {"interactive": 30 * M}
    assert reservations(view)[port].guaranteed == {}
    assert provision(view).links[port].guaranteed_bps == 30 * M
    assert view.need(Policy, "sure").guaranteed_bps is None


def test_planned_guarantees_share_what_links_have_left_by_weight() -> None:
    """Of 100M, 35M are kept for other classes."""
    site = Site(SURE, ALSO, sure("sure", 60 * M), sure("also", 60 * M))
    assert (site.guaranteed("sure"), site.guaranteed("also")) == (32_500_000, 32_500_000)
    site.put(sure("also", 5 * M))
    assert (site.guaranteed("sure"), site.guaranteed("also")) == (60 * M, 5 * M)


def test_a_plan_gives_way_to_what_an_operator_guarantees() -> None:
    site = Site(SURE, ALSO, sure("sure", 60 * M))
    assert site.guaranteed("sure") == 60 * M
    site.put(replace(ALSO, guaranteed_bps=50 * M))
    assert (site.guaranteed("sure"), site.guaranteed("also")) == (15 * M, 50 * M)
    assert provision(site.state.view).policies["also"].state == "active"
    site.delete(ALSO)
    assert site.guaranteed("sure") == 60 * M


def test_an_override_is_admitted_before_plans() -> None:
    site = Site(SURE, ALSO, sure("sure", 60 * M))
    site.put(Override("policy", "also", NOW + 1000, guaranteed_bps=50 * M))
    assert (site.guaranteed("sure"), site.guaranteed("also")) == (15 * M, 50 * M)
    site.pass_to(NOW + 1000)
    assert (site.guaranteed("sure"), site.guaranteed("also")) == (60 * M, None)


def test_an_operators_limit_is_as_it_is_said_and_a_plans_no_more_than_ports_carry() -> None:
    site = Site(LIMITED, replace(PLAN, from_ms=0, max_bps=500 * M))
    assert site.limit() == 100 * M
    site.put(Override("policy", "limited", NOW + 1000, max_bps=300 * M))
    assert site.limit() == 300 * M


def test_policies_without_a_plan_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(LIMITED, SURE)
    asked: list[object] = []
    monkeypatch.setattr("ryu_apps.rating.placed", asked.append)
    site.put(replace(port_of_station(1), up=False), replace(LIMITED, burst_ms=77))
    site.pass_to(NOW + 5000)
    assert not asked


def test_a_stated_rate_of_a_link_cuts_plans_at_once_and_a_port_within_a_second() -> None:
    site = Site(SURE, sure("sure", 60 * M))
    site.put(LinkRate(HERE, "v2", 50 * M))
    assert site.guaranteed("sure") == 32_500_000
    port = site.state.view.need(Port, (HERE, "v2"))
    site.delete(LinkRate(HERE, "v2", 50 * M))
    assert site.guaranteed("sure") == 60 * M
    site.put(replace(port, speed_bps=10 * M))
    site.pass_to(site.now + 1000)
    assert site.guaranteed("sure") == 6_500_000


def test_a_plan_of_many_policies_decides_its_own_alone() -> None:
    """A change of one planned limit costs nothing of the others."""
    many = [Policy(f"m{n}", f"s{n}", "web", "bulk", max_bps=M, number=9 + n) for n in range(20)]
    plans = [RatePlan(each.name, 0, NOW + 9000, "forecast", 2 * M) for each in many]
    site = Site(*many, *plans)
    site.state.rating.rates.take_unsaved()
    assert site.put(replace(plans[3], max_bps=3 * M)) <= {Unit("policy", "m3")}
    assert site.state.rating.rates.take_unsaved().keys() == {"m3"}


ADMITTED = {
    "all of it": ((40 * M, 30 * M), (40 * M, 30 * M), ""),
    "no more guaranteed than is free": ((None, 90 * M), (None, 65 * M), "there is room for 65M"),
    "no more than its port carries": ((300 * M, None), (100 * M, None), "ports carry 100M"),
    "both": ((300 * M, 90 * M), (100 * M, 65 * M), "s1 v2 (100M: class interactive"),
}


@pytest.mark.parametrize(("wanted", "found", "why"), ADMITTED.values(), ids=ADMITTED)
def test_what_links_admit_of_a_plan(
    wanted: tuple[int | None, int | None], found: tuple[int | None, int | None], why: str
) -> None:
    view = Site(SURE).state.view
    most, least, refused = admit(view, {"sure": wanted})["sure"]
    assert (most, least) == found
    assert why in refused
    assert bool(why) == bool(refused)


def test_what_is_in_force_for_others_is_not_admitted_again() -> None:
    site = Site(SURE, ALSO, sure("sure", 50 * M))
    _, least, refused = admit(site.state.view, {"also": (None, 40 * M)})["also"]
    assert least == 15 * M
    assert "50M guaranteed" in refused


def test_nobody_knows_the_rate_of_a_link() -> None:
    site = Site(SURE)
    site.put(replace(site.state.view.need(Port, (HERE, "v2")), speed_bps=0))
    assert admit(site.state.view, {"sure": (None, M), "gone": (M, None)}) == {
        "sure": (
            None,
            None,
            "a guarantee of 1M is asked for, there is room for nothing: "
            "nobody knows the rate of s1 v2",
        ),
        "gone": (None, None, "there is no such policy"),
    }
