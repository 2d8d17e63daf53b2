"""What pages of counters and gauges say of services and policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from predictor.series.loads import Keep, Loads
from predictor.series.scrape import (
    INFLIGHT,
    LEADER_EPOCH,
    NEW_CONNECTIONS,
    POLICY_BYTES,
    REFUSED,
    SERVICE_PANIC,
    SWITCH_CONNECTED,
    WITHOUT_CONTAINER,
    Page,
)
from predictor.series.window import Window

NOW = 1_700_000_040_000  # a whole minute
NAN = float("nan")
KEEP = Keep(600, 600, 600, 100)

Sample = tuple[str, Mapping[str, str], float]


def loads(every_s: float = 1.0) -> Loads:
    return Loads(KEEP, counters_every_s=every_s)


def web(
    new: float | None = None,
    inflight: float | None = None,
    demand: float | None = None,
    container: str = "c1",
    service: str = "web",
) -> list[Sample]:
    """A service's samples."""
    of_service = {"service": service}
    of_container = {"service": service, "container": container}
    found = [
        (SERVICE_PANIC, of_service, 0.0),
        (NEW_CONNECTIONS, of_container, new),
        (INFLIGHT, of_container, inflight),
        (WITHOUT_CONTAINER, of_service, demand),
    ]
    return [(name, labels, value) for name, labels, value in found if value is not None]


def feed(into: Loads, pages: Iterable[list[Sample]], begin_ms: int = NOW, every_s: int = 1) -> None:
    for number, samples in enumerate(pages):
        into.add(Page.of(samples), begin_ms + number * every_s * 1000)


def shown(window: Window, name: str = "web") -> list[float]:
    """A row; unknown as -1."""
    row = window.values[window.names.index(name)]
    return [round(float(value), 3) for value in np.nan_to_num(row, nan=-1.0)]


def test_rates_are_growth_by_time_and_unknown_at_first() -> None:
    here = loads()
    feed(here, [web(new=new) for new in (500, 503, 503, 513, 514)])
    # second 2: nothing changed, so switches may not have been asked: as before
    assert shown(here.rate(steps=5)) == [-1, 3, 3, 5, 1]


def test_a_service_on_which_nothing_happens_has_no_load() -> None:
    here = loads()
    feed(here, [web(new=7) for _ in range(6)])
    assert shown(here.rate(steps=3)) == [0, 0, 0]
    assert shown(here.demand(steps=3)) == [0, 0, 0]


def test_a_counter_that_starts_again_counts_from_zero() -> None:
    here = loads()
    feed(here, [web(new=new) for new in (1000, 1010, 4, 10)])
    assert shown(here.rate(steps=3)) == [10, 4, 6]


def test_containers_are_summed_and_a_new_one_counts_from_zero() -> None:
    here = loads()
    feed(here, [web(10), web(12), [*web(15), *web(4, container="c2")], web(9, container="c2")])
    assert shown(here.rate(steps=3)) == [2, 7, 5]


def test_a_series_that_was_away_goes_on_where_it_was() -> None:
    here = loads()
    other = web(1, service="other")
    feed(here, [[*web(1000), *other], [*web(1001), *web(2, service="other")],
                web(3, service="other"), [*web(1002), *web(4, service="other")]])  # fmt: skip
    assert shown(here.rate(steps=1)) == [1]


def test_connections_that_found_no_container_or_were_refused_are_load_too() -> None:
    here = loads()
    refused = (REFUSED, {"service": "web"})
    feed(here, [web(demand=0), web(demand=4), [*web(demand=5), (*refused, 2.0)]])
    assert shown(here.rate(steps=2)) == [4, 3]
    assert shown(here.demand(steps=1))[0] > 2


def test_demand_is_at_least_what_is_in_flight() -> None:
    here = loads()
    feed(here, [[*web(0, 3), *web(0, 4, container="c2")] for _ in range(3)])
    assert shown(here.demand(steps=3)) == [7, 7, 7]


def test_demand_is_the_most_of_a_minute_and_the_rate_its_mean() -> None:
    here = loads()
    feed(here, [web(new=number if number < 40 else number * 2, inflight=50 if number == 20 else 1)
                for number in range(121)])  # fmt: skip
    demand, rate = here.demand(60), here.rate(60)
    assert demand.end_ms == rate.end_ms == NOW + 120_000
    assert shown(demand)[0] == 50
    # the jump at second 40 is a growth of 41
    assert shown(rate)[0] == pytest.approx((39 + 42 + 19 * 2) / 59, abs=0.02)
    assert shown(rate)[1] == pytest.approx(2, abs=0.02)


def test_the_service_time_is_what_littles_law_says() -> None:
    here = loads()
    assert here.service_times() == {}
    feed(here, [web(new=20 * number, inflight=5) for number in range(30)])
    assert here.service_times() == {"web": pytest.approx(0.25)}
    # 40 a second that find no container: what stays of them is offered
    feed(here, [web(new=580, demand=40 * number) for number in range(10)], NOW + 30_000)
    assert shown(here.demand(steps=1))[0] == pytest.approx(10, rel=0.05)


def test_the_service_time_of_what_is_rare_is_learned_too() -> None:
    here = loads()
    # one request every ten minutes, which the page of ten seconds sees in flight
    for number in range(300):
        new, busy = (number + 59) // 60, float(number % 60 == 1)
        page = [*web(new=new, inflight=busy), *web(number, service="other")]
        here.add(Page.of(page), NOW + number * 10_000)
    assert here.service_times()["web"] == pytest.approx(10)


def test_counters_read_every_few_seconds_give_a_steady_rate() -> None:
    here = loads(every_s=5.0)
    feed(here, [web(new=number // 5 * 50) for number in range(60)])
    assert set(shown(here.rate(steps=45))) == {10}


def test_pages_every_few_seconds_leave_no_gaps() -> None:
    here = loads()
    feed(here, [web(new=number * 6, inflight=2) for number in range(10)], every_s=3)
    assert shown(here.rate(steps=20)) == [2] * 20
    assert -1 not in shown(here.demand(steps=20))


def test_after_a_long_gap_the_rate_between_is_unknown() -> None:
    here = loads()
    feed(here, [web(new=10), web(new=11)])
    feed(here, [web(new=100_000), web(new=100_002)], NOW + 400_000)
    rate = shown(here.rate(steps=402))
    assert rate[1] == 1
    assert set(rate[2:401]) == {-1}
    assert rate[-1] == 2


def test_over_a_short_gap_the_growth_is_spread() -> None:
    here = loads()
    feed(here, [web(new=10), web(new=11)])
    feed(here, [web(new=111)], NOW + 101_000)
    assert set(shown(here.rate(steps=100))) == {1}


def lead(epoch: int, *switches: str) -> list[Sample]:
    return [
        (LEADER_EPOCH, {}, float(epoch)),
        *((SWITCH_CONNECTED, {"switch": switch}, 1.0) for switch in switches),
    ]


def test_what_a_new_leader_finds_counted_already_is_no_load() -> None:
    here = loads()
    feed(here, [[*lead(1, "s1"), *web(new=number)] for number in range(5)])
    again = [lead(2), lead(2, "s1"), [*lead(2, "s1"), *web(new=9_000_000)]]
    feed(here, again, NOW + 5_000)
    feed(here, [[*lead(2, "s1"), *web(new=9_000_000 + number)] for number in range(9)], NOW + 8_000)
    assert max(shown(here.rate(steps=17))) == 1


def test_what_a_switch_that_comes_back_counted_is_no_load() -> None:
    here = loads()
    one = [*lead(1, "s1")]
    feed(here, [[*one, *web(new=number)] for number in range(5)])
    both = lead(1, "s1", "s2")
    feed(
        here, [[*both, *web(new=5 + 7_000_000 * (number > 0))] for number in range(6)], NOW + 5_000
    )
    assert max(shown(here.rate(steps=11))) == 1


def test_each_controller_has_counters_of_its_own() -> None:
    here = loads()
    for number in range(10):
        here.add(Page.of(web(new=number)), NOW + number * 1000, "a")
    for number in range(10, 16):
        here.add(Page.of(web(new=700_000 + 2 * number)), NOW + number * 1000, "b")
    assert max(shown(here.rate(steps=15))) == 2


def test_policies_are_bits_over_all_switches() -> None:
    here = loads()
    for second in range(3):
        page = [(POLICY_BYTES, {"policy": "p", "switch": str(switch)}, 1000.0 * second * switch)
                for switch in (1, 2)]  # fmt: skip
        here.add(Page.of(page), NOW + second * 1000)
    assert shown(here.bits(steps=2), "p") == [24_000, 24_000]
    ends = {"p": ("web", "db"), "q": ("web", "cache"), "all": (None, "db")}
    assert here.talking(ends) == {("web", "db")}
    assert here.policies == ("p",)


def test_a_page_that_is_not_younger_is_left_out() -> None:
    here = loads()
    feed(here, [web(new=1), web(new=3)])
    here.add(Page.of(web(new=500)), NOW + 1000)
    here.add(Page.of(web(new=500)), NOW - 2000)
    assert here.last_ms == NOW + 1000
    assert shown(here.rate()) == [2]


def test_a_clock_set_back_takes_what_is_known_with_it() -> None:
    here = loads()
    feed(here, [web(new=3 * number, inflight=number) for number in range(20)])
    feed(here, [web(new=60 + 3 * number, inflight=20) for number in range(3)], NOW - 7_200_000)
    assert shown(here.demand(steps=5)) == [17, 18, 20, 20, 20]
    assert here.last_ms == NOW - 7_200_000 + 2000
    assert shown(here.rate(steps=2)) == [3, 3]


def test_a_service_no_longer_in_pages_is_unknown_and_forgotten_after_a_day() -> None:
    here = loads()
    feed(here, [[*web(1, 4), *web(1, 4, service="old")] for _ in range(3)])
    feed(here, [web(1, 4) for _ in range(2)], NOW + 3_000)
    assert shown(here.demand(steps=2), "old") == [-1, -1]
    feed(here, [web(2, 4)], NOW + 86_500_000)
    assert here.services == ("web",)
    assert here.demand().names == ("web",)
    assert shown(here.demand(steps=1)) == [4]


def test_a_policy_that_went_takes_nothing_of_the_service_that_is_called_so_too() -> None:
    here = loads()
    policy = (POLICY_BYTES, {"policy": "web", "switch": "s1"}, 1000.0)
    feed(here, [[*web(1, 4), policy]])
    begin_ms, last_ms = NOW + 86_400_000 - 60_000, NOW + 86_460_000
    feed(here, [web(1, 4)], begin_ms)
    feed(here, [web(1, 5)], last_ms)
    assert here.policies == ()
    assert here.services == ("web",)
    assert shown(here.demand(60, steps=2)) == [4, -1]
    assert here.bits(60).names == ()


def test_values_that_cannot_be_are_unknown() -> None:
    here = loads()
    for number, value in enumerate((1.0, NAN, -5.0, float("inf"), 1e308, 1.0, 2.0)):
        here.add(Page.of(web(new=value, inflight=value)), NOW + number * 1000)
    assert np.nanmax(here.demand().values) <= 3
    assert shown(here.demand(steps=1)) == [2]


def test_history_fills_what_was_before() -> None:
    here = loads()
    feed(here, [web(new=1, inflight=2)])
    here.fill("demand", Window(("web",), 60.0, NOW, np.full((1, 30), 5.0)))
    assert shown(here.demand(60)) == [5] * 30
    with pytest.raises(ValueError, match="demand, rate, bits"):
        here.fill("load", here.demand(60))
    with pytest.raises(ValueError, match="1 s and 60 s"):
        here.demand(5)


def test_freshness_is_the_age_of_the_last_page() -> None:
    here = loads()
    assert not here.fresh(NOW, 1e9)
    feed(here, [web(new=1)])
    assert here.fresh(NOW + 3000, 3.0)
    assert not here.fresh(NOW + 3001, 3.0)


def test_of_many_services_that_are_gone_the_last_thousand_are_kept() -> None:
    """A platform that gives every release a name of its own would fill the memory in a day."""
    known = loads()
    page = [each for number in range(1500) for each in web(0, service=f"release-{number:04}")]
    known.add(Page.of(page[:1000]), NOW)  # 500 services
    known.add(Page.of(page[1000:]), NOW + 60_000)
    assert len(known.services) == 1500
    for minute in range(2, 14):
        known.add(Page.of(web(minute)), NOW + minute * 60_000)
    assert len(known.services) == 1001
    assert set(known.services) >= {"web", "release-0500", "release-1499"}
    assert "release-0499" not in known.services
    assert shown(known.demand(60, 1))[-1] >= 0


def test_services_that_are_there_are_kept_however_many() -> None:
    known = loads()
    page = Page.of([each for number in range(1500) for each in web(0, service=f"s{number}")])
    for minute in range(13):
        known.add(page, NOW + minute * 60_000)
    assert len(known.services) == 1500
