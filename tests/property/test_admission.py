"""However SYNs, counts and closings interleave, a container never has more connections than N.

Walks are drawn by seed instead of by rule: a breach takes some ten steps in the right order, which
only many long walks find.
"""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from gateway_lb.admission import Admission, Answer, Attempt
from gateway_lb.guarded import SETTLE_MS

CLIENTS = [bytes((number, number)) for number in range(5)]
CONTAINERS = (1, 2)
SWITCHES = ("s1", "s2")
SLOTS = (1, 2, 2, 1, 1, 2)
STEPS = 300
WALKS = 100


class Walk:
    """The truth beside what the ledger is told of it.

    A SYN that was let through may be lost, or make its connection at any time until the switch says
    that it is out. A count may come late or never, and may lack what was made shortly before it was
    taken. Connections that were there before the ledger began are in counts alone. Each switch
    counts what came in there; a client may come in by either.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 1_000_000
        self.under_way: list[tuple[bytes, int, str]] = []
        self.counts: list[tuple[int, int, int, str]] = []
        self.open: dict[tuple[int, bytes, str], int] = {}  # (container, client, switch): since when
        self.caps = {each: self.random.choice((None, 1, 2)) for each in CONTAINERS}
        self.total = self.random.choice((None, None, 2, 3))
        self.admitted = 0
        self.ledger = Admission()
        self.ledger.heed(SWITCHES)
        self.ledger.guard(self.caps, self.total, self.now, self._before())
        for container, switch in product(CONTAINERS, SWITCHES):
            self.ledger.counted(container, self.random.randint(0, 2), self.now - 1, switch)

    def _before(self) -> tuple[int, ...]:
        if self.random.random() < 0.3:
            return CONTAINERS
        for container, cap in self.caps.items():
            for client in self.random.sample(CLIENTS, cap or 0):
                if self.total is None or len(self.open) < self.total:
                    self.open[container, client, self.random.choice(SWITCHES)] = self.now - 1
        return ()

    def syn(self) -> None:
        client, switch = self.random.choice(CLIENTS), self.random.choice(SWITCHES)
        attempt = Attempt(client, self.random.choice((1, 1, 2)), switch)
        verdict = self.ledger.admit(attempt, SLOTS, self.now)
        if verdict.answer is Answer.ADMIT:
            self.admitted += 1
            self.under_way.append((client, verdict.container, switch))

    def out(self) -> None:
        """The switch ran the oldest packet-out, and then answered the barrier."""
        if self.under_way:
            client, container, switch = self.under_way.pop(0)
            if self.random.random() < 0.8:
                self.made(container, client, switch)
            self.ledger.passed(client, self.now)

    def out_unconfirmed(self) -> None:
        """The connection is there, its barrier's answer not yet."""
        if self.under_way:
            client, container, switch = self.under_way[0]
            self.made(container, client, switch)

    def made(self, container: int, client: bytes, switch: str) -> None:
        """A client that has a connection there has no second one, by whichever switch."""
        if not any((container, client, each) in self.open for each in SWITCHES):
            self.open[container, client, switch] = self.now

    def closes(self) -> None:
        if self.open:
            del self.open[self.random.choice(list(self.open))]

    def time_passes(self) -> None:
        self.now += self.random.choice((1, 100, SETTLE_MS - 1, SETTLE_MS, 1000))

    def count(self) -> None:
        container = self.random.choice(CONTAINERS)
        switch = self.random.choice(SWITCHES)
        here = [
            since for (at, _, by), since in self.open.items() if (at, by) == (container, switch)
        ]
        sure = sum(since <= self.now - SETTLE_MS for since in here)
        taken = (container, self.random.randint(sure, len(here)), self.now, switch)
        if self.random.random() < 0.5:
            self.ledger.counted(*taken)
        else:
            self.counts.append(taken)

    def count_comes(self) -> None:
        if self.counts:
            self.ledger.counted(*self.counts.pop(self.random.randrange(len(self.counts))))

    def check(self) -> None:
        for container, cap in self.caps.items():
            assert cap is None or sum(at == container for at, *_ in self.open) <= cap
        assert self.total is None or len(self.open) <= self.total

    def step(self) -> None:
        steps = (
            *(self.syn, self.syn, self.out, self.out, self.out_unconfirmed),
            *(self.time_passes, self.time_passes, self.closes),
            *(self.count, self.count, self.count_comes),
        )
        self.random.choice(steps)()
        self.check()


@pytest.mark.parametrize("part", range(8))
def test_never_more_than_the_cap(part: int) -> None:
    admitted = 0
    for seed in range(part * WALKS, (part + 1) * WALKS):
        walk = Walk(seed)
        for _ in range(STEPS):
            walk.step()
        admitted += walk.admitted
    assert admitted > WALKS * STEPS / 50  # it is no ledger that admits nobody
