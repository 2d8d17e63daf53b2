"""What a read-back says, whole and in slices; by the clock one slice after the other."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import Any, cast

import pytest

from nib.records import MAX_AUDIT_LINES
from openflow.cookies import GROUP_IDS, METER_IDS, OWNER_COOKIE
from openflow.values import Bucket, Flow, Group, Meter, Output, Rules, match
from ryu_apps import audit, sweep
from ryu_apps.audit import Slice, differs, findings, repaired, slices
from ryu_apps.connected import Connected
from ryu_apps.diff import Installed, desired_of, diff
from ryu_apps.link import Link, ReadBackResult
from ryu_apps.session import Session
from ryu_apps.sweep import Handlers, Sweep
from ryu_apps.units import Unit

DPID = "0000000000000001"
FLOW = Flow(20, 100, match(in_port=1), (Output(2),), OWNER_COOKIE | 5)
ALIEN = replace(FLOW, priority=7)
FOREIGN = replace(FLOW, table=8, cookie=0)
GROUP = Group(GROUP_IDS.start, "select", (Bucket((Output(1),)),))
METER = Meter(METER_IDS.start, 1000, 1000)
RULES = Rules((FLOW,), (GROUP,), (METER,))
DESIRED = desired_of([RULES])


def holding(rules: Rules) -> Installed:
    desired = desired_of([rules])
    return Installed({**desired.flows}, {**desired.groups}, {**desired.meters})


# ------------------------------------------------------------------------------- a whole read-back


def test_what_is_missing_altered_and_alien_is_told_and_ours_is_put_right() -> None:
    held = Rules((ALIEN, FOREIGN), (replace(GROUP, buckets=()),), (replace(METER, meter_id=1),))
    result = ReadBackResult(holding(held), ["something else"])
    changes = diff(DESIRED, result.installed)
    found = findings(DESIRED, changes, result)
    assert [line.split(",")[0] for line in found.missing] == [
        "table=conntrack",
        f"group_id={GROUP.group_id}",
        f"meter={METER.meter_id}",
    ]
    assert len(found.alien) == 4, "whoever put it there"
    assert found.alien[-1] == "something else"
    assert repaired(changes) == (3, 1)
    row = found.row(DPID, 4)
    assert (row.requested, row.finished, row.missing, row.alien) == (4, 4, 3, 4)
    assert sum(line.startswith("missing ") for line in row.lines) == 3


def test_of_very_many_lines_the_first_are_kept_and_all_are_counted() -> None:
    result = ReadBackResult(holding(RULES), [f"line {n}" for n in range(MAX_AUDIT_LINES + 9)])
    row = findings(DESIRED, diff(DESIRED, result.installed), result).row(DPID, 1)
    assert (row.alien, len(row.lines)) == (MAX_AUDIT_LINES + 9, MAX_AUDIT_LINES)


# ------------------------------------------------------------------------------------------ slices


@pytest.mark.parametrize("flows", [0, 1, 255, 256, 257, 5000])
def test_slices_are_all_that_a_switch_holds_and_each_rule_once(flows: int) -> None:
    some = tuple(replace(FLOW, priority=n, cookie=OWNER_COOKIE | 7 * n) for n in range(flows))
    held = holding(Rules((*some, FOREIGN), (GROUP,), (METER,)))
    parts = [part.of(held) for part in slices(flows)]
    assert sorted(flow.priority for part in parts for flow in part.flows.values()) == sorted(
        flow.priority for flow in held.flows.values()
    )
    assert [group for part in parts for group in part.groups.values()] == [GROUP]
    assert [meter for part in parts for meter in part.meters.values()] == [METER]
    assert all(len(part.flows) <= 2 * 256 for part in parts)


def test_a_slice_differs_only_in_what_is_ours() -> None:
    (of_flows, of_groups, of_meters) = slices(1)
    believed = holding(replace(RULES, flows=(FLOW, FOREIGN)))
    assert not differs(of_flows, believed, holding(Rules((FLOW,))))
    assert not differs(of_flows, believed, holding(Rules((FLOW, replace(FOREIGN, table=9)))))
    assert differs(of_flows, believed, holding(Rules((FLOW, ALIEN))))
    assert differs(of_flows, believed, holding(Rules((replace(FLOW, actions=()),))))
    assert differs(of_flows, believed, Installed())
    assert not differs(of_groups, believed, holding(Rules((), (GROUP,))))
    assert differs(of_groups, believed, Installed())
    assert not differs(of_meters, believed, holding(Rules((), (), (METER,))))
    assert differs(of_meters, believed, Installed())


# ------------------------------------------------------------------------------------ by the clock


@dataclass
class Clock:
    """Time as tests want it, for timers and for who asks what time it is."""

    now: float = 0.0
    waiting: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)

    def after(self, seconds: float, work: Callable[[], object]) -> None:
        heapq.heappush(self.waiting, (self.now + seconds, next(self.order), work))

    def monotonic(self) -> float:
        return self.now

    def pass_until(self, end: float) -> None:
        while self.waiting and self.waiting[0][0] <= end:
            self.now, _, work = heapq.heappop(self.waiting)
            work()
        self.now = end


@dataclass
class Asked:
    """A link that notes what it is asked for."""

    requests: list[Any] = field(default_factory=list)

    def read_back(self, *requests: Any) -> None:
        self.requests += requests


@dataclass
class Site:
    """Switches that a sweep reads, and what it told."""

    clock: Clock
    switches: dict[str, Connected] = field(default_factory=dict)
    read: list[tuple[str, Slice]] = field(default_factory=list)
    passed: list[tuple[str, float]] = field(default_factory=list)

    def add(self, dpid: str, flows: int = 1) -> Connected:
        some = tuple(replace(FLOW, priority=n, cookie=OWNER_COOKIE | n) for n in range(flows))
        session = Session({Unit("base"): Rules(some)}, 1)
        session.read(holding(Rules(some)))
        assert session.begin() == []
        session.end()
        link = cast("Link", Asked())
        self.switches[dpid] = Connected(dpid, link, session=session)
        return self.switches[dpid]

    def sweep(self, seconds: float) -> Sweep:
        def slice_read(connected: Connected, part: Slice, _: ReadBackResult) -> None:
            self.read.append((connected.dpid, part))

        def passed(connected: Connected) -> None:
            self.passed.append((connected.dpid, self.clock.now))

        made = Sweep(self.switches, self.clock, seconds, Handlers(slice_read, passed))
        made.start()
        return made

    def asked(self, dpid: str) -> int:
        """How many slices it was asked for."""
        return len(cast("Asked", self.switches[dpid].link).requests)

    def answer(self, made: Sweep) -> None:
        """All switches answer what they were asked, at once."""
        for connected in list(self.switches.values()):
            made.read(connected, ReadBackResult())

    def run(self, made: Sweep, until: float) -> None:
        """Time passes; switches answer after a tenth of a second."""
        while self.clock.now < until:
            self.clock.pass_until(self.clock.now + 0.1)
            self.answer(made)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    clock = Clock()
    monkeypatch.setattr(sweep, "time", clock)
    return Site(clock)


def test_each_switch_is_read_once_a_period_one_at_a_time(site: Site) -> None:
    for dpid in "abc":
        site.add(dpid)
    site.run(site.sweep(60), 135)
    assert [dpid for dpid, _ in site.passed] == ["a", "b", "c", "a"]
    times = [at for _, at in site.passed]
    assert all(later - earlier > 15 for earlier, later in pairwise(times))
    assert [dpid for dpid, _ in site.read] == [dpid for dpid in "abca" for _ in range(3)]


def test_a_large_switch_is_read_slice_by_slice_with_pauses(site: Site) -> None:
    site.add("a", 1000)
    made = site.sweep(10)
    site.run(made, 11.5)
    assert site.asked("a") == 1, "nine times as long as the slice took"
    site.run(made, 20)
    assert [part for _, part in site.read] == slices(1000)
    assert len(slices(1000)) == 4 + 2


def test_what_comes_while_the_switch_is_changed_is_asked_for_again(site: Site) -> None:
    connected = site.add("a")
    session = connected.session
    assert session is not None
    made = site.sweep(10)
    site.clock.pass_until(11)
    assert site.asked("a") == 1
    session.want({Unit("vip"): Rules((ALIEN,))}, 2)
    parts = session.begin()
    site.answer(made)
    site.clock.pass_until(13)
    assert (site.read, site.asked("a")) == ([], 1), "it waits until the switch rests"
    session.confirm(parts[0].batch)
    session.end()
    site.clock.pass_until(13.2)
    assert site.asked("a") == 2
    site.answer(made)
    assert site.read == [("a", slices(1)[0])]


def test_a_change_that_came_and_went_meanwhile_counts_too(site: Site) -> None:
    connected = site.add("a")
    session = connected.session
    assert session is not None
    made = site.sweep(10)
    site.clock.pass_until(11)
    session.read(session.installed)
    session.begin()
    session.end()
    site.answer(made)
    assert site.read == []


def test_an_answer_that_never_comes_is_asked_for_again(site: Site) -> None:
    site.add("a")
    site.sweep(10)
    site.clock.pass_until(11)
    site.clock.pass_until(45)
    assert site.asked("a") == 2


def test_a_switch_that_is_gone_ends_its_pass(site: Site) -> None:
    site.add("a")
    site.add("b")
    made = site.sweep(10)
    site.clock.pass_until(11)
    assert site.asked("a") == 1
    del site.switches["a"]
    site.run(made, 60)
    assert {dpid for dpid, _ in site.passed} == {"b"}


def test_a_new_connection_is_not_read_at_once_though_the_old_one_was_due(site: Site) -> None:
    site.add("a")
    made = site.sweep(10)
    site.run(made, 9)
    site.add("a")
    site.run(made, 15)
    assert site.passed == []
    site.run(made, 25)
    assert len(site.passed) == 1


def test_a_slice_is_about_as_many_flows_as_it_should_be() -> None:
    assert len(slices(16_000)) == 64 + 2
    assert audit.slices(10**9)[0] == Slice((1023, 0))
