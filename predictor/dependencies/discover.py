"""Which pairs of services are worth a closer look: where one's surprises precede the other's.

Owns: prewhitening and the lagged correlation of many pairs at once. A correlation is no proof;
predictor/dependencies/validate.py asks for that.
Must not know: who talks to whom and why, rules, plans.

Prewhitening: an autoregressive model of each series is subtracted from it, so that two series that
merely swing in the same slow way do not correlate (Box and Jenkins, Time Series Analysis, 12.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

ORDER: Final = 5
_RIDGE: Final = 1e-3
_CLIP: Final = 6.0  # standard deviations; one surge alone is no correlation
_PAIRS_AT_ONCE: Final = 256
Integers: TypeAlias = NDArray[np.int64]
Singles: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Of k pairs: rows of parent and child, the lag in steps at which they correlate most,
    and that correlation."""

    parents: Integers
    children: Integers
    lags: Integers
    correlations: Floats

    def __len__(self) -> int:
        return len(self.parents)

    def pick(self, chosen: NDArray[np.bool_] | Integers) -> Candidates:
        """Some of them."""
        return Candidates(
            self.parents[chosen],
            self.children[chosen],
            self.lags[chosen],
            self.correlations[chosen],
        )


def surprises(values: Floats, order: int = ORDER) -> Singles:
    """[n, t]: what each series' own past does not explain, of length 1 over t.

    Counts enter by their square root, which makes their noise even. Where a sample is unknown, and
    where a series is constant, 0.
    """
    known = np.isfinite(values)
    roots = np.sqrt(np.where(known, np.maximum(values, 0), 0))
    levels = roots.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    centred = np.where(known, roots - levels[:, np.newaxis], 0.0)
    rests = _without_past(centred, order) * known
    spread = np.sqrt(np.mean(rests**2, axis=1, keepdims=True))
    alive = spread > 1e-6 * np.maximum(levels[:, np.newaxis], 1e-6)
    scaled = np.clip(np.divide(rests, spread, out=np.zeros_like(rests), where=alive), -_CLIP, _CLIP)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit = np.divide(scaled, length, out=np.zeros_like(scaled), where=length > 0)
    return np.asarray(unit, dtype=np.float32)


def _without_past(centred: Floats, order: int) -> Floats:
    """Less the autoregressive model of each series, by the Yule-Walker equations."""
    steps = centred.shape[1]
    order = min(order, max(0, steps // 4))
    if order == 0:
        return centred
    coefficients = autoregression(centred, order)
    rests = centred.copy()
    for k in range(1, order + 1):
        rests[:, k:] -= coefficients[:, k - 1 : k] * centred[:, :-k]
    return rests


def autoregression(centred: Floats, order: int) -> Floats:
    """[n, order]: the coefficients of the steps before, the youngest first."""
    steps = centred.shape[1]
    moments = np.stack(
        [np.einsum("nt,nt->n", centred[:, k:], centred[:, : steps - k]) for k in range(order + 1)],
        axis=1,
    )
    moments[:, 0] = moments[:, 0] * (1 + _RIDGE) + 1e-12
    apart = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    return np.asarray(np.linalg.solve(moments[:, apart], moments[:, 1:, np.newaxis])[..., 0])


def among_all(whitened: Singles, children: Integers, max_lag: int, at_least: float) -> Candidates:
    """Parents for these children among all services, as matrix products."""
    steps = whitened.shape[1]
    shape = (len(whitened), len(children))
    best, reverse = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    lags = np.zeros(shape, np.int64)
    theirs = whitened[children]
    at_once = whitened @ theirs.T
    for lag in range(1, min(max_lag, steps - 1) + 1):
        ahead = whitened[:, : steps - lag] @ theirs[:, lag:].T
        higher = ahead > best
        best[higher], lags[higher] = ahead[higher], lag
        behind = whitened[:, lag:] @ theirs[:, : steps - lag].T
        np.maximum(reverse, behind, out=reverse)
    kept = (best >= at_least) & (best > np.abs(at_once)) & (best > reverse)
    kept[children, np.arange(len(children))] = False
    parents, columns = np.nonzero(kept)
    return Candidates(parents, children[columns], lags[kept], best[kept].astype(np.float64))


def among_pairs(
    whitened: Singles, pairs: Sequence[tuple[int, int]], max_lag: int, at_least: float
) -> Candidates:
    """Of these (parent, child) pairs those that correlate, by Fourier transform."""
    steps = whitened.shape[1]
    max_lag = min(max_lag, steps - 1)
    if not pairs or max_lag < 1:
        return _nothing()
    size = 1 << (steps + max_lag).bit_length()
    rows, places = np.unique(np.asarray(pairs, dtype=np.int64), return_inverse=True)
    spectra = np.fft.rfft(whitened[rows], size, axis=1)
    parents, children = places.reshape(-1, 2).T
    found = [
        _of_some(
            spectra, parents[i : i + _PAIRS_AT_ONCE], children[i : i + _PAIRS_AT_ONCE], max_lag
        )
        for i in range(0, len(pairs), _PAIRS_AT_ONCE)
    ]
    lags, best, kept = (np.concatenate(each) for each in zip(*found, strict=True))
    all_ = Candidates(rows[parents], rows[children], lags, best)
    return all_.pick(kept & (best >= at_least))


def _of_some(
    spectra: NDArray[np.complex128], parents: Integers, children: Integers, max_lag: int
) -> tuple[Integers, Floats, NDArray[np.bool_]]:
    """(lag, correlation, whether it beats lag 0 and the reverse) of each pair."""
    crossed = np.fft.irfft(spectra[parents].conj() * spectra[children], axis=1)
    ahead, behind = crossed[:, 1 : max_lag + 1], crossed[:, -max_lag:]
    lags = np.argmax(ahead, axis=1)
    best = ahead[np.arange(len(parents)), lags]
    kept = (best > np.abs(crossed[:, 0])) & (best > behind.max(axis=1))
    return lags + 1, best.astype(np.float64), kept


def _nothing() -> Candidates:
    none = np.zeros(0, np.int64)
    return Candidates(none, none, none, np.zeros(0))
