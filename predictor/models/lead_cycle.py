"""Periods of demand, found from a few repetitions, and what earlier cycles say of the next seconds.

Must not know: containers, plans.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

AHEAD = 256  # steps that a learned outlook covers
SHORTEST = 4  # steps of a period
REPETITIONS = 2.0  # of a period there must have been
ALIKE = 0.5  # least correlation of a cycle with the one before
SURE = 0.6  # from this correlation on, what the cycle does not bring is not expected
LATELY = 2  # cycles, compared with as many before: enough to be sure, whatever was earlier
CYCLES = 4  # earlier ones that are looked at
CONTRAST = 3.0  # times the quiet quarter of a cycle that its peak is, where demand comes and goes


class Cycles:
    """period[i]: steps, 0 = none; sure[i]: it explains the demand; surges[i]: there is one, in
    which demand comes and goes; outlook[i]: demand by earlier cycles from since_ms[i] on."""

    def __init__(self, n: int) -> None:
        self.period: Floats = np.zeros(n)
        self.sure: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self.surges: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self._since_ms: Floats = np.zeros(n)
        self._outlook: Floats = np.zeros((n, AHEAD))

    def taken(self, source: NDArray[np.int64]) -> Cycles:
        """Of the services at source, -1 = a new one."""
        made = Cycles(source.size)
        old = source >= 0
        made.period[old] = self.period[source[old]]
        made.sure[old] = self.sure[source[old]]
        made.surges[old] = self.surges[source[old]]
        made._since_ms[old] = self._since_ms[source[old]]
        made._outlook[old] = self._outlook[source[old]]
        return made

    def learn(self, rows: NDArray[np.int64], values: Floats, end_ms: int, quantile: Floats) -> None:
        """values[j]: the history of service rows[j], all known, until end_ms."""
        periods, likeness = find_periods(values)
        self.period[rows] = periods
        self.sure[rows] = np.maximum(likeness, _lately_alike(values, periods)) >= SURE
        self._since_ms[rows] = end_ms
        self._outlook[rows] = 0.0
        self.surges[rows] = False
        for j in np.flatnonzero(periods):
            period = int(periods[j])
            self._outlook[rows[j]] = outlook = _outlook(values[j], period, float(quantile[j]))
            cycle = outlook[:period]
            self.surges[rows[j]] = cycle.max() >= CONTRAST * np.quantile(cycle, 0.25) + 1

    def about_now(self, end_ms: int, step_s: float) -> Floats:
        """The most that earlier cycles say of the steps around end_ms; 0 where there is none."""
        result = np.zeros(self.period.size)
        rows = np.flatnonzero(self.period)
        if rows.size:
            offset = np.round((end_ms - self._since_ms[rows]) / 1000 / step_s)
            around = offset[:, np.newaxis] + np.arange(-3, 2)
            where = np.mod(around, self.period[rows][:, np.newaxis]).astype(np.int64)
            seen = self._outlook[rows[:, np.newaxis], np.minimum(where, AHEAD - 1)]
            result[rows] = seen.max(axis=1)
        return result

    def quantile(self, end_ms: int, step_s: float, steps: NDArray[np.int64]) -> Floats:
        """Of the most within `steps` from end_ms on; 0 where no period is known."""
        result = np.zeros(self.period.size)
        rows = np.flatnonzero(self.period)
        if rows.size == 0:
            return result
        offset = np.round((end_ms - self._since_ms[rows]) / 1000 / step_s).astype(np.int64)
        ahead = np.arange(int(steps[rows].max()) + 1)
        where = offset[:, np.newaxis] + ahead
        good = (ahead <= steps[rows][:, np.newaxis]) & (where >= 0) & (where < AHEAD)
        seen = self._outlook[rows[:, np.newaxis], np.clip(where, 0, AHEAD - 1)]
        result[rows] = np.where(good, seen, 0.0).max(axis=1)
        return result


def find_periods(values: Floats) -> tuple[Floats, Floats]:
    """Steps of the period of each row, 0 where there is none, and the correlation with the cycle
    before: the shortest lag whose autocorrelation is a peak, near the best, and above ALIKE.

    Lags that fewer than REPETITIONS cycles fit into are not looked at.
    """
    n, length = values.shape
    longest = int(length / REPETITIONS)
    if longest <= SHORTEST:
        return np.zeros(n), np.zeros(n)
    likeness = _autocorrelation(values, longest + 1)
    periods = np.zeros(n)
    for i in np.flatnonzero(likeness[:, SHORTEST:].max(axis=1, initial=0.0) >= ALIKE):
        periods[i] = _first_peak(likeness[i])
    alike = likeness[np.arange(n), periods.astype(np.int64)]
    return periods, np.where(periods > 0, alike, 0.0)


def _lately_alike(values: Floats, periods: Floats) -> Floats:
    """The correlation of the last LATELY cycles of each row with as many, one cycle before."""
    alike = np.zeros(periods.size)
    for i in np.flatnonzero(periods):
        period = int(periods[i])
        steps = min(LATELY, values.shape[1] // period - 1) * period
        late = _smoothed(values[i : i + 1, -steps - period :])[0]
        after, before = late[period:], late[:-period]
        if after.std() > 0 and before.std() > 0:
            alike[i] = np.corrcoef(after, before)[0, 1]
    return alike


def _autocorrelation(values: Floats, lags: int) -> Floats:
    """[row, lag], each over the steps that overlap; a constant row has 0."""
    smooth = _smoothed(values)
    length = smooth.shape[1]
    centred = smooth - smooth.mean(axis=1, keepdims=True)
    size = 1 << int(2 * length - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=1)
    products = np.fft.irfft(spectrum * np.conj(spectrum), size, axis=1)[:, :lags]
    overlap = length - np.arange(lags)
    variance = products[:, :1] / length
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness = products / overlap / variance
    flat = variance[:, 0] <= 1e-12 * np.maximum(values.max(axis=1, initial=0.0), 1e-9) ** 2
    likeness[flat] = 0.0
    return np.asarray(np.nan_to_num(likeness), dtype=np.float64)


def _smoothed(values: Floats) -> Floats:
    """Means of three steps: a cycle may be a step early or late."""
    padded = np.pad(values, ((0, 0), (1, 1)), mode="edge")
    return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3


def _first_peak(likeness: Floats) -> int:
    """The shortest lag near the highest peak behind the first valley."""
    below = np.flatnonzero(likeness < 0.2)
    if below.size == 0:
        return 0
    start = max(SHORTEST, int(below[0]))
    inner = likeness[start:-1]
    if inner.size < 3:
        return 0
    peaks = 1 + np.flatnonzero((inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:]))
    if peaks.size == 0:
        return 0
    best = inner[peaks].max()
    if best < ALIKE:
        return 0
    return start + int(peaks[np.flatnonzero(inner[peaks] >= 0.85 * best)[0]])


def _outlook(values: Floats, period: int, quantile: float) -> Floats:
    """Demand of the next AHEAD steps by the last cycles; a step earlier or later is as likely."""
    cycles = min(CYCLES, values.size // period)
    slack = 1 + period // 60
    ahead = np.arange(AHEAD + 2 * slack) - slack
    looks = []
    for k in range(1, cycles + 1):
        where = values.size - k * period + ahead % period
        looks.append(np.where(where >= 0, values[np.clip(where, 0, values.size - 1)], 0.0))
    each = np.quantile(np.stack(looks), max(0.5, quantile), axis=0)
    around = np.lib.stride_tricks.sliding_window_view(each, 2 * slack + 1)
    return np.asarray(around.max(axis=1)[:AHEAD], dtype=np.float64)
