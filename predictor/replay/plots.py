"""The picture of a replay: each policy's settings as a curve, cost against requests that waited.

matplotlib is imported when a picture is made: an extra, `pip install prewire[plot]`.

Must not know: how results are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from predictor.replay.results import Point

TITLE = "requests that waited, and what it cost"


def pareto_plot(curves: Mapping[str, Sequence[Point]], path: Path, title: str = TITLE) -> None:
    """Writes a picture; its kind by the suffix of the path. ImportError without matplotlib."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, points in curves.items():
        ordered = sorted(points, key=lambda point: point.cost.value)
        cost = [point.cost.value for point in ordered]
        queued = [point.queued.value for point in ordered]
        low = [max(0.0, p.queued.value - p.queued.low) for p in ordered]
        high = [max(0.0, p.queued.high - p.queued.value) for p in ordered]
        style = "o-" if name == "prewire" else "s--"
        axes.errorbar(cost, queued, yerr=(low, high), fmt=style, label=name, capsize=2, lw=1, ms=4)
    if any(point.queued.value > 0 for points in curves.values() for point in points):
        axes.set_yscale("log")
    axes.set_xlabel("container-seconds over the oracle's")
    axes.set_ylabel("share of requests that waited")
    axes.set_title(title)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
