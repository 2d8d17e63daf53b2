"""What a predictor tells outside: plans and prewarm requests as the database has them, forecasts
as this process made them.

Owns: one log of changes for each of the three, and waking who waits for a change. It may be called
from any thread.
Must not know: gRPC, who subscribes, how anything was decided.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from nib.mirror import RowChange
from nib.plans import ContainerPlan, PrewarmRequest, RatePlan
from nib.watch import Batch
from predictor.outward.log import REMEMBERED, Key, Log
from predictor.outward.views import POLICY, SERVICE, ForecastView

LOG = logging.getLogger(__name__)

Plan: TypeAlias = ContainerPlan | RatePlan

PLANS: Final = "plans"
REQUESTS: Final = "requests"
FORECASTS: Final = "forecasts"


class Feed:
    """instance: what tells this process from all others, 8 to 32 hexadecimal digits.

    clock_ms: milliseconds since 1970. remembered: how many things that are gone each log keeps.
    """

    def __init__(
        self, instance: str, clock_ms: Callable[[], int], remembered: int = REMEMBERED
    ) -> None:
        self.instance = instance
        self.begun = False  # whether what the database has is known here
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []
        began_ms = clock_ms()
        self._plans: Log[Plan] = Log(began_ms, remembered)
        self._requests: Log[PrewarmRequest] = Log(began_ms, remembered)
        self._forecasts: Log[ForecastView] = Log(began_ms, remembered)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._clock_ms()

    def hear(self, batch: Batch) -> None:
        """For `nib.watch`: note what changed of plans and prewarm requests."""
        changes = [change for change in batch.changes if change.kind in _KEYS]
        if not changes and self.begun:
            return
        at_ms = self._clock_ms()
        with self._lock:
            for change in changes:
                self._note(change, at_ms)
            self.begun = True
        self._tell()

    def forecasts(self, views: Iterable[ForecastView]) -> None:
        """Note these forecasts; each replaces the one before of the same (kind, name)."""
        at_ms = self._clock_ms()
        with self._lock:
            for view in views:
                self._forecasts.put(view.key, view, at_ms)
        self._tell()

    def forget_forecasts(self, keys: Iterable[Key]) -> None:
        """Others mind these (kind, name) now, or nobody does."""
        at_ms = self._clock_ms()
        with self._lock:
            for key in keys:
                self._forecasts.drop(key, at_ms)
        self._tell()

    def forecast(self, kind: str, name: str) -> ForecastView | None:
        """The last forecast; None where this predictor has none."""
        with self._lock:
            return self._forecasts.get((kind, name))

    @contextmanager
    def plan_log(self) -> Iterator[Log[Plan]]:
        """The log of plans, standing still as long as the block lasts: keep it short."""
        with self._lock:
            yield self._plans

    @contextmanager
    def request_log(self) -> Iterator[Log[PrewarmRequest]]:
        """The log of prewarm requests, likewise; their names are their ids."""
        with self._lock:
            yield self._requests

    @contextmanager
    def forecast_log(self) -> Iterator[Log[ForecastView]]:
        """The log of forecasts, likewise."""
        with self._lock:
            yield self._forecasts

    def listen(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call this after every change, in the thread that made it; the result ends that."""
        with self._lock:
            self._listeners.append(callback)

        def end() -> None:
            with self._lock:
                self._listeners.remove(callback)

        return end

    def _note(self, change: RowChange, at_ms: int) -> None:
        kind, row = change.kind, change.record
        key = (_KEYS[kind], str(row.key))
        log: Log[Plan] | Log[PrewarmRequest]
        log = self._requests if kind is PrewarmRequest else self._plans
        if change.new is None:
            log.drop(key, at_ms)
        else:
            log.put(key, row, at_ms)  # type: ignore[arg-type]

    def _tell(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener()
            except Exception:  # one listener's failure is not the others'
                LOG.exception("a listener failed")


_KEYS: Final[dict[type, str]] = {
    ContainerPlan: SERVICE,
    RatePlan: POLICY,
    PrewarmRequest: REQUESTS,
}
