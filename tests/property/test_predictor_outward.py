"""A subscriber that reads, misses, resumes and falls behind knows in the end what there is; and a
prewarm request lives by its table, whatever happens to it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from nib.plans import PrewarmRequest
from predictor.outward import life, tokens
from predictor.outward.log import Entry, Key, Log
from predictor.outward.tokens import Token

HERE, THERE = "a" * 32, "b" * 32

keys = st.sampled_from([("service", name) for name in "abcdef"])


@dataclass(frozen=True)
class Change:
    key: Key
    row: int | None


changes = st.builds(Change, keys, st.none() | st.integers(0, 3))
# What happens next: a change, time that goes by, or one of two subscribers looking.
steps = st.lists(changes | st.integers(1, 30_000) | st.sampled_from([HERE, THERE]), max_size=60)


class Subscriber:
    """Knows things by what it was told."""

    def __init__(self) -> None:
        self.known: dict[Key, int] = {}
        self.token: Token | None = None

    def look(self, log: Log[int], instance: str, now_ms: int) -> None:
        missed = None
        if self.token is not None:
            missed = tokens.resume(log, self.token, instance, shared=True)
        if missed is None:
            self.known = {}
            missed = log.snapshot()
        for entry in missed:
            self._take(entry)
        self.token = Token("plans", instance, log.version, now_ms)

    def _take(self, entry: Entry[int]) -> None:
        if entry.row is None:
            self.known.pop(entry.key, None)
        else:
            self.known[entry.key] = entry.row


def apply(change: Change, there: dict[Key, int]) -> None:
    if change.row is None:
        there.pop(change.key, None)
    else:
        there[change.key] = change.row


def note(change: Change, log: Log[int], at_ms: int) -> None:
    if change.row is None:
        log.drop(change.key, at_ms)
    else:
        log.put(change.key, change.row, at_ms)


@given(steps=steps, remembered=st.integers(1, 4), apart_ms=st.integers(-9_000, 9_000))
def test_a_subscriber_that_changes_between_predictors_knows_what_there_is(
    steps: list[Change | int | str], remembered: int, apart_ms: int
) -> None:
    """Two predictors whose clocks are apart, and which forget different things."""
    now_ms = 100_000
    skews = {HERE: 0, THERE: apart_ms}
    logs: dict[str, Log[int]] = {
        HERE: Log(now_ms, remembered),
        THERE: Log(now_ms + apart_ms, remembered + 1),
    }
    there: dict[Key, int] = {}
    subscriber = Subscriber()
    for step in steps:
        if isinstance(step, int):
            now_ms += step
        elif isinstance(step, str):
            subscriber.look(logs[step], step, now_ms + skews[step])
            assert subscriber.known == there
        else:
            apply(step, there)
            for instance, log in logs.items():
                note(step, log, now_ms + skews[instance])


@given(steps=st.lists(changes, max_size=80), remembered=st.integers(1, 4))
def test_a_log_never_holds_more_than_what_is_there_and_what_it_remembers(
    steps: list[Change], remembered: int
) -> None:
    log: Log[int] = Log(0, remembered)
    there: dict[Key, int] = {}
    for at_ms, change in enumerate(steps):
        apply(change, there)
        note(change, log, at_ms)
    assert {entry.key: entry.row for entry in log.snapshot()} == there
    assert len(log._entries) <= len(there) + remembered
    versions = [entry.version for entry in log.since(log._forgotten) or ()]
    assert versions == sorted(versions)


happenings = st.one_of(
    st.tuples(st.just("accept"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("step"), st.integers(0, 4)),
    st.tuples(st.just("withdraw"), st.just("")),
)


@given(what=st.lists(st.tuples(happenings, st.integers(0, 20_000)), max_size=12))
def test_a_request_lives_by_its_table_and_ends_once(
    what: list[tuple[tuple[str, int | str], int]],
) -> None:
    request = PrewarmRequest("r1", "shop", 3, 2, 0, 5_000, 30_000)
    now_ms = 0
    for (happening, value), passed_ms in what:
        now_ms += passed_ms
        before = request
        try:
            if happening == "accept":
                request = life.accept(request, str(value), now_ms)
            elif happening == "step":
                request = life.step(request, int(value), now_ms)
            else:
                request = life.withdraw(request, now_ms, "no need")
        except life.LifeError:
            assert happening == "accept"
            assert before.state != "requested"
        if request.state != before.state:
            assert life.is_open(before)
            steps = {
                event
                for (old, event), new in life.TRANSITIONS.items()
                if (old, new) == (before.state, request.state)
            }
            assert steps
        assert life.is_open(request) == (request.ended_ms is None)
        assert (request.state == "accepted") <= bool(request.accepted_by)
        verdict = life.in_time(request)
        assert verdict is not True or (request.ended_ms or 0) <= request.needed_ms
