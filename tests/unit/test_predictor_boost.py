from __future__ import annotations

import numpy as np
import pytest

from nib.plans import Dependency
from predictor.dependencies.boost import boost
from predictor.dependencies.learner import discover
from predictor.series.synthetic import Link, Source, generate
from predictor.series.window import Floats, Window

_STEPS = 120
_CHAIN = (
    Dependency("a", "b", 5000, "learned", 300, 1000),
    Dependency("b", "c", 3000, "learned", 300, 500),
)


def _window(values: dict[str, Floats], step_s: float = 1.0) -> Window:
    return Window(tuple(values), step_s, 0, np.array(list(values.values())))


def _level(level: float, *last: float, most: float | None = None) -> Floats:
    """A steady level, `most` long ago, and the last steps as given."""
    series = np.full(_STEPS, float(level))
    series[3] = level if most is None else most
    if last:
        series[-len(last) :] = last
    return series


def test_a_parents_surge_is_expected_at_the_child_within_the_lead() -> None:
    window = _window({"a": _level(2, 22), "b": _level(1, most=40)})
    found = boost(window, _CHAIN, lead_s=10)
    assert found.expected.tolist() == [0, 21]
    assert found.extra.tolist() == [0, 20]
    assert found.parents == ("", "a")


def test_a_surge_that_arrives_after_the_lead_is_not_expected_yet() -> None:
    window = _window({"a": _level(2, 22), "b": _level(1, most=40)})
    assert boost(window, _CHAIN, lead_s=4).expected.tolist() == [0, 0]
    assert boost(window, _CHAIN, lead_s=5).expected.tolist() == [0, 21]
    assert boost(window, _CHAIN, lead_s=np.array([0.0, 4.0])).expected[1] == 0


def test_a_surge_seen_before_is_expected_until_its_lag_is_over() -> None:
    for late in range(1, 8):
        parent = _level(2, 22, *[2.0] * (late - 1))
        window = _window({"a": parent, "b": _level(1, most=40)})
        expected = boost(window, _CHAIN, lead_s=2).expected[1]
        assert expected == (21 if 4 <= late <= 5 else 0), late


def test_a_surge_passes_along_a_chain_with_lags_added_and_slopes_multiplied() -> None:
    series = {"a": _level(2, 22), "b": _level(1, most=40), "c": _level(1, most=40)}
    window = _window(series)
    assert boost(window, _CHAIN, lead_s=7).expected.tolist() == [0, 21, 0]
    assert boost(window, _CHAIN, lead_s=np.array([0.0, 4.0, 8.0])).expected.tolist() == [0, 0, 11]
    found = boost(window, _CHAIN, lead_s=8)
    assert found.expected.tolist() == [0, 21, 11]
    assert found.parents == ("", "a", "b")


def test_surges_of_several_parents_add_up_and_the_greatest_is_named() -> None:
    rows = (
        Dependency("a", "c", 5000, slope_permille=1000),
        Dependency("b", "c", 5000, slope_permille=500),
    )
    window = _window({"a": _level(0, 10), "b": _level(0, 30), "c": _level(1, most=40)})
    found = boost(window, rows, lead_s=5)
    assert found.expected[2] == 26
    assert found.parents[2] == "b"


def test_what_is_expected_is_at_most_a_multiple_of_what_was_seen() -> None:
    window = _window({"a": _level(2, 1000), "b": _level(1, most=6)})
    assert boost(window, _CHAIN, 10, most=3).expected[1] == 18
    longer = np.array([0.0, 50.0])
    assert boost(window, _CHAIN, 10, most=3, observed_max=longer).expected[1] == 150


def test_a_chain_passes_on_no_more_than_its_middle_may_have() -> None:
    series = {"a": _level(2, 1000), "b": _level(1, most=6), "c": _level(1, most=500)}
    assert boost(_window(series), _CHAIN, 10, most=3).expected.tolist() == [0, 18, 10]


def test_noise_at_a_parent_is_no_surge() -> None:
    noise = np.random.default_rng(1).poisson(100, _STEPS).astype(float)
    noise[-10:] = np.median(noise) + 12
    window = _window({"a": noise, "b": _level(1, most=40)})
    assert not boost(window, _CHAIN, 10).expected.any()


def test_a_child_that_never_had_load_expects_some_only_where_pinned() -> None:
    series = {"a": _level(0, 10), "b": _level(0), "c": _level(0)}
    assert not boost(_window(series), _CHAIN, 10).expected.any()
    pinned = (Dependency("a", "b", 5000, "pinned"), Dependency("b", "c", 3000, "pinned"))
    assert boost(_window(series), pinned, 10).expected.tolist() == [0, 10, 10]
    steep = (Dependency("a", "b", 5000, "pinned", slope_permille=900_000),)
    assert boost(_window(series), steep, 10, most=3).expected.tolist() == [0, 30, 0]
    steeper = (*steep, Dependency("b", "c", 1000, "pinned", slope_permille=900_000))
    assert boost(_window(series), steeper, 10, most=3).expected.tolist() == [0, 30, 30]


def test_a_pin_without_a_lag_counts_from_the_next_step() -> None:
    pinned = (Dependency("a", "b", 0, "pinned"),)
    window = _window({"a": _level(0, 10), "b": _level(0, most=20)})
    assert boost(window, pinned, lead_s=1).expected.tolist() == [0, 10]


def test_pins_in_a_circle_end() -> None:
    rows = (Dependency("a", "b", 1000, "pinned"), Dependency("b", "a", 1000, "pinned"))
    window = _window({"a": _level(0, 10), "b": _level(0, most=20)})
    found = boost(window, rows, lead_s=60)
    assert found.expected.tolist() == [10, 10]


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (Dependency("a", "b", 5000, "banned", slope_permille=1000),),
        (Dependency("x", "b", 5000, slope_permille=1000),),
        (Dependency("a", "x", 5000, slope_permille=1000),),
    ],
)
def test_bans_and_unknown_services_bring_nothing(rows: tuple[Dependency, ...]) -> None:
    window = _window({"a": _level(2, 22), "b": _level(1, most=40)})
    assert boost(window, rows, 10).expected.tolist() == [0, 0]


def test_gaps_and_short_windows_bring_nothing_absurd() -> None:
    unknown = np.full(_STEPS, np.nan)
    gone = _level(2, 22, np.nan, np.nan)
    assert boost(_window({"a": unknown, "b": _level(1)}), _CHAIN, 10).expected[1] == 0
    assert boost(_window({"a": gone, "b": _level(1, most=40)}), _CHAIN, 10).expected[1] == 21
    none = Window(("a", "b"), 1.0, 0, np.zeros((2, 0)))
    assert boost(none, _CHAIN, 10).expected.tolist() == [0, 0]
    one = Window(("a", "b"), 1.0, 0, np.array([[9.0], [1.0]]))
    assert boost(one, _CHAIN, 10).expected.tolist() == [0, 0]


def test_minutes_work_as_seconds_do() -> None:
    rows = (Dependency("a", "b", 120_000, slope_permille=1000),)
    window = _window({"a": _level(2, 22), "b": _level(1, most=40)}, step_s=60.0)
    assert boost(window, rows, lead_s=60).expected[1] == 0
    assert boost(window, rows, lead_s=120).expected[1] == 21


@pytest.mark.parametrize(
    ("surge", "busy_s", "demand"),
    [
        ([20.0], 1.0, 20),
        ([20.0], 4.0, 20),
        ([20.0] * 4, 4.0, 80),
        ([20.0] * 4, 2.5, 50),
        ([20.0] * 4, 0.25, 5),
        ([20.0] * 4, float("nan"), 20),
    ],
)
def test_requests_become_demand_by_how_long_each_keeps_a_container(
    surge: list[float], busy_s: float, demand: float
) -> None:
    window = _window({"a": _level(0, *surge), "b": _level(0, most=40)})
    found = boost(window, _CHAIN, 10, busy_s=np.array([1.0, busy_s]))
    assert found.expected.tolist() == [0, pytest.approx(demand)]


def test_requests_that_came_already_count_while_they_keep_a_container() -> None:
    window = _window({"a": _level(0, 20, 20, 20, 20), "b": _level(0, 0, 7, most=40)})
    found = boost(window, _CHAIN, lead_s=2, busy_s=np.array([1.0, 4.0]))
    assert found.expected[1] == 7 + 20


def test_the_usual_demand_of_requests_is_there_too() -> None:
    window = _window({"a": _level(0, 20, 0, 0), "b": _level(3, most=40)})
    found = boost(window, _CHAIN, 10, busy_s=np.array([1.0, 2.0]))
    assert found.expected.tolist() == [0, 3 * 2 + 20]
    assert found.extra.tolist() == [0, 20]


def test_long_requests_count_however_long_ago_they_came() -> None:
    parent, child = np.zeros(900), np.zeros(900)
    parent[-1], child[-350] = 20, 30
    window = _window({"a": parent, "b": child})
    busy_s, seen = np.array([1.0, 400.0]), np.array([20.0, 90.0])
    found = boost(window, _CHAIN, 10, observed_max=seen, busy_s=busy_s)
    assert found.expected[1] == 50


def test_demand_of_requests_is_bounded_by_the_most_demand_seen() -> None:
    window = _window({"a": _level(0, *[20.0] * 4), "b": _level(0, most=40)})
    busy_s, seen = np.array([1.0, 4.0]), np.array([9.0, 15.0])
    found = boost(window, _CHAIN, 10, most=2, observed_max=seen, busy_s=busy_s)
    assert found.expected[1] == 30
    pinned = (Dependency("a", "b", 5000, "pinned"),)
    fresh = _window({"a": _level(0, *[20.0] * 4), "b": _level(0)})
    found = boost(fresh, pinned, 10, observed_max=np.array([9.0, 0.0]), busy_s=busy_s)
    assert found.expected[1] == 80


def test_with_learned_dependencies_there_is_room_for_surges_when_they_come() -> None:
    surges = Source("a", "bursty", level=1.0, peak=30.0, period=80, width=6)
    links = [Link("a", "b", 6), Link("b", "c", 5, 0.5)]
    made = generate([surges, Source("b", level=0.5), Source("c", level=0.5)], links, 1500, 4)
    values, lead = made.window.values, 4
    learned = discover(made.window.last(1500).before(600), made.talks, 30)
    met = {"with": 0, "without": 0}
    surged = 0
    for now in range(900, 1500 - lead, 3):
        window = Window(made.window.names, 1.0, now * 1000, values[:, now - 600 : now])
        expected = boost(window, learned, lead).expected
        for child in (1, 2):
            coming, there = values[child, now + lead - 1], values[child, now - 1]
            if coming < 10 or there > coming / 2:
                continue
            surged += 1
            met["with"] += int(max(expected[child], there) >= 0.8 * coming)
            met["without"] += int(there >= 0.8 * coming)
    assert surged >= 20
    assert met["without"] == 0
    assert met["with"] >= 0.8 * surged
