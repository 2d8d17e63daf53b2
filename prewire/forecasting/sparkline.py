"""A series and its forecast as a few lines of text.

Pure: returns text. Must not know: where values come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"
_UNKNOWN: Final = "·"


def sparkline(values: Sequence[float | None], top: float) -> str:
    """A character for each value: its height of `top`, "·" where it is not known."""
    return "".join(_bar(value, top) for value in values)


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return _UNKNOWN
    if top <= 0:
        return _BARS[0]
    step = round(value / top * (len(_BARS) - 1))
    return _BARS[min(max(step, 0), len(_BARS) - 1)]


def peaks(values: Sequence[float | None], width: int) -> list[float | None]:
    """At most `width` values: the highest of each of that many parts, None where none is known."""
    if len(values) <= width:
        return list(values)
    cuts = [len(values) * number // width for number in range(width + 1)]
    return [_highest(values[begin:end]) for begin, end in pairwise(cuts)]


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def chart(
    past: Sequence[float | None],
    quantiles: Sequence[float],
    forecast: Sequence[Sequence[float]],
    *,
    width: int = 60,
    said: Callable[[float], str] = "{:.3g}".format,
) -> list[str]:
    """The load so far, and a line for each quantile that continues it, on one scale.

    forecast: a row for each step ahead, a value for each quantile. said: a value for people.
    """
    shown = peaks(past, width)
    ahead = [[row[number] for row in forecast] for number in range(len(quantiles))]
    known = [value for value in (*shown, *chain.from_iterable(ahead)) if value is not None]
    top = max(known, default=0.0)
    now = next((value for value in reversed(shown) if value is not None), None)
    told = "unknown" if now is None else said(now)
    lines = [f"{'load':>6} {sparkline(shown, top)}  {told} now, {said(top)} at top"]
    indent = " " * len(shown)
    for quantile, line in zip(quantiles, ahead, strict=True):
        label = f"p{quantile * 100:g}"
        lines.append(
            f"{label:>6} {indent}{sparkline(line, top)}  {said(max(line, default=0.0))} at most"
        )
    return lines
