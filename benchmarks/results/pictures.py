"""A picture of a part: every sample of every row, with the median. Needs matplotlib (extra "plot").

Must not know: what was measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, Final

_LOG_FROM: Final = 20.0  # least and greatest this many times apart: a logarithmic axis
_OTHER_UNIT: Final = ", p99 ms"
_INCH_A_ROW: Final = 0.38
_TITLE_WIDTH: Final = 110  # characters


def draw(outcome: Mapping[str, Any], file: Path) -> bool:
    """Write the picture of `Outcome.as_json`; False, and nothing is written, without samples."""
    samples: dict[str, Sequence[float]] = {n: v for n, v in outcome["samples"].items() if v}
    if not samples:
        return False
    import matplotlib as mpl  # noqa: PLC0415 - of pictures alone

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    panels = _panels(samples)
    heights = [1 + len(rows) for rows in panels]
    figure, axes = pyplot.subplots(
        len(panels),
        squeeze=False,
        figsize=(9, 1 + _INCH_A_ROW * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for each, rows in zip(axes[:, 0], panels, strict=True):
        _rows(each, rows)
    figure.suptitle(fill(f"{outcome['part']}: {outcome['title']}", _TITLE_WIDTH), fontsize=9)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
    return True


def _panels(samples: Mapping[str, Sequence[float]]) -> list[dict[str, Sequence[float]]]:
    """Samples of a unit of their own, `..., p99 ms`, beside the others."""
    others = {name: values for name, values in samples.items() if not name.endswith(_OTHER_UNIT)}
    own = {name: values for name, values in samples.items() if name.endswith(_OTHER_UNIT)}
    return [panel for panel in (others, own) if panel]


def _rows(axes: Any, samples: Mapping[str, Sequence[float]]) -> None:
    for row, (name, values) in enumerate(samples.items()):
        ours = "tab:blue" if name.startswith("prewire") else "tab:grey"
        axes.plot(values, [row] * len(values), "o", color=ours, alpha=0.35, markersize=4)
        axes.plot(statistics.median(values), row, "|", color=ours, markersize=16, markeredgewidth=3)
    axes.set_yticks(range(len(samples)), list(samples))
    axes.invert_yaxis()
    _scale(axes, [value for values in samples.values() for value in values])
    axes.grid(axis="x", alpha=0.3)


def _scale(axes: Any, values: Sequence[float]) -> None:
    if min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        axes.set_xscale("log")
    elif min(values) >= 0:
        axes.set_xlim(left=0)
