"""The table of `gateway`: ratios of a round with itself, and targets on the right side."""

from __future__ import annotations

import pytest

from benchmarks.balancing.gateway_outcome import outcome
from benchmarks.balancing.gateway_rounds import KEEP_ALIVE, NEW, PACED, Found, Loads
from benchmarks.load.wrk import Load

NAMES = ("prewire", "haproxy tcp", "haproxy http", "nginx stream", "by hand", "direct")


def found(*rates: float) -> list[Found]:
    return [Found(Load(rate, 1000 / rate, 0, 2.0), 1.0) for rate in rates]


def loads(**prewire: tuple[float, ...]) -> Loads:
    given: Loads = {
        (name, kind): found(100, 200, 50) for name in NAMES for kind in (KEEP_ALIVE, NEW, PACED)
    }
    return given | {
        ("prewire", KEEP_ALIVE): found(*prewire["keep_alive"]),
        ("prewire", NEW): found(*prewire["new"]),
    }


def test_a_ratio_is_of_rates_in_the_same_round() -> None:
    made = outcome("gateway", loads(keep_alive=(210, 420, 105), new=(149, 298, 200)), 25, 10, ())
    values = {each.what: each.value for each in made.targets}
    assert values["prewire / haproxy tcp, keep-alive"] == pytest.approx(2.1)
    assert values["prewire / haproxy tcp, new connections"] == pytest.approx(1.49)
    missed = [each.what for each in made.targets if not each.holds]
    assert missed == ["prewire / haproxy tcp, new connections"]
    beside = {(each.what, each.peer_is): each for each in made.compared}
    mine = beside["requests/s, keep-alive", "haproxy tcp"]
    assert (mine.prewire, mine.peer, mine.limit, mine.bound) == (210, 100, 100, "≥ 2")
    assert mine.ratio == pytest.approx(2.1)
    assert beside["requests/s, keep-alive", "nginx stream"].bound == ""
    assert beside["p99 ms at one rate for all", "nginx stream"].peer == 10


def test_every_load_has_a_row_with_its_p99_and_its_samples() -> None:
    made = outcome("gateway", loads(keep_alive=(1, 2, 4), new=(1, 1, 1)), 25, 10, ("more",))
    row = made.rows["prewire, keep-alive"]
    assert (row["median"], row["p99 ms"], row["p99 least"], row["p99 greatest"]) == (
        *(2, 500, 250, 1000),
    )
    assert made.samples["prewire, keep-alive, p99 ms"] == [1000, 500, 250]
    assert len(made.rows) == 3 * len(NAMES)
    assert "more" in made.as_table()
