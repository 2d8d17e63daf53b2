"""The life of containers as a state machine, against what was promised for each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from gateway_lb.connections import Count
from gateway_lb.lifecycle import (
    DEFAULT_DRAIN_SECONDS,
    drained,
    draining,
    expired,
    is_ready,
    next_deadline,
    registered,
    renewed,
    safe_to_stop,
)
from nib.intent import Container
from tests.nib_strategies import examples

GIVEN = Container("web", "c", "10.0.1.1", 8080, "02:00:00:00:00:01", iface_id="pod")
START_MS = 1_000_000


@dataclass
class Promise:
    """What a container may rely on: when it was heard of last, and when its draining ends."""

    heard_ms: int
    ready_since_ms: int | None
    drain_until_ms: int | None = None


class Lives(RuleBasedStateMachine):
    """Containers come, renew, drain, come back and go, while the controller follows deadlines."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = START_MS
        self.rows: dict[str, Container] = {}
        self.promised: dict[str, Promise] = {}

    @rule(target=names, name=st.sampled_from("abc"), lease=st.none() | st.integers(1, 60))
    def register(self, name: str, lease: int | None) -> str:
        given = replace(GIVEN, id=name, lease_seconds=lease)
        known = self.rows.get(name)
        stored = registered(given, known, self.now_ms)
        was_ready = known is not None and is_ready(known)
        assert is_ready(stored)
        assert stored.since_ms == (known.since_ms if known and was_ready else self.now_ms)
        before = self.promised.get(name)
        since = before.ready_since_ms if before and was_ready else self.now_ms
        self.rows[name] = stored
        self.promised[name] = Promise(self.now_ms, since)
        return name

    @rule(name=names)
    def renew(self, name: str) -> None:
        known = self.rows.get(name)
        if known is None or not is_ready(known):
            return
        self.rows[name] = renewed(known, self.now_ms)
        self.promised[name].heard_ms = self.now_ms
        # A second renewal at once writes nothing.
        assert renewed(self.rows[name], self.now_ms) == self.rows[name]

    @rule(name=names, seconds=st.floats(0, 120))
    def drain(self, name: str, seconds: float) -> None:
        known = self.rows.get(name)
        if known is None:
            return
        self.rows[name] = draining(known, self.now_ms, seconds)
        self._promise_drain(name, seconds)

    def _promise_drain(self, name: str, seconds: float) -> None:
        promise = self.promised[name]
        until = self.now_ms + round(seconds * 1000)
        before = promise.drain_until_ms
        promise.drain_until_ms = until if before is None else min(before, until)
        promise.ready_since_ms = None

    @rule(name=consumes(names))
    def delete(self, name: str) -> None:
        self.rows.pop(name, None)
        self.promised.pop(name, None)

    @rule(ms=st.integers(0, 40_000))
    def time_passes(self, ms: int) -> None:
        """The controller wakes at every deadline on the way."""
        end = self.now_ms + ms
        while True:
            deadlines = [next_deadline(row) for row in self.rows.values()]
            due = min((each for each in deadlines if each is not None), default=end + 1)
            if due > end:
                break
            assert due >= self.now_ms, "a deadline was missed"
            self.now_ms = due
            self._controller()
        self.now_ms = end

    def _controller(self) -> None:
        acted = 0
        for row in drained(self.rows.values(), self.now_ms):
            assert self.promised[row.id].drain_until_ms == self.now_ms, "gone at another time"
            assert safe_to_stop(row, None, self.now_ms)
            del self.rows[row.id], self.promised[row.id]
            acted += 1
        for row in expired(self.rows.values(), self.now_ms):
            silent_ms = self.now_ms - self.promised[row.id].heard_ms
            assert row.lease_seconds is not None
            lease_ms = row.lease_seconds * 1000
            assert lease_ms <= 2 * silent_ms, "expired though it was renewed in time"
            assert silent_ms <= lease_ms, "expired late"
            self.rows[row.id] = row
            self._promise_drain(row.id, DEFAULT_DRAIN_SECONDS)
            acted += 1
        assert acted, "woken for nothing"

    @invariant()
    def rows_are_as_promised(self) -> None:
        for name, row in self.rows.items():
            promise = self.promised[name]
            assert is_ready(row) == (promise.ready_since_ms is not None)
            assert row.drain_until_ms == promise.drain_until_ms
            if promise.ready_since_ms is not None:
                assert row.since_ms == promise.ready_since_ms
            if is_ready(row) and row.lease_until_ms is not None:
                assert row.lease_seconds is not None
                half_ms = row.lease_seconds * 500
                heard_ms = promise.heard_ms
                assert heard_ms + half_ms <= row.lease_until_ms <= heard_ms + 2 * half_ms

    @invariant()
    def only_a_draining_container_may_be_safe_to_stop(self) -> None:
        for row in self.rows.values():
            none, some = Count(0, self.now_ms), Count(1, self.now_ms)
            if is_ready(row):
                assert safe_to_stop(row, none, self.now_ms) is False
            else:
                assert safe_to_stop(row, none, self.now_ms) is not None
                assert safe_to_stop(row, some, self.now_ms) is bool(drained([row], self.now_ms))


TestLives = Lives.TestCase
TestLives.settings = examples(0.5)
