"""Pages of /metrics, read again and again: do counters only grow?

A series' counter may begin anew only where its object was made anew: series end with their
service, container or policy, and those of ports and queues with the bridge that had them. What was
made when, is told.

Must not know: where pages come from. Pure: times are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_TYPE: Final = re.compile(r"# TYPE (\S+) (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_GROWING: Final = {
    "counter": ("", "_total"),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("_count", "_sum"),
}
_MARGIN_S: Final = 10.0  # a page shows what switches said up to a reading ago
_MOST_TOLD: Final = 20

Labels = Mapping[str, str]


def counters(page: str) -> Iterator[tuple[str, float]]:
    """Series that may only grow, by name and labels, in the text form of Prometheus."""
    growing: set[str] = set()
    for line in page.splitlines():
        if line.startswith("#"):
            told = _TYPE.match(line)
            if told:
                growing |= {told[1] + end for end in _GROWING.get(told[2], ())}
            continue
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] in growing:
            yield series, float(value)


def series_count(page: str) -> int:
    """Samples on a page."""
    return sum(1 for line in page.splitlines() if line and not line.startswith("#"))


def labels_of(series: str) -> dict[str, str]:
    """As in `name{service="web"}`."""
    return dict(_LABEL.findall(series.partition("{")[2]))


@dataclass
class Made:
    """When services, containers, policies and bridges were made."""

    _times: dict[tuple[str, ...], list[float]] = field(default_factory=dict)

    def note(self, kind: str, *names: str, at: float) -> None:
        """kind: the label that names it; names: of a container, its service first."""
        self._times.setdefault((kind, *names), []).append(at)

    def between(self, labels: Labels, since: float, until: float) -> bool:
        """Whether an object that these labels name was made in this time, or just before it."""
        service = labels.get("service", "")
        wanted = [("service", service), ("container", service, labels.get("container", ""))]
        wanted.append(("policy", labels.get("policy", "")))
        if "port" in labels:
            wanted.append(("switch", labels.get("switch", "")))
        times = (at for key in wanted for at in self._times.get(key, ()))
        return any(since - _MARGIN_S <= at <= until for at in times)


class Monotony:
    """Of the pages of some processes, each read in turn."""

    def __init__(self, made: Made) -> None:
        self._made = made
        self._last: dict[tuple[str, str], tuple[float, float]] = {}  # when, and value
        self.compared = 0  # pairs of readings
        self.begun_anew = 0  # of series whose object was made anew
        self.falls: list[str] = []  # the first of them
        self.fallen = 0

    def read(self, process: str, page: str, at: float) -> None:
        """A page of one life of a process."""
        for series, value in counters(page):
            before = self._last.get((process, series))
            self._last[process, series] = at, value
            if before is None:
                continue
            self.compared += 1
            if value >= before[1]:
                continue
            if self._made.between(labels_of(series), before[0], at):
                self.begun_anew += 1
                continue
            self.fallen += 1
            if len(self.falls) < _MOST_TOLD:
                self.falls.append(f"{process}: {series}: {before[1]:g}, then {value:g}")
