"""The picture of a replay is a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from predictor.replay.plots import pareto_plot
from predictor.replay.replay import run, workloads_of_arrivals
from predictor.replay.simulator import Setting


def test_the_curves_of_a_replay_become_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    loads = workloads_of_arrivals({"web": np.random.default_rng(1).uniform(5, 20, 60)}, 1.0)
    report = run(loads, Setting(seconds=20.0), ("oracle", "kpa"))
    pareto_plot(report.curves(), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
