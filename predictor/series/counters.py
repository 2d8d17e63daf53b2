"""How fast the counters of one controller's page grow.

Counters start again at zero with whoever counts, and appear with their first event; a page of a
controller that just began to lead, or to hear a switch, shows what that switch counted before, all
at once: it says nothing of the load.

Pure: pages and times in, rates out. Must not know: services, policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from predictor.series.scrape import (
    LEADER_EPOCH,
    NEW_CONNECTIONS,
    POLICY_BYTES,
    REFUSED,
    SWITCH_CONNECTED,
    WITHOUT_CONTAINER,
    Family,
    Labels,
    Page,
)
from predictor.series.window import Floats

POLLED: Final = (NEW_CONNECTIONS, POLICY_BYTES)  # as switches are asked, every now and then
LIVE: Final = (WITHOUT_CONTAINER, REFUSED)  # as it happens

MAX_GAP_MS: Final = 300_000  # between pages, over which growth still says a rate
_MAX_GONE_MS: Final = 600_000  # for which a series may be missing and go on
_SETTLE_MS: Final = 1_000
_MOST: Final = 2.0**64


class Growth:
    """By how much the counters of one metric grew from page to page."""

    def __init__(self) -> None:
        self._series: tuple[Labels, ...] | None = None  # None: there was no page yet
        self._last = np.empty(0)
        self._gone: dict[Labels, tuple[float, int]] = {}  # its last value, and when it went

    def is_changed(self, family: Family) -> bool:
        """Whether a counter is another than in the last page."""
        same = family.series is self._series or family.series == self._series
        return not (same and np.array_equal(family.values, self._last, equal_nan=True))

    def read(self, family: Family, at_ms: int) -> Floats:
        """Growth by series; NaN: not known, as in the first page.

        A counter that is less than it was began again at zero; one that is new began at zero.
        """
        values = family.values
        with np.errstate(invalid="ignore"):
            values = np.where((values >= 0) & (values <= _MOST), values, np.nan)
            last = self._aligned(family.series, at_ms)
            grown = np.where(values < last, values, values - last)
        self._series = family.series
        self._last = np.where(np.isnan(values), last, values)
        return grown

    def _aligned(self, series: tuple[Labels, ...], at_ms: int) -> Floats:
        """The last values, in the order of these series."""
        if series is self._series:
            return self._last
        if self._series is None:
            return np.full(len(series), np.nan)
        known = dict(zip(self._series, self._last.tolist(), strict=True))
        known |= {name: value for name, (value, _) in self._gone.items()}
        last = np.fromiter((known.get(name, 0.0) for name in series), float, len(series))
        self._mark_gone(known, series, at_ms)
        return last

    def _mark_gone(
        self, known: Mapping[Labels, float], series: tuple[Labels, ...], at_ms: int
    ) -> None:
        here = set(series)
        gone = {}
        for name, value in known.items():
            if name not in here:
                since = self._gone.get(name, (0.0, at_ms))[1]
                if at_ms - since <= _MAX_GONE_MS:
                    gone[name] = (value, since)
        self._gone = gone


class Counters:
    """What one controller counts, as rates.

    every_s: how often it asks switches. A page on which nothing changed that switches count is no
    reading of them, until it has been so for twice as long.
    """

    def __init__(self, every_s: float) -> None:
        self._every_ms = round(every_s * 1000)
        self._growth = {metric: Growth() for metric in (*POLLED, *LIVE)}
        self._held: dict[str, Floats] = {}  # the last rates of what is polled
        self._page_ms: int | None = None
        self._read_ms: int | None = None
        self._settled_ms = 0
        self._lead = (0.0, frozenset[Labels]())
        self.counting = False  # whether what switches count was known at the last page

    def read(self, page: Page, at_ms: int) -> dict[str, Floats]:
        """By metric the growth a second of each of its series; NaN: not known."""
        self._note_lead(page, at_ms)
        rates = {}
        for metric in LIVE:
            rates[metric] = self._rates(metric, page, at_ms, self._page_ms)
        self._page_ms = at_ms
        if self._is_reading(page, at_ms):
            is_near = self._read_ms is not None and _is_near(self._read_ms, at_ms)
            self.counting = is_near and at_ms >= self._settled_ms
            for metric in POLLED:
                self._held[metric] = self._rates(metric, page, at_ms, self._read_ms)
                if not self.counting:
                    self._held[metric][:] = np.nan
            self._read_ms = at_ms
        return rates | self._held

    def begin_again(self) -> None:
        """The clock was set: how long ago the last page was is not known."""
        self._page_ms = self._read_ms = None
        self._settled_ms = 0

    def _rates(self, metric: str, page: Page, at_ms: int, since_ms: int | None) -> Floats:
        grown = self._growth[metric].read(page.family(metric), at_ms)
        if since_ms is None or not _is_near(since_ms, at_ms):
            return np.full(grown.shape, np.nan)
        return np.asarray(grown * (1000 / (at_ms - since_ms)))

    def _is_reading(self, page: Page, at_ms: int) -> bool:
        if self._read_ms is None or at_ms - self._read_ms >= 2 * self._every_ms:
            return True
        families = {metric: page.family(metric) for metric in POLLED}
        is_empty = not any(family.series for family in families.values())
        return is_empty or any(self._growth[m].is_changed(family) for m, family in families.items())

    def _note_lead(self, page: Page, at_ms: int) -> None:
        epochs = page.family(LEADER_EPOCH).values
        epoch = float(epochs[0]) if epochs.size else 0.0
        family = page.family(SWITCH_CONNECTED)
        connected = {
            name for name, value in zip(family.series, family.values, strict=True) if value > 0
        }
        if epoch != self._lead[0] or connected - self._lead[1]:
            self._settled_ms = at_ms + self._every_ms + _SETTLE_MS
        self._lead = (epoch, frozenset(connected))


def _is_near(since_ms: int, at_ms: int) -> bool:
    return 0 < at_ms - since_ms <= MAX_GAP_MS
