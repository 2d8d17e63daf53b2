"""A page of /metrics in Prometheus' text form, and what of it says how loaded services are.

Only the wanted metrics are read, and the labels of a series only when it first appears: a page of
a large installation is mostly other things. Timestamps on the page are not heeded.

Must not know: where pages come from, what the numbers mean for a service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

Labels: TypeAlias = tuple[str, ...]

NEW_CONNECTIONS: Final = "prewire_container_new_connections_total"
WITHOUT_CONTAINER: Final = "prewire_service_demand_packets_total"
REFUSED: Final = "prewire_connections_refused_total"
INFLIGHT: Final = "prewire_container_inflight"
SERVICE_PANIC: Final = "prewire_service_panic"
POLICY_BYTES: Final = "prewire_policy_offered_bytes_total"
LEADER_EPOCH: Final = "prewire_leader_epoch"
SWITCH_CONNECTED: Final = "prewire_switch_connected"
PROGRAMMING: Final = "prewire_programming_seconds_bucket"

# By metric, the labels that name a series.
WANTED: Final[Mapping[str, Labels]] = {
    NEW_CONNECTIONS: ("service", "container"),
    WITHOUT_CONTAINER: ("service",),
    REFUSED: ("service",),
    INFLIGHT: ("service", "container"),
    SERVICE_PANIC: ("service",),
    POLICY_BYTES: ("policy", "switch"),
    LEADER_EPOCH: (),
    SWITCH_CONNECTED: ("switch",),
    PROGRAMMING: ("stage", "le"),
}

_LABEL: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPED: Final = re.compile(r"\\(.)")
_UNESCAPED: Final = {"n": "\n"}
_TYPE: Final = b"\n# TYPE "
_SUFFIXES: Final = ("_total", "_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """values[i] is the sample of series[i], its label values in the wanted order.

    While a page has the same series as the one before, `series` is the same object.
    """

    series: tuple[Labels, ...]
    values: Floats


NOTHING: Final = Family((), np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The wanted metrics of a page, by name; those without a sample are not there."""

    families: Mapping[str, Family]

    @classmethod
    def of(cls, samples: Iterable[tuple[str, Mapping[str, str], float]]) -> Page:
        """Of samples as (metric, labels, value); what is not wanted is left out."""
        found: dict[str, dict[Labels, float]] = {}
        for metric, labels, value in samples:
            if metric in WANTED:
                series = tuple(labels.get(name, "") for name in WANTED[metric])
                found.setdefault(metric, {})[series] = value
        return cls(
            {
                metric: Family(tuple(values), np.array(list(values.values()), dtype=float))
                for metric, values in found.items()
            }
        )

    def family(self, metric: str) -> Family:
        """The samples of a metric."""
        return self.families.get(metric, NOTHING)


class Parser:
    """Parses pages; remembers what their series are called."""

    def __init__(self, wanted: Mapping[str, Labels] = WANTED) -> None:
        self._metrics = {name: _Metric(name, labels) for name, labels in wanted.items()}

    @property
    def malformed(self) -> int:
        """Lines of wanted metrics that made no sense, so far. They were left out."""
        return sum(metric.malformed for metric in self._metrics.values())

    def parse(self, text: bytes) -> Page:
        """The wanted part of a page. Raises nothing, whatever the page is.

        Where metrics have types, samples count that follow the type of theirs.
        """
        blocks = dict(_blocks(text))
        families = {}
        for name, metric in self._metrics.items():
            kind = next((each for each in _types_of(name) if each in blocks), None)
            if kind is None and blocks:
                continue
            begin, end = (0, len(text)) if kind is None else blocks[kind]
            family = metric.read(text, begin, end)
            if family.series:
                families[name] = family
        return Page(families)


class _Metric:
    """The samples of one metric."""

    def __init__(self, name: str, labels: Labels) -> None:
        self.malformed = 0
        self._labels = labels
        self._line = re.compile(
            rb"^" + name.encode() + rb"(?:[ \t]*(\{[^\n]*\}))?[ \t]+(\S+)[^\n]*$", re.M
        )
        self._starts = (b"\n" + name.encode() + b"{", b"\n" + name.encode() + b" ")
        self._heads: list[bytes] = []  # of the last page: its lines up to the values
        self._series: tuple[Labels, ...] = ()
        self._places: NDArray[np.intp] = np.empty(0, dtype=np.intp)  # lines of the series
        self._known: dict[bytes, Labels | None] = {}  # None: makes no sense

    def read(self, text: bytes, begin: int, end: int) -> Family:
        """Its samples in this part of a page; the last of a series counts."""
        found: list[tuple[bytes, bytes]] = self._line.findall(text, begin, end)
        try:
            values = np.array([float(value) for _, value in found])
        except ValueError:
            values = np.array([_number(value) for _, value in found])
        heads = [head for head, _ in found]
        if heads != self._heads:
            self._name(heads)
            lines = sum(text.count(start, begin, end) for start in self._starts)
            lines += begin == 0 and text.startswith(tuple(start[1:] for start in self._starts))
            self.malformed += max(0, lines - len(found))
        return Family(self._series, values[self._places])

    def _name(self, heads: list[bytes]) -> None:
        known = self._known
        self._known = {
            head: known[head] if head in known else self._read_labels(head) for head in heads
        }
        labels = [self._known[head] for head in heads]
        places = {name: place for place, name in enumerate(labels) if name is not None}
        self._heads = heads
        self._series = tuple(places)
        self._places = np.fromiter(places.values(), np.intp, len(places))

    def _read_labels(self, head: bytes) -> Labels | None:
        text = head.decode(errors="replace")[1:-1].rstrip()
        found, place = {}, 0
        while place < len(text):
            match = _LABEL.match(text, place)
            if match is None:
                self.malformed += 1
                return None
            found[match[1]] = _ESCAPED.sub(lambda c: _UNESCAPED.get(c[1], c[1]), match[2])
            place = match.end()
        return tuple(found.get(name, "") for name in self._labels)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _types_of(metric: str) -> Iterator[str]:
    """What the type of a metric may be called."""
    yield metric
    for suffix in _SUFFIXES:
        if metric.endswith(suffix):
            yield metric.removesuffix(suffix)


def _blocks(text: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """By metric, where the part of a page begins and ends that follows its type."""
    begin = 0 if text.startswith(_TYPE[1:]) else text.find(_TYPE) + 1
    while text.startswith(_TYPE[1:], begin):
        line = text.find(b"\n", begin)
        end = text.find(_TYPE, begin) + 1 or len(text)
        if line >= 0:
            yield (
                text[begin + len(_TYPE) - 1 : line].decode(errors="replace").split(" ")[0],
                (line, end),
            )
        begin = end
