"""Keep-alive and provisioned rates stay sane, whatever they are told."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nib.prewarm import Provisioning
from predictor.planning.bandwidth import Bandwidth, BandwidthChoice
from predictor.planning.keepalive import KeepAlive
from predictor.planning.levels import LEAST_BPS
from predictor.series.window import Floats, Window

ODD = st.sampled_from([np.nan, np.inf, -np.inf, -5.0, 0.0, 1e-300, 1.0, 1e6, 1e9, 3e11])
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 9))
LOADS = SHAPES.flatmap(
    lambda shape: arrays(np.float64, shape, elements=ODD | st.floats(0, 1e10), fill=ODD)
)


@given(LOADS, st.integers(0, 300), st.integers(1, 3), st.lists(st.integers(-9, 9), max_size=4))
def test_a_plan_is_bounded_by_the_observed_maximum(
    loads: Floats, headroom: int, lead: int, jumps: list[int]
) -> None:
    names = tuple(f"p{i}" for i in range(len(loads)))
    limits = {n: Provisioning(n, headroom_percent=headroom, floor_bps=5000) for n in names}
    choice = BandwidthChoice()
    rates = Bandwidth(60.0, choice, lead)
    end_ms = 10**9
    usable = np.where(np.isfinite(loads) & (loads >= 0), loads, 0.0)
    most = np.maximum(usable.max(axis=1), LEAST_BPS) * choice.most * (1 + headroom / 100)
    for jump in [0, *jumps]:
        end_ms += jump * 60_000
        made = rates.plan(Window(names, 60.0, end_ms, loads), limits)
        assert np.isfinite(made.bps).all()
        assert (made.bps >= 5000).all()
        assert (made.bps <= np.maximum(most, 5000) * (1 + 1e-5)).all()
        assert all(made.reason(i) for i in range(len(names)))


@given(LOADS, st.integers(1, 3))
def test_missing_load_never_changes_a_plan(loads: Floats, missing: int) -> None:
    names = tuple(f"p{i}" for i in range(len(loads)))
    rates = Bandwidth(60.0)
    before = rates.plan(Window(names, 60.0, 10**9, loads), {})
    for step in range(1, missing + 1):
        gone = Window(names, 60.0, 10**9 + step * 60_000, np.full((len(loads), 2), np.nan))
        assert rates.plan(gone, {}).bps.tolist() == before.bps.tolist()


@given(LOADS, st.integers(1, 4), st.booleans())
def test_keep_alive_gives_chances_and_reasons_for_any_calls(
    calls: Floats, lead: int, saved: bool
) -> None:
    names = tuple(f"s{i}" for i in range(len(calls)))
    keep = KeepAlive(60.0)
    keep.learn(Window(names, 60.0, 10**9, calls))
    keep = KeepAlive.load(keep.save()) if saved else keep
    one, more = keep.warm(names), keep.warm(names, lead)
    assert ((one.chance >= 0) & (one.chance <= 1) & (one.asked > 0) & (one.asked < 1)).all()
    assert (more.chance >= one.chance).all()
    known = np.where(np.isfinite(calls) & (calls >= 0), calls, 0) > 0
    assert not more.warm[~known.any(axis=1)].any()
    assert all(more.reason(i) for i in range(len(names)))
