"""Each series of bit rates: its level, swings, extremes and the day before, all in logs.

Must not know: quantiles, plans, policies.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictor.planning.table import Rows, Table
from predictor.series.window import Floats

LEAST_BPS: Final = 1e4
RECENT: Final = 96
_SEASONS_S: Final = (86_400, 3600, 600, 60)
_LONGEST: Final = 1440
_PACES: Final = np.array([0.5, 0.25, 0.1, 0.03, 0.005])
_SWING_PACES: Final = np.array([0.3, 0.1, 0.02, 0.005])
_NO_SWING: Final = -1.5
FEATURES: Final = 26


class Levels:
    """Columns of a table, and the features that a forecast is made from."""

    def __init__(self, step_s: float, lead: int) -> None:
        fitting = [round(s / step_s) for s in _SEASONS_S if 12 <= s / step_s <= _LONGEST]
        self.season = fitting[0] if fitting else _LONGEST
        self.lead = lead
        self.clock = 0

    def columns(self) -> dict[str, tuple[tuple[int, ...], float]]:
        """Of the table that `observe` and `features` are given."""
        return {
            "count": ((), 0.0),
            "since_gap": ((), 0.0),
            "slow": ((), 0.0),
            "now": ((), 0.0),
            "level": ((len(_PACES),), 0.0),
            "swing": ((len(_SWING_PACES),), 0.2),
            "recent": ((RECENT,), 0.0),
            "season": ((self.season,), 0.0),
            "season_swing": ((self.season,), _NO_SWING),
        }

    def observe(self, table: Table, rows: Rows, bits: Floats) -> None:
        """One step: bits a second of each row; NaN = unknown, which leaves everything as it was."""
        self.clock += 1
        table["since_gap"][rows[np.isnan(bits)]] = 0
        rows, bits = rows[np.isfinite(bits)], bits[np.isfinite(bits)]
        count = table["count"][rows] + 1
        first = rows[count == 1]
        slow = table["slow"][rows]
        slow = slow + np.maximum(0.01, 1 / count) * (bits - slow)
        now = np.log(np.maximum(bits, np.maximum(0.05 * slow, LEAST_BPS)))
        table["level"][first] = table["recent"][first] = now[count == 1][:, None]
        level, swing = table["level"][rows], table["swing"][rows]
        moved = np.minimum(np.abs(now - level[:, 0]), 1.5)[:, None]
        swing += np.maximum(_SWING_PACES, 1 / count[:, None]) * (moved - swing)
        level += np.maximum(_PACES, 1 / count[:, None]) * (now[:, None] - level)
        place = self.clock % self.season
        table["season"][rows, place] = now - level[:, 2]
        table["season_swing"][rows, place] = np.log(swing[:, 0] + 0.02)
        table["recent"][rows, self.clock % RECENT] = now
        table["level"][rows], table["swing"][rows] = level, swing
        table["slow"][rows], table["now"][rows], table["count"][rows] = slow, now, count
        table["since_gap"][rows] += 1

    def base(self, table: Table, rows: Rows) -> Floats:
        """Log of the level that forecasts are relative to."""
        level: Floats = table["level"][rows, 0]
        return level

    def recent(self, table: Table, rows: Rows, steps: int) -> Floats:
        """Logs of the last so many steps, [rows, steps]."""
        places = (self.clock - np.arange(steps)) % RECENT
        recent: Floats = table["recent"][np.ix_(rows, places)]
        return recent

    def features(self, table: Table, rows: Rows) -> Floats:
        """[rows, FEATURES], finite, the first 1; relative to `base`."""
        now, level, base = table["now"][rows], table["level"][rows], self.base(table, rows)
        recent = self.recent(table, rows, 36)
        move = np.clip(now - base, -2, 2)
        drift = np.clip(level[:, 1] - base, -2, 2)
        trend = np.clip(level[:, 1] - level[:, 2], -2, 2)
        highest = {steps: recent[:, :steps].max(axis=1) for steps in (3, 12, 36)}
        lowest = {steps: recent[:, :steps].min(axis=1) for steps in (3, 12)}
        width = highest[12] - lowest[12]
        rank = level[:, 3] - level[:, 3].mean() if len(rows) else base
        columns = [np.ones(len(rows)), move, drift]
        columns += [np.clip(level[:, i] - base, -2, 2) for i in (2, 3, 4)]
        columns += [np.clip(x - base, -2, 2) for x in (*highest.values(), *lowest.values())]
        columns += list(np.log(table["swing"][rows] + 0.02).T)
        columns += [np.log(width + 0.02), np.clip(width, 0, 3), np.abs(move), np.abs(drift)]
        columns += [np.clip(rank, -4, 4), trend, np.abs(trend)]
        return np.column_stack(columns + self._seasonal(table, rows, now - level[:, 2]))

    def _seasonal(self, table: Table, rows: Rows, above: Floats) -> list[Floats]:
        """A season ago, in the steps that are to come: 0 where nothing is known of then."""
        soon = (self.clock + np.arange(1, self.lead + 3)) % self.season
        then = np.clip(table["season"][np.ix_(rows, soon)], -2, 2)
        coming = then[:, : self.lead].max(axis=1)
        rise = np.maximum(coming - np.clip(above, -2, 2), 0)
        swing = table["season_swing"][rows, soon[1]]
        known = table["count"][rows] > self.season
        return [
            np.where(known, coming, 0.0),
            np.where(known, then.max(axis=1), 0.0),
            np.where(known, swing, _NO_SWING),
            np.where(known, rise, 0.0),
        ]
