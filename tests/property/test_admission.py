"""However SYNs, counts and closings interleave, a container never has more connections than N."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from gateway_lb.admission import SETTLE_MS, Admission, Answer, Attempt

CLIENTS = st.integers(1, 12).map(lambda number: number.to_bytes(2, "big"))
CONTAINERS = (1, 2, 3)
SLOTS = (1, 2, 3, 3, 2, 1, 1, 2)


class Caps(RuleBasedStateMachine):
    """The truth beside what the ledger is told of it.

    A SYN that was let through may be lost, or make its connection at any time until the switch says
    that it is out. A count may come late, and may lack what was made shortly before it was taken.
    """

    counts = Bundle("counts")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.ledger = Admission()
        self.caps: dict[int, int | None] = {}
        self.total: int | None = None
        self.under_way: dict[bytes, list[int]] = {}
        self.open: dict[tuple[int, bytes], int] = {}  # (container, client): since when
        self.was_guarded: set[int] = set()

    @initialize(
        caps=st.fixed_dictionaries({n: st.none() | st.integers(1, 3) for n in CONTAINERS}),
        total=st.none() | st.integers(1, 5),
        before=st.sets(st.tuples(st.sampled_from(CONTAINERS), CLIENTS), max_size=2),
        unused=st.booleans(),
    )
    def begin(
        self,
        caps: dict[int, int | None],
        total: int | None,
        before: set[tuple[int, bytes]],
        unused: bool,
    ) -> None:
        self.caps, self.total = caps, total
        if not unused:
            self.open = {key: self.now - 1 for key in before}
            self.caps = {n: cap and max(cap, self._at(n)) for n, cap in caps.items()}
            self.total = total and max(total, len(self.open))
        self.ledger.guard(self.caps, self.total, self.now, CONTAINERS if unused else ())

    def _at(self, container: int) -> int:
        return sum(at == container for at, _ in self.open)

    @rule(client=CLIENTS, serial=st.integers(1, 2))
    def syn(self, client: bytes, serial: int) -> None:
        verdict = self.ledger.admit(Attempt(client, serial), SLOTS, self.now)
        if verdict.answer is Answer.ADMIT:
            assert verdict.container in self.caps
            self.under_way.setdefault(client, []).append(verdict.container)

    @rule(client=CLIENTS, lost=st.booleans())
    def out(self, client: bytes, lost: bool) -> None:
        """The switch ran the oldest packet-out of this client, and then answered the barrier."""
        if not self.under_way.get(client):
            return
        container = self.under_way[client].pop(0)
        if not lost:
            self.open.setdefault((container, client), self.now)
        self.ledger.passed(client, self.now)

    @rule(client=CLIENTS)
    def out_unconfirmed(self, client: bytes) -> None:
        """The connection is there, its barrier's answer not yet."""
        for container in self.under_way.get(client, [])[:1]:
            self.open.setdefault((container, client), self.now)

    @rule(data=st.data())
    def closes(self, data: st.DataObject) -> None:
        if self.open:
            del self.open[data.draw(st.sampled_from(sorted(self.open)))]

    @rule(ms=st.integers(1, 700))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(target=counts, container=st.sampled_from(CONTAINERS), data=st.data())
    def count_taken(self, container: int, data: st.DataObject) -> tuple[int, int, int]:
        here = [since for (at, _), since in self.open.items() if at == container]
        sure = sum(since <= self.now - SETTLE_MS for since in here)
        return container, data.draw(st.integers(sure, len(here))), self.now

    @rule(count=counts)
    def count_comes(self, count: tuple[int, int, int]) -> None:
        self.ledger.counted(*count)

    @invariant()
    def never_more(self) -> None:
        for container, cap in self.caps.items():
            assert cap is None or self._at(container) <= cap
        assert self.total is None or len(self.open) <= self.total


TestCaps = Caps.TestCase
TestCaps.settings = settings(max_examples=300, stateful_step_count=40)
