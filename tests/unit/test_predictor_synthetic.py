from __future__ import annotations

import numpy as np
import pytest

from predictor.series.synthetic import Link, Source, generate, site

_SURGES = Source("a", "periodic", level=0.0, peak=30.0, period=50, width=4, phase=10)


def test_the_same_seed_gives_the_same_loads_and_another_seed_others() -> None:
    first, again, other = (site(2, seed, 300).window.values for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_request_of_a_parent_reaches_the_child_a_lag_later() -> None:
    made = generate([_SURGES, Source("b")], [Link("a", "b", 3)], 400, seed=1)
    parent, child = made.window.values
    assert parent.sum() > 500
    assert np.array_equal(child[3:], parent[:-3])
    assert made.talks == {("a", "b")}


def test_a_slope_and_a_spread_pass_on_as_much_on_average() -> None:
    made = generate([_SURGES, Source("b")], [Link("a", "b", 3, slope=2.5, spread=2)], 2000, seed=1)
    parent, child = made.window.values
    assert child.sum() == pytest.approx(2.5 * parent.sum(), rel=0.05)
    assert not child[:13].any()


def test_chains_pass_on_whatever_the_order_of_links() -> None:
    links = [Link("b", "c", 2), Link("a", "b", 3)]
    made = generate([Source("c"), Source("b"), _SURGES], links, 400, seed=1)
    last, _, first = made.window.values
    assert np.array_equal(last[5:], first[:-5])


def test_services_of_a_clock_surge_together_without_a_link() -> None:
    one = Source("a", "bursty", peak=40.0, period=100, width=3, clock="cron")
    two = Source("b", "bursty", peak=40.0, period=100, width=3, clock="cron", phase=5)
    first, second = generate([one, two], [], 2000, seed=3).window.values
    assert first.any()
    assert np.array_equal(first[:-5] > 0, second[5:] > 0)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([Link("a", "x", 1)], "names x"),
        ([Link("a", "b", 1), Link("b", "a", 1)], "circle"),
    ],
)
def test_links_that_cannot_be_are_refused(links: list[Link], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate([_SURGES, Source("b")], links, 100, seed=1)


def test_sources_and_links_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no kind"):
        Source("a", "weekly")
    with pytest.raises(ValueError, match="below"):
        Source("a", level=-1)
    with pytest.raises(ValueError, match="below 0"):
        Link("a", "b", -1)
