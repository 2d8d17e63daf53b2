"""Every policy with the settings that make its curve, cheapest first.

A new policy is a file in this folder and an entry in FAMILIES.

Must not know: results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from predictor.planning.capacity import Limits
from predictor.replay.policies.hybrid import HybridHistogram
from predictor.replay.policies.kpa import Kpa
from predictor.replay.policies.oracle import Oracle, oracle_containers
from predictor.replay.policies.ours import Prewire
from predictor.replay.policies.simple import KeepAlive, RecentMaximum
from predictor.replay.simulator import Policy, Setting
from predictor.series.window import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a policy may be made from: the services, their mean service times (as measured), and,
    for the oracle alone, the most requests at once in each step."""

    names: tuple[str, ...]
    service_s: Floats
    setting: Setting
    peak: Floats

    @property
    def lead_steps(self) -> int:
        """Of a container, whole steps."""
        return int(np.ceil(self.setting.lead_s / self.setting.step_s - 1e-9))


@dataclass(frozen=True, slots=True)
class Knobs:
    """One setting: a name for people, and numbers whose meaning is the family's."""

    label: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A policy with its settings. usual: the label of the one that is its default."""

    knobs: tuple[Knobs, ...]
    make: Callable[[Given, tuple[float, ...]], Policy]
    usual: str


def _knobs(form: str, *values: tuple[float, ...]) -> tuple[Knobs, ...]:
    return tuple(Knobs(form.format(*each), each) for each in values)


def _kpa(given: Given, values: tuple[float, ...]) -> Policy:
    (target,) = values
    return Kpa(given.setting.concurrency, target, step_s=given.setting.step_s)


def _keep_alive(given: Given, values: tuple[float, ...]) -> Policy:
    return KeepAlive(values[0], given.setting.concurrency, given.setting.step_s)


def _maximum(given: Given, values: tuple[float, ...]) -> Policy:
    return RecentMaximum(values[0], given.setting.concurrency, given.setting.step_s)


def _hybrid(given: Given, values: tuple[float, ...]) -> Policy:
    return HybridHistogram(values[0], given.setting.concurrency, given.setting.step_s)


def _prewire(given: Given, values: tuple[float, ...]) -> Policy:
    quantile, hold_s = values
    n, setting = len(given.names), given.setting
    limits = Limits(
        takes=np.full(n, float(setting.concurrency)),
        hold_s=np.full(n, hold_s),
        least=np.zeros(n, dtype=np.int64),
        most=np.full(n, setting.max_containers, dtype=np.int64),
    )
    return Prewire(given.names, given.service_s, limits, setting, quantile)


def _oracle(given: Given, values: tuple[float, ...]) -> Policy:
    spare = int(values[0])
    containers = oracle_containers(given.peak, given.lead_steps, given.setting.concurrency)
    return Oracle(containers + spare, given.setting.step_s)


FAMILIES: Mapping[str, Family] = {
    "oracle": Family(_knobs("{:g} spare", (0.0,)), _oracle, "0 spare"),
    "kpa": Family(
        _knobs("target {:.0%}", (0.95,), (0.85,), (0.7,), (0.6,), (0.5,), (0.4,)),
        _kpa,
        "target 70%",
    ),
    "keep-alive": Family(
        _knobs("{:g} s", (30.0,), (60.0,), (120.0,), (300.0,), (600.0,)), _keep_alive, "600 s"
    ),
    "recent maximum": Family(
        _knobs("{:g} s", (15.0,), (30.0,), (60.0,), (120.0,), (300.0,)), _maximum, "60 s"
    ),
    "hybrid histogram": Family(
        _knobs("else {:g} s", (60.0,), (300.0,), (600.0,), (1200.0,), (3600.0,)),
        _hybrid,
        "else 1200 s",
    ),
    "prewire": Family(
        _knobs(
            "p{0:g}, hold {1:g} s",
            (0.5, 5.0), (0.8, 10.0), (0.9, 10.0), (0.94, 12.0), (0.95, 10.0), (0.98, 10.0),
            (0.99, 5.0), (0.99, 20.0),
        ),
        _prewire,
        "p0.99, hold 20 s",
    ),
}  # fmt: skip
