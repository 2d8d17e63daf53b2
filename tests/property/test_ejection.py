"""Passive ejection over random histories of packets."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.ejection import MAX_TIMES, Counts, Judgement, Watch, judge, max_ejected
from nib.observed import Ejected
from nib.policy import Ejection
from tests.nib_strategies import examples

BEGIN = 1_000_000

policies = st.builds(
    Ejection,
    failure_percent=st.integers(1, 100),
    min_connections=st.integers(1, 5),
    window_ms=st.just(1000),
    eject_ms=st.sampled_from([100, 1000, 5000]),
    max_ejected_percent=st.integers(1, 100),
)
packets = st.integers(0, 10)
counted = st.tuples(packets, packets, packets)  # SYNs, SYN-ACKs, resets of a window
members = st.integers(1, 5)


class Service:
    """A service whose counters are read and judged once a window."""

    def __init__(self, policy: Ejection, members: int) -> None:
        self.policy = policy
        self.members = members
        self.now_ms = BEGIN
        self.totals = {f"c{number}": Counts(0, 0, 0) for number in range(members)}
        self.watched: Mapping[str, Watch] = {}
        self.held: dict[str, Ejected] = {}

    def window(self, seen: Mapping[str, tuple[int, int, int]]) -> Judgement:
        for name, (new, answered, resets) in seen.items():
            known = self.totals[name]
            self.totals[name] = Counts(
                known.new + new, known.answered + answered, known.resets + resets
            )
        self.now_ms += self.policy.window_ms
        judgement = judge(
            self.policy,
            self.watched,
            self.totals,
            self.held,
            service="web",
            members=self.members,
            now_ms=self.now_ms,
        )
        self.watched = judgement.watched
        self.held |= {row.container: row for row in judgement.ejected}
        for name in judgement.forgiven:
            del self.held[name]
        return judgement

    def out(self) -> set[str]:
        return {name for name, row in self.held.items() if row.until_ms > self.now_ms}


@given(policies, members, st.data())
def test_never_more_are_out_than_the_ceiling_allows(
    policy: Ejection, members: int, data: st.DataObject
) -> None:
    service = Service(policy, members)
    most = max_ejected(policy, members)
    assert most < members or policy.max_ejected_percent == 100
    for _ in range(data.draw(st.integers(1, 12))):
        service.window({name: data.draw(counted) for name in service.totals})
        assert len(service.out()) <= most
        assert set(service.watched) == set(service.totals)


@given(policies, members, st.data())
def test_who_is_out_stays_out_for_its_time_and_no_longer(
    policy: Ejection, members: int, data: st.DataObject
) -> None:
    service = Service(policy, members)
    for _ in range(data.draw(st.integers(1, 12))):
        before = dict(service.held)
        service.now_ms += policy.window_ms
        was_out = service.out()
        service.now_ms -= policy.window_ms
        judgement = service.window({name: data.draw(counted) for name in service.totals})
        for name in was_out:
            assert service.held[name] == before[name]
        for row in judgement.ejected:
            if row.until_ms > service.now_ms:
                past = before.get(row.container)
                assert row.times <= min(MAX_TIMES, 1 + (past.times if past else 0))
                assert row.until_ms == service.now_ms + policy.eject_ms * row.times


@given(policies, st.lists(st.tuples(packets, packets), max_size=30), st.data())
def test_who_answers_within_a_window_is_never_ejected(
    policy: Ejection, windows: list[tuple[int, int]], data: st.DataObject
) -> None:
    """However its answers are spread, and whatever its siblings do."""
    service = Service(policy, 3)
    late = 0
    for new, most in windows:
        before, late = late, min(new, most)
        answered = before + new - late
        service.window(
            {
                "c0": (new, answered, 0),
                "c1": data.draw(counted),
                "c2": data.draw(counted),
            }
        )
        assert "c0" not in service.held


@given(policies, st.integers(1, 10), st.sampled_from(["silent", "refuses"]))
@examples(0.5)
def test_who_answers_nothing_is_out_after_two_windows(policy: Ejection, new: int, how: str) -> None:
    service = Service(policy, 4)
    new = max(new, policy.min_connections)
    resets = new if how == "refuses" else 0
    service.window({})
    service.window({"c0": (new, 0, resets)})
    assert (service.out() == {"c0"}) == (how == "refuses")
    service.window({} if how == "refuses" else {"c0": (new, 0, resets)})
    assert "c0" in service.held


@given(policies, members, st.lists(st.dictionaries(st.integers(0, 4), counted), max_size=10))
@examples(0.5)
def test_everything_is_forgiven_in_the_end(
    policy: Ejection, members: int, windows: list[dict[int, tuple[int, int, int]]]
) -> None:
    service = Service(policy, members)
    for window in windows:
        service.window({f"c{n}": seen for n, seen in window.items() if n < members})
    service.now_ms += 2 * MAX_TIMES * policy.eject_ms
    for _ in range(2):
        service.window({})
    service.now_ms += 2 * MAX_TIMES * policy.eject_ms
    service.window({})
    assert service.held == {}
