"""The picture of a back-test: how good each method is, by how far it looks ahead.

Must not know: models.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from predictor.replay.backtest import OURS, BacktestResult

_PANELS: Final = (
    ("wape", "error of the median over the load (WAPE)"),
    ("pinball_95", "pinball loss of the 0.95 quantile over the load"),
)


def draw(result: BacktestResult, file: Path) -> None:
    """Write it, in the format of the file's suffix. ValueError where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise ValueError("a plot needs matplotlib: pip install 'prewire[plot]'")
    import_module("matplotlib").use("Agg")
    figure, axes = import_module("matplotlib.pyplot").subplots(1, 2, figsize=(10, 4))
    for panel, (figure_name, title) in zip(axes, _PANELS, strict=True):
        for name, curves in result.by_horizon.items():
            ours = name == OURS
            panel.plot(
                result.horizons,
                curves[figure_name],
                label=name,
                linewidth=2.5 if ours else 1.0,
                zorder=3 if ours else 2,
            )
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("steps ahead")
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file)
    import_module("matplotlib.pyplot").close(figure)
