"""What a predictor tells of forecasts, as what it minds changes."""

from __future__ import annotations

import numpy as np

from predictor.outward.views import ForecastView
from predictor.running.telling import Telling
from tests.predictor import outward_site
from tests.predictor.outward_site import Clock


def view(name: str, made_ms: int) -> ForecastView:
    values = np.array([[1.0, 2.0]])
    return ForecastView("service", name, made_ms, 60.0, (1,), (0.5, 0.9), values, "mix")


def test_forecasts_of_what_is_minded_no_more_are_gone() -> None:
    with outward_site.database() as nib:
        telling = Telling(nib, "p", sink="", commands=None, owns=lambda _: True, clock_ms=Clock())
        telling.forecasts([view("shop", 1), view("cart", 1)])
        telling.forecasts([view("shop", 2)])
        found = telling.feed.forecast("service", "shop")
        assert found is not None
        assert found.made_ms == 2
        assert telling.feed.forecast("service", "cart") is None
        telling.forecasts([])
        assert telling.feed.forecast("service", "shop") is None
