"""A refit of the global model in a process of its own."""

from __future__ import annotations

import time

import numpy as np
from distributed import Client

from predictor.models.forecaster import Forecaster
from predictor.models.global_model import GlobalModel
from predictor.models.refit import Refit
from predictor.series.window import Window
from tests.waiting import until


def test_a_refit_in_a_side_process_gives_a_model_that_takes_part() -> None:
    values = np.random.default_rng(1).poisson(9.0, (10, 90)).astype(np.float64)
    window = Window(tuple(f"service-{row}" for row in range(10)), 60.0, 5_400_000, values)
    refit, forecaster = Refit(), Forecaster()
    try:
        assert refit.tick(window, 0.0) is None
        model = until(lambda: refit.tick(window, 1.0), bool, "the refit is taken", 60.0)
        assert model is not None
        forecaster.adopt(model)
        made = forecaster.step(window)
    finally:
        refit.close()
    assert "global" in forecaster.pool.total
    assert 5 < made.quantile(0.5).mean() < 13


def test_a_refit_on_a_cluster_gives_a_model(cluster: str) -> None:
    values = np.random.default_rng(4).poisson(9.0, (10, 90)).astype(np.float64)
    window = Window(tuple(f"service-{row}" for row in range(10)), 60.0, 5_400_000, values)
    with Client(cluster) as client:
        refit = Refit(workers=client)
        refit.tick(window, 0.0)
        model = until(lambda: refit.tick(window, 1.0), bool, "the refit is taken", 60.0)
        refit.close()
    assert isinstance(model, GlobalModel)
    assert refit.error == ""


def test_an_ended_side_process_is_replaced_at_the_next_refit() -> None:
    values = np.random.default_rng(2).poisson(9.0, (10, 90)).astype(np.float64)
    window = Window(tuple(f"service-{row}" for row in range(10)), 60.0, 5_400_000, values)
    refit = Refit(every_s=10.0)
    try:
        refit.tick(window, 0.0)
        refit.close()
        assert not refit.running
        refit.tick(window, 20.0)
        until(lambda: refit.tick(window, 21.0), bool, "the refit is taken", 60.0)
    finally:
        refit.close()
    assert refit.error == ""


def test_closing_waits_for_no_refit_that_is_under_way() -> None:
    values = np.random.default_rng(3).poisson(9.0, (1000, 1500)).astype(np.float64)
    window = Window(tuple(f"service-{row}" for row in range(1000)), 60.0, 90_000_000, values)
    refit = Refit()
    refit.tick(window, 0.0)
    assert refit.running
    began = time.monotonic()
    refit.close()
    assert time.monotonic() - began < 5
    assert not refit.running


def test_too_little_to_learn_from_is_no_failure() -> None:
    refit = Refit(every_s=10.0)
    nothing = np.full((3, 1500), np.nan)
    assert refit.tick(Window(("a", "b", "c"), 60.0, 90_000_000, nothing), 0.0) is None
    assert not refit.running, "nothing is known"
    idle = Window(("a", "b", "c"), 60.0, 90_000_000, np.zeros((3, 1500)))
    try:
        refit.tick(idle, 1.0)
        assert refit.running
        until(lambda: refit.tick(idle, 2.0) or not refit.running, bool, "the refit is over", 60.0)
    finally:
        refit.close()
    assert refit.error == ""
