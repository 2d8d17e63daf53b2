"""Rates provisioned from the forecast of what policies carry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nib.prewarm import Provisioning
from predictor.planning.bandwidth import Bandwidth, BandwidthChoice, Rates, shared_misses
from predictor.planning.tail_model import TREES_FROM, TailModel
from predictor.series.window import Floats, Window

MBPS = 1e6
STEADY = BandwidthChoice(dead_band=0.0, hold_steps=0)


def names(values: Floats) -> tuple[str, ...]:
    return tuple(f"p{i}" for i in range(len(values)))


def window(values: Floats, steps: int, step_s: float = 60.0) -> Window:
    return Window(names(values), step_s, round(steps * step_s * 1000), values[:, :steps])


def limits(values: Floats, **fields: Any) -> dict[str, Provisioning]:
    bare = Provisioning("bare", floor_bps=1000, headroom_percent=0)
    return {name: replace(bare, policy=name, **fields) for name in names(values)}


def planned(values: Floats, choice: BandwidthChoice | None = None, **fields: Any) -> Rates:
    return Bandwidth(60.0, choice).plan(window(values, values.shape[1]), limits(values, **fields))


def test_a_constant_load_is_given_little_more_than_itself() -> None:
    rates = planned(np.full((3, 200), 20 * MBPS))
    assert (rates.bps >= 20 * MBPS).all()
    assert (rates.bps <= 26 * MBPS).all()
    assert "20 Mb/s now" in rates.reason(0)


def test_headroom_is_added_to_the_forecast() -> None:
    values = np.full((1, 100), 20 * MBPS)
    bare, more = planned(values), planned(values, headroom_percent=50)
    np.testing.assert_allclose(more.bps, 1.5 * bare.bps)


def test_a_plan_is_raised_at_once_and_lowered_when_it_stays_too_high() -> None:
    loads = np.r_[np.full(100, 10.0), np.full(30, 50.0), np.full(130, 5.0)][None, :] * MBPS
    rates = Bandwidth(60.0, BandwidthChoice(dead_band=0.1, hold_steps=5))
    course = [rates.plan(window(loads, n), limits(loads)).bps[0] for n in range(100, 260)]
    assert course[1] >= 50 * MBPS
    assert min(course[30:36]) >= 50 * MBPS
    assert course[-1] < 15 * MBPS


def test_missing_load_keeps_the_last_plan_and_says_so() -> None:
    loads = np.full((2, 60), 10 * MBPS)
    loads[0, 50:55] = np.nan
    rates = Bandwidth(60.0, STEADY)
    before = rates.plan(window(loads, 50), limits(loads))
    for n in range(51, 56):
        missing = rates.plan(window(loads, n), limits(loads))
        assert missing.stale.tolist() == [True, False]
        assert missing.bps[0] == before.bps[0]
        assert missing.reason(0) == "its load is not known now: as before"
    assert not rates.plan(window(loads, 56), limits(loads)).stale.any()


def test_no_plan_is_lowered_while_the_load_is_not_known() -> None:
    loads = np.full((1, 80), 5 * MBPS)
    loads[0, :50] = 50 * MBPS
    loads[0, 51:70] = np.nan
    rates = Bandwidth(60.0, BandwidthChoice(hold_steps=3))
    course = [rates.plan(window(loads, n), limits(loads)).bps[0] for n in range(51, 81)]
    assert course[1:20] == [course[0]] * 19
    assert course[-1] < course[0]


def test_floor_and_ceiling_are_kept_and_named() -> None:
    loads = np.stack([np.full(50, 100 * MBPS), np.full(50, 0.0)])
    rates = planned(loads, floor_bps=2_000_000, ceiling_bps=30_000_000)
    assert rates.bps.tolist() == [30e6, 2e6]
    assert rates.limited.all()
    assert "limited" in rates.reason(0)


def test_a_policy_whose_load_was_never_known_has_its_floor() -> None:
    rates = planned(np.full((1, 5), np.nan), floor_bps=3_000_000)
    assert rates.bps.tolist() == [3e6]
    assert not rates.stale.any()
    assert "never known" in rates.reason(0)


def test_a_policy_has_a_forecast_from_its_first_step() -> None:
    rates = planned(np.array([[40 * MBPS]]))
    assert 40 * MBPS <= rates.bps[0] <= 50.001 * MBPS


def test_the_same_window_again_changes_nothing() -> None:
    loads = np.random.default_rng(0).lognormal(16, 0.3, (4, 80))
    rates = Bandwidth(60.0)
    first = rates.plan(window(loads, 80), limits(loads))
    again = rates.plan(window(loads, 80), limits(loads))
    assert again.bps.tolist() == first.bps.tolist()
    assert not again.stale.any()


def test_a_daily_surge_is_provisioned_before_it_comes() -> None:
    """Steps of two hours: the season is a day of 12."""
    random = np.random.default_rng(3)
    loads = random.lognormal(16, 0.05, (10, 12 * 24))
    loads[:, 6::12] *= 4
    rates = Bandwidth(7200.0, STEADY)
    course = np.stack(
        [
            rates.plan(window(loads, n, 7200.0), limits(loads)).bps
            for n in range(12 * 21, 12 * 24 - 1)
        ]
    )
    due = [i for i in range(len(course)) if (12 * 21 + i) % 12 == 6]
    other = [i for i in range(len(course)) if (12 * 21 + i) % 12 in (2, 3, 4)]
    assert np.median(course[due]) > 2.5 * np.median(course[other])


def test_misses_come_to_be_as_frequent_as_asked() -> None:
    loads = np.random.default_rng(5).lognormal(16, 0.4, (60, 200))
    rates = Bandwidth(60.0, BandwidthChoice(spread=1.0, dead_band=0.0, hold_steps=0, most=9.0))
    asked = limits(loads, quantile_permille=950)
    over = [loads[:, n] > rates.plan(window(loads, n), asked).bps for n in range(1, loads.shape[1])]
    assert np.mean(over[110:]) == pytest.approx(0.05, abs=0.02)


def test_a_longer_lead_provisions_for_the_maximum_over_it() -> None:
    loads = np.random.default_rng(6).lognormal(16, 0.4, (40, 120))
    short = Bandwidth(60.0, STEADY).plan(window(loads, 120), limits(loads))
    long = Bandwidth(60.0, STEADY, lead_steps=10).plan(window(loads, 120), limits(loads))
    assert long.bps.mean() > short.bps.mean()


def test_what_is_saved_goes_on_with_the_same_plans() -> None:
    loads = np.random.default_rng(7).lognormal(16, 0.3, (20, 121))
    rates = Bandwidth(60.0, STEADY)
    rates.plan(window(loads, 120), limits(loads))
    again = Bandwidth.load(rates.save(), 60.0, STEADY)
    same, soon = (
        [each.plan(window(loads, steps), limits(loads)).bps for each in (rates, again)]
        for steps in (120, 121)
    )
    np.testing.assert_allclose(same[0], same[1], rtol=1e-9)
    np.testing.assert_allclose(soon[0], soon[1], rtol=0.05)


def test_foreign_bytes_other_steps_and_other_leads_are_refused() -> None:
    rates = Bandwidth(60.0)
    saved = rates.save()
    with pytest.raises(ValueError, match="no saved state"):
        Bandwidth.load(b"PK")
    with pytest.raises(ValueError, match=r"not of .*30\.0"):
        Bandwidth.load(saved, 30.0)
    with pytest.raises(ValueError, match=r"not of .*2"):
        Bandwidth.load(saved, 60.0, lead_steps=2)
    with pytest.raises(ValueError, match="not of 60"):
        rates.plan(window(np.ones((1, 3)), 3, 30.0), {})
    with pytest.raises(ValueError, match="lead_steps"):
        Bandwidth(60.0, lead_steps=0)


def test_policies_that_are_gone_are_forgotten() -> None:
    rates = Bandwidth(60.0, STEADY)
    loads = np.full((2, 50), 90 * MBPS)
    rates.plan(window(loads, 50), limits(loads))
    rates.plan(Window(("p1",), 60.0, 51 * 60_000, loads[1:]), {})
    fresh = Window(("p0", "p1"), 60.0, 52 * 60_000, np.array([[MBPS], [90 * MBPS]]))
    assert rates.plan(fresh, limits(loads)).bps[0] < 2 * MBPS


def test_misses_are_shared_out_by_what_a_reserve_costs() -> None:
    miss = np.full(4, 0.01)
    width = np.array([1.0, 2.0, 4.0, 400.0])
    shared = shared_misses(miss, width, width, 2.0)
    assert shared.sum() == pytest.approx(miss.sum(), rel=1e-2)
    assert (np.diff(shared) >= 0).all()
    assert shared.max() <= 0.02
    assert shared_misses(miss, width, width, 1.0).tolist() == miss.tolist()


@pytest.mark.parametrize("trees", [False, True])
def test_the_tail_follows_what_the_features_tell(trees: bool) -> None:
    if trees:
        pytest.importorskip("lightgbm")
    random = np.random.default_rng(8)
    model = TailModel(3, 0.05, trees)
    for _ in range(TREES_FROM // 256 + 1):
        features = np.column_stack([np.ones(256), random.normal(size=(256, 2))])
        noise = np.exp(0.4 * features[:, 1]) * random.normal(size=256)
        model.observe(features, 0.2 * features[:, 2] + 0.1 * noise)
    assert model.grow_trees() is trees
    features = np.column_stack([np.ones(4000), random.normal(size=(4000, 2))])
    outcome = 0.2 * features[:, 2]
    outcome += 0.1 * np.exp(0.4 * features[:, 1]) * random.normal(size=4000)
    location, scale, z = model.predict(features)
    over = outcome > location + z * scale
    assert over.mean() == pytest.approx(0.05, abs=0.02)
    assert over[features[:, 1] > 1].mean() == pytest.approx(0.05, abs=0.03)
