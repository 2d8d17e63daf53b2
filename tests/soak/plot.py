"""A picture of a soak: memory and descriptors of each process over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.soak.run import Outcome


def plot(outcome: Outcome, path: Path) -> None:
    """As the path's suffix says: PNG, SVG or PDF. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (memory, descriptors) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 7))
    began = outcome.samples[0].at_s
    for name in outcome.samples[0].processes:
        there = [each for each in outcome.samples if name in each.processes]
        minutes = [(each.at_s - began) / 60 for each in there]
        memory.plot(minutes, [each.processes[name].own_mib for each in there], label=name)
        descriptors.plot(minutes, [each.processes[name].fds for each in there], label=name)
    _label(memory, "resident memory of its own (MiB)")
    _label(descriptors, "file descriptors")
    descriptors.set_xlabel("minutes of changes, clients and traffic")
    memory.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def _label(axes: Any, text: str) -> None:
    axes.set_ylabel(text)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
