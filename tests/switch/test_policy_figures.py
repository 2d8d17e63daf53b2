"""What is read of policies adds up and only grows, while meters are changed under traffic."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from nib.qos import Policy
from tests.needs import need_ovs
from tests.switch.metered import FRAME_BYTES, Figures, Metered, metered
from tests.waiting import until

pytestmark = pytest.mark.root

FRAMES = 2000
SETTLING_S = 2.0
BITS = Policy("bits", "shop", "web", max_bps=200_000, burst_ms=100, number=1)
BOTH = replace(BITS, name="both", max_pps=40, number=2)
PACE = replace(BITS, name="pace", max_bps=None, max_pps=50, number=3)


@pytest.fixture
def site() -> Iterator[Metered]:
    need_ovs()
    with metered(BITS, BOTH, PACE) as here:
        yield here


def settled(site: Metered) -> dict[str, Figures]:
    """The figures when the switch has counted all that it took in: it takes up to a second."""
    last: list[tuple[dict[str, Figures], float]] = []

    def look() -> float:
        """How long they are the same already."""
        site.read()
        figures, now = site.figures(), time.monotonic()
        if not last or last[0][0] != figures:
            last[:] = [(figures, now)]
        return now - last[0][1]

    until(look, lambda seconds: seconds > SETTLING_S, "figures stay the same")
    figures = last[0][0]
    assert {name: each.offered for name, each in figures.items()} == site.entered()
    return figures


def check_growth(before: dict[str, Figures], now: dict[str, Figures]) -> None:
    for name, figures in now.items():
        assert figures.offered == figures.passed + figures.dropped
        assert all(a <= b for a, b in zip(before.get(name, (0, 0, 0)), figures, strict=True))


def passed(figures: dict[str, Figures]) -> int:
    return sum(each.passed for each in figures.values())


def offered(figures: dict[str, Figures]) -> int:
    """The least of any policy."""
    return min((each.offered for each in figures.values()), default=0)


def change_all_the_time(site: Metered, change: Callable[[int], object]) -> dict[str, Figures]:
    """Frames are sent, and whenever 50 more of each policy are counted, there is the next change
    (0, 1, …); the figures at the end, of which nothing is missing."""
    sending = site.sending(FRAMES)
    figures = site.figures()
    for number in itertools.count():
        change(number)
        before = offered(figures)
        while offered(figures) < before + 50 and sending.is_alive():
            site.read()
            check_growth(figures, site.figures())
            figures = site.figures()
        if not sending.is_alive():
            break
    sending.join()
    assert number > 3
    final = settled(site)
    check_growth(figures, final)
    assert offered(final) > FRAMES / 2
    assert all(each.dropped > 100 for each in final.values())
    assert site.figures("bytes") == {
        name: Figures(*(FRAME_BYTES * count for count in each)) for name, each in final.items()
    }
    return final


def test_nothing_is_lost_though_meters_start_again_at_every_change(site: Metered) -> None:
    figures = change_all_the_time(site, lambda number: site.scale(50 + number))
    assert site.left() == passed(figures)


def test_nothing_is_lost_though_limits_come_and_go(site: Metered) -> None:
    without = [replace(each, max_bps=None, max_pps=None) for each in site.policies]
    figures = change_all_the_time(site, lambda n: site.limit(site.policies if n % 2 else without))
    # until it revalidates, the datapath drops by meters that the switch has deleted
    assert 0 <= passed(figures) - site.left() <= 0.02 * FRAMES * len(site.policies)


def test_what_was_counted_before_is_no_traffic_of_now(site: Metered) -> None:
    """Another controller took over: what meters dropped before their last change nobody knows."""
    change_all_the_time(site, lambda number: site.scale(50 + number))
    known = site.figures()
    site.readings.clear()
    site.read()
    for name, figures in site.figures().items():
        assert figures.passed <= known[name].passed
