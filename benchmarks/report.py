"""What a part found: rows of figures, targets, and the samples behind them; as a table and as JSON.

It knows nothing of what was measured.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from topologies.processes import run

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that the design asks for: at least, or at most, `bound`."""

    what: str
    value: float
    bound: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """Whether the figure is on the right side of the bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one part. All rows have the same columns; their units are in their names."""

    part: str
    title: str
    rows: Mapping[str, Row]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        targets = [
            {
                "what": each.what,
                "value": each.value,
                "bound": each.bound,
                "at_least": each.at_least,
                "holds": each.holds,
            }
            for each in self.targets
        ]
        rows = {name: dict(row) for name, row in self.rows.items()}
        samples = {name: list(values) for name, values in self.samples.items()}
        return {
            "part": self.part,
            "title": self.title,
            "rows": rows,
            "targets": targets,
            "notes": list(self.notes),
            "samples": samples,
        }

    def as_table(self) -> str:
        """For people."""
        lines = [self.part.upper() + ": " + self.title, *self._table()]
        lines += [f"  {note}" for note in self.notes]
        for each in self.targets:
            relation = "at least" if each.at_least else "at most"
            verdict = "holds" if each.holds else "MISSED"
            lines.append(
                f"  {verdict:7} {each.what}: {_number(each.value)}"
                f" ({relation} {_number(each.bound)})"
            )
        return "\n".join(lines)

    def _table(self) -> list[str]:
        columns = list(next(iter(self.rows.values()), {}))
        label = max((len(name) for name in self.rows), default=0)
        cells = {name: [_number(row[each]) for each in columns] for name, row in self.rows.items()}
        widths = [
            max(len(column), *(len(row[place]) for row in cells.values()))
            for place, column in enumerate(columns)
        ]
        heads = "  ".join(f"{each:>{width}}" for each, width in zip(columns, widths, strict=True))
        lines = [f"  {'':{label}}  {heads}"]
        for name, row in cells.items():
            figures = (f"{each:>{width}}" for each, width in zip(row, widths, strict=True))
            lines.append(f"  {name:{label}}  {'  '.join(figures)}")
        return lines


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """min, p50, p90, p99 and max; of one value, that value."""
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else None
    if cuts is None:
        return dict.fromkeys(("min", "p50", "p90", "p99", "max"), values[0])
    shown = {"min": min(values), "p50": cuts[49], "p90": cuts[89], "p99": cuts[98]}
    return shown | {"max": max(values)}


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the rounds' own ratios: what drifts between rounds cancels."""
    return statistics.median(a / b if b else 0.0 for a, b in zip(over, under, strict=True))


def machine() -> str:
    """What the figures were taken on, in a line."""
    switch = run(["ovs-vsctl", "--version"]).splitlines()[0].rpartition(" ")[2]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, Open vSwitch {switch}"


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
