"""One model for all series: gradient-boosted trees (LightGBM) for each quantile.

Trained on what many series did, it forecasts a series from its first step on. It is immutable: a
refit makes another one. LightGBM is optional and imported where it is needed.

Must not know: when to refit, which process runs it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from predictor.models.contract import check_request, monotone
from predictor.models.features import CAP, features
from predictor.series.window import Floats, Window

if TYPE_CHECKING:
    import lightgbm

NAME: Final = "global"
ROWS: Final = 60_000
ROUNDS: Final = 100
_ORIGINS: Final = 120  # moments that training looks back from, for each window
_CHUNK: Final = 250  # series at a time: bounds memory
_FEWEST: Final = 30  # steps that a window must have to be learned from
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "quantile",
    "num_leaves": 31,
    "learning_rate": 0.08,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


class TooFew(ValueError):
    """There is not enough to learn from."""


def available() -> str:
    """ "" where a global model can be made, else why not."""
    if find_spec("lightgbm") is None:
        return "lightgbm is not installed: pip install 'prewire[learn]'"
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class GlobalModel:
    """As `contract.Model`; other quantiles than it was trained for are between its own.

    texts: the trees of each quantile, in LightGBM's own format.
    """

    quantiles: tuple[float, ...]
    texts: tuple[str, ...]
    trees: tuple[lightgbm.Booster, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """The same for every refit: a newer one takes the older one's place."""
        return NAME

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """Of series that only zeros are known of: 0."""
        check_request(horizons, quantiles)
        count = len(window.names)
        if not count or not window.steps:
            return np.zeros((count, len(horizons), len(quantiles)))
        parts = [
            self._part(_rows(window, slice(first, first + _CHUNK)), horizons, quantiles)
            for first in range(0, count, _CHUNK)
        ]
        return np.concatenate(parts)

    def _part(self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]) -> Floats:
        x, scale = features(window, horizons)
        rows = x.reshape(-1, x.shape[2])
        own = np.empty((len(rows), len(self.quantiles)))
        for place, each in enumerate(self.trees):
            own[:, place] = each.predict(rows, num_threads=1)
        own = np.clip(own, 0.0, CAP)
        answer = monotone(_between(monotone(own), self.quantiles, quantiles))
        return answer.reshape(len(x), len(horizons), -1) * scale[:, None, None]

    def to_bytes(self) -> bytes:
        """Read back by `from_bytes`."""
        return json.dumps({"quantiles": self.quantiles, "trees": self.texts}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> GlobalModel:
        """ValueError where it was not written by `to_bytes`, or LightGBM is missing."""
        if available():
            raise ValueError(available())
        import lightgbm  # noqa: PLC0415 - optional

        try:
            read = json.loads(data)
            texts = tuple(str(each) for each in read["trees"])
            quantiles = tuple(float(each) for each in read["quantiles"])
            trees = tuple(lightgbm.Booster(model_str=each) for each in texts)
        except (ValueError, KeyError, TypeError, lightgbm.basic.LightGBMError) as error:
            raise ValueError(f"no global model: {error}") from error
        return cls(quantiles, texts, trees)


def fit(
    windows: Sequence[Window],
    horizons: Sequence[int],
    quantiles: Sequence[float],
    seed: int = 0,
    rows: int = ROWS,
) -> GlobalModel:
    """Learn from windows. ValueError where LightGBM is missing, or nothing can be learned."""
    check_request(horizons, quantiles)
    if available():
        raise ValueError(available())
    import lightgbm  # noqa: PLC0415 - optional

    x, y = examples(windows, horizons, seed, rows)
    if len(y) < 2 * int(_PARAMETERS["min_data_in_leaf"]):
        raise TooFew(f"{len(y)} examples are too few to learn from")
    data = lightgbm.Dataset(x, y, free_raw_data=False)
    texts = []
    for each in quantiles:
        wanted = {**_PARAMETERS, "alpha": each, "seed": seed, "num_threads": 1}
        texts.append(lightgbm.train(wanted, data, ROUNDS).model_to_string())
    trees = tuple(lightgbm.Booster(model_str=each) for each in texts)
    return GlobalModel(tuple(quantiles), tuple(texts), trees)


def examples(
    windows: Sequence[Window], horizons: Sequence[int], seed: int, rows: int
) -> tuple[Floats, Floats]:
    """About so many rows x[row, f], and what came y[row], in scales; drawn with the seed."""
    random = np.random.default_rng(seed)
    xs, ys = [], []
    share = rows // max(len(windows), 1)
    for window in windows:
        for x, y in _of_window(window, horizons, share, random):
            xs.append(x)
            ys.append(y)
    if not xs:
        return np.empty((0, 0)), np.empty(0)
    return np.concatenate(xs), np.concatenate(ys)


def _of_window(
    window: Window, horizons: Sequence[int], rows: int, random: np.random.Generator
) -> list[tuple[Floats, Floats]]:
    """From several moments, of some series each, one or two horizons of each series."""
    first, last = _FEWEST, window.steps - max(horizons)
    if last <= first or not window.names:
        return []
    origins = np.unique(random.integers(first, last + 1, _ORIGINS))
    width = min(2, len(horizons))
    each_count = max(rows // (len(origins) * width), 1)
    found = []
    for origin in origins:
        count = min(each_count, len(window.names))
        chosen = np.sort(random.choice(len(window.names), count, replace=False))
        past = window.before(window.steps - int(origin))
        part = Window(
            tuple(window.names[i] for i in chosen), window.step_s, past.end_ms, past.values[chosen]
        )
        wanted = np.sort(random.choice(np.asarray(horizons), width, replace=False))
        x, scale = features(part, [int(each) for each in wanted])
        came = window.values[chosen][:, origin - 1 + wanted]
        sound = np.isfinite(came) & (came >= 0) & (scale > 0)[:, None]
        y = came / np.where(scale > 0, scale, 1.0)[:, None]
        found.append((x[sound], np.minimum(y[sound], CAP)))
    return found


def _rows(window: Window, rows: slice) -> Window:
    return Window(window.names[rows], window.step_s, window.end_ms, window.values[rows])


def _between(own: Floats, mine: Sequence[float], wanted: Sequence[float]) -> Floats:
    """Quantiles[row, wanted] on straight lines between mine; the outermost ones beyond them."""
    places = np.interp(np.asarray(wanted), np.asarray(mine), np.arange(len(mine)))
    below = places.astype(np.intp)
    above = np.minimum(below + 1, len(mine) - 1)
    share = places - below
    found: Floats = own[:, below] * (1 - share) + own[:, above] * share
    return found
