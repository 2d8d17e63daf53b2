"""What a part found: rows of figures, targets, and the samples behind them; as a table and as JSON.

It knows nothing of what was measured, nor on what (`machine.py`).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

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
class Beside:
    """One figure of prewire beside the same of a peer, both of one run. limit: what no control
    plane can pass, such as the switch alone; limit_is says which. ratio: prewire's to the peer's,
    the median of the rounds' own; bound: what is asked of it, None where nothing is.
    """

    what: str
    prewire: float
    peer: float
    peer_is: str
    ratio: float
    limit: float | None = None
    limit_is: str = ""
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one part. All rows have the same columns; their units are in their names.

    compared: what of it goes into the table of all parts.
    """

    part: str
    title: str
    rows: Mapping[str, Row]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    compared: tuple[Beside, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        targets = [asdict(each) | {"holds": each.holds} for each in self.targets]
        rows = {name: dict(row) for name, row in self.rows.items()}
        samples = {name: list(values) for name, values in self.samples.items()}
        return {
            "part": self.part,
            "title": self.title,
            "rows": rows,
            "targets": targets,
            "notes": list(self.notes),
            "samples": samples,
            "compared": [asdict(each) for each in self.compared],
        }

    def as_table(self) -> str:
        """For people."""
        lines = [self.part.upper() + ": " + self.title, *self._table()]
        lines += [f"  {note}" for note in self.notes]
        for each in self.targets:
            relation = "at least" if each.at_least else "at most"
            verdict = "holds" if each.holds else "MISSED"
            lines.append(
                f"  {verdict:7} {each.what}: {against(each.value, each.bound)}"
                f" ({relation} {number(each.bound)})"
            )
        return "\n".join(lines)

    def _table(self) -> list[str]:
        columns = list(next(iter(self.rows.values()), {}))
        label = max((len(name) for name in self.rows), default=0)
        cells = {name: [number(row[each]) for each in columns] for name, row in self.rows.items()}
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


def number(value: float) -> str:
    """For people: three digits that say something."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def against(value: float, bound: float) -> str:
    """As `number`, with more digits where three would not tell it from its bound."""
    shown = number(value)
    for digits in range(4, 10):
        if value == bound or shown != number(bound):
            break
        shown = f"{value:.{digits}g}"
    return shown
