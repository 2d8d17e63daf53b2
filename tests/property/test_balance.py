"""Shares of new connections: exact, monotone, and due when they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.balance import Standings, service_standings
from gateway_lb.shares import canary_percent
from gateway_lb.slots import slot_table
from gateway_lb.verdicts import EJECTED, FULL, READY, STATES, WARMING
from nib.intent import BALANCE_POLICIES, MAX_WEIGHT, Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import REPORT_WORDS, Connections, Ejected, Health, Report
from nib.policy import Canary, Ejection, HealthCheck
from nib.records import Record
from nib.topology import Port
from tests.nib_strategies import Database, Edit, examples, rich_histories

NOW = 10_000_000
SWITCHES = ("0000000000000001", "0000000000000002")
MAC = "02:00:00:00:00:01"
times = st.integers(NOW - 100_000, NOW + 20_000)
counts = st.none() | st.integers(0, 12)
caps = st.none() | st.integers(1, 12)

canaries = st.builds(
    Canary,
    version=st.just("v2"),
    percent=st.integers(0, 100),
    step_percent=st.integers(0, 60),
    step_ms=st.integers(100, 30_000),
    started_ms=times,
)
services = st.builds(
    Service,
    name=st.just("web"),
    vip=st.just("10.0.0.100"),
    port=st.just(80),
    policy=st.sampled_from(sorted(BALANCE_POLICIES)),
    slow_start_seconds=st.integers(0, 60),
    panic_percent=st.integers(0, 100),
    health=st.sampled_from([None, HealthCheck()]),
    ejection=st.sampled_from([None, Ejection()]),
    canary=st.none() | canaries,
)


@st.composite
def containers(draw: st.DrawFn, number: int) -> list[Record]:
    """A container's rows, any of them absent."""
    key = ("web", f"c{number}")
    iface = f"i{number}"
    container = Container(
        *key, f"10.0.1.{number}", 80, MAC, iface_id=iface, number=number,
        state=draw(st.sampled_from(["ready", "ready", "ready", "draining"])),
        weight=draw(st.integers(0, 3) | st.integers(0, MAX_WEIGHT)),
        version=draw(st.sampled_from([None, "v1", "v2"])),
        max_inflight=draw(caps), max_connections=draw(caps), since_ms=draw(times),
    )  # fmt: skip
    report = Report(
        *key,
        percent=draw(st.sampled_from([0, 1, 50, 100, 100])),
        max_inflight=draw(caps),
        word=draw(st.sampled_from([*sorted(REPORT_WORDS), "", "", ""])),
        inflight=draw(counts),
    )
    others: list[Record] = [
        Port(SWITCHES[0], f"p{number}", number, MAC, iface_id=iface),
        report,
        Health(*key, draw(st.booleans())),
        *(Connections(*key, draw(st.integers(0, 6)), NOW, switch) for switch in SWITCHES),
        Ejected(*key, draw(times)),
    ]
    likely = st.lists(st.integers(0, 4), min_size=len(others), max_size=len(others))
    return [
        container,
        *(row for row, is_there in zip(others, draw(likely), strict=True) if is_there),
    ]


@st.composite
def databases(draw: st.DrawFn) -> list[Record]:
    """The rows about up to six containers."""
    number = draw(st.integers(0, 6))
    rows = [draw(containers(each)) for each in range(1, number + 1)]
    return [row for of_one in rows for row in of_one]


def standings(service: Service, rows: list[Record], now_ms: int = NOW) -> Standings:
    mirror = Mirror()
    for record in (service, *rows):
        mirror.apply(RowChange(mirror.get(type(record), record.key), record))
    return service_standings("web", mirror, now_ms)


def share(found: Standings, number: int) -> Fraction:
    total = sum(found.weights.values())
    return Fraction(found.weights[number], total) if total else Fraction(0)


@given(services, databases())
def test_who_works_has_a_weight_and_nobody_else_and_a_reason_is_given(
    service: Service, rows: list[Record]
) -> None:
    for each in standings(service, rows).items:
        assert each.state in STATES
        at_cap = each.state == FULL and "connections" in each.reason
        assert (each.weight > 0) == (each.state in (READY, WARMING) or at_cap)
        assert each.reason or each.state == READY


@given(services, databases())
@examples(0.5)
def test_the_same_rows_in_any_order_give_the_same(service: Service, rows: list[Record]) -> None:
    assert standings(service, rows) == standings(service, rows[::-1])


@given(services, databases(), st.randoms(use_true_random=False))
@examples(0.5)
def test_it_does_not_matter_through_which_switches_connections_come(
    service: Service, rows: list[Record], random: Random
) -> None:
    """All of a container's connections in one switch, the same in several, and in an old row."""
    opened: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Connections):
            opened[row.container] += row.open
    others = [row for row in rows if not isinstance(row, Connections)]
    elsewhere: list[Record] = []
    for container, count in opened.items():
        here = random.randint(0, count)
        for switch, part in zip(SWITCHES, (here, count - here), strict=True):
            elsewhere.append(Connections("web", container, part, NOW, switch))
    old: list[Record] = [Connections("web", name, count, NOW) for name, count in opened.items()]
    found = standings(service, rows)
    assert standings(service, [*others, *elsewhere]) == found
    assert standings(service, [*others, *old]) == found
    assert standings(service, [*others, *elsewhere, *old]) == found, "the old ones do not count"


@given(services, containers(1), databases(), st.integers(0, 12), st.integers(1, 12))
def test_more_in_flight_never_gets_more_share(
    service: Service, first: list[Record], rows: list[Record], count: int, more: int
) -> None:
    """Without a canary: with one, a full container's side may fall to the other."""
    service = replace(service, policy="least_inflight", canary=None)
    rows = [*rows, *first]
    known = next((row for row in reversed(rows) if isinstance(row, Report)), Report("web", "c1"))
    known = replace(known, container="c1")
    before = standings(service, [*rows, replace(known, inflight=count)])
    after = standings(service, [*rows, replace(known, inflight=count + more)])
    if before.weights[1] and share(before, 1) < 1:
        assert share(after, 1) < share(before, 1)
    else:
        assert share(after, 1) <= share(before, 1)


@given(services, canaries, databases())
def test_a_canary_has_its_percentage_exactly(
    service: Service, canary: Canary, rows: list[Record]
) -> None:
    without = standings(replace(service, canary=None), rows)
    found = standings(replace(service, canary=canary), rows)
    inside, outside = (
        [
            each.container.number
            for each in without.items
            if each.weight and (each.container.version == canary.version) is is_canary
        ]
        for is_canary in (True, False)
    )
    if inside and outside:
        part = Fraction(canary_percent(canary, NOW), 100)
        assert sum(share(found, number) for number in inside) == part
        assert sum(share(found, number) for number in outside) == 1 - part
    else:
        assert found.weights == without.weights
    for side in (inside, outside):  # within a side, shares are as without a canary
        for one in side:
            assert found.weights[one] * without.weights[side[0]] == (
                found.weights[side[0]] * without.weights[one]
            )


@given(services, databases(), st.integers(0, 30_000))
def test_nothing_changes_before_it_is_due(
    service: Service, rows: list[Record], later_ms: int
) -> None:
    found = standings(service, rows)
    if found.next_ms is not None:
        assert found.next_ms > NOW
        later_ms = min(later_ms, found.next_ms - NOW - 1)
    assert standings(service, rows, NOW + later_ms).items == found.items


@given(services, databases())
def test_time_alone_comes_to_an_end(service: Service, rows: list[Record]) -> None:
    """Following `next_ms` ends where nobody warms any more: no timer runs for ever."""
    now_ms, steps = NOW, 0
    while (next_ms := standings(service, rows, now_ms).next_ms) is not None:
        assert next_ms > now_ms
        now_ms, steps = next_ms, steps + 1
        assert steps < 1000
    assert not any(each.state == WARMING for each in standings(service, rows, now_ms).items)


@given(services, databases())
def test_in_panic_no_check_and_no_ejection_keeps_a_container_out(
    service: Service, rows: list[Record]
) -> None:
    found = standings(service, rows)
    if found.panic:
        assert service.panic_percent > 0
        assert not any(
            each.state == EJECTED or each.reason.startswith("its check failed")
            for each in found.items
        )


@given(rich_histories(), st.integers(0, 60_000))
@examples(0.5)
def test_slots_lead_to_those_who_have_a_weight_in_any_database(
    history: list[Edit], later_ms: int
) -> None:
    view = Database(history).mirror
    for service in view.all(Service):
        found = service_standings(service.name, view, later_ms)
        assert len(found.items) == len(view.containers_of(service.name))
        table = slot_table((), found.weights)
        assert set(table) <= {number for number, weight in found.weights.items() if weight}
        assert bool(table) == any(found.weights.values())
        for number in set(found.weights) if table else set():
            assert abs(table.count(number) - share(found, number) * len(table)) < 1
