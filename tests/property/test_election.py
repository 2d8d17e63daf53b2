"""Controllers that hang, lose the database and die: an epoch has one leader, and at last one leads.

A model of the database commits claims upon the row they were made upon, gives the lock in the order
of asking, and tells everybody what changed, late and in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nib.leadership import Standing
from nib.records import Leader
from ryu_apps.election import LEASE_SECONDS, Beat, Candidate, Claim, GiveWay, Step

PLACES = st.integers(min_value=0, max_value=2)
TICK_SECONDS = 0.25


@dataclass(eq=False)
class Controller:
    """A candidate, what it has not heard yet, and how it is. frozen: it hears and does nothing."""

    name: str
    candidate: Candidate
    news: deque[Callable[[], list[Step]]] = field(default_factory=deque)
    connected: bool = False
    frozen: bool = False


class ElectionMachine(RuleBasedStateMachine):
    """Three controllers and a database."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.row: Leader | None = None
        self.databases = 1  # a new one knows no epochs
        self.owners: dict[tuple[int, int], Candidate] = {}  # by database and epoch
        self.queue: list[Controller] = []  # who has the lock, and who waits for it
        self.controllers: list[Controller] = []
        self.switch_knows = 0

    @initialize()
    def begin(self) -> None:
        self.controllers = [self.started(f"c{n}") for n in range(3)]

    # ------------------------------------------------------------------ what happens

    @rule(place=PLACES)
    def connect(self, place: int) -> None:
        here = self.controllers[place]
        if not here.connected:
            here.connected = True
            row = self.row
            here.news.append(lambda: here.candidate.sees(row, self.now))
            self.queue.append(here)
            self.tell_standing(here)

    @rule(place=PLACES)
    def disconnect(self, place: int) -> None:
        here = self.controllers[place]
        if here.connected:
            here.connected = False
            self.leave_queue(here)
            self.tell_standing(here)

    @rule(place=PLACES, frozen=st.booleans())
    def freeze(self, place: int, frozen: bool) -> None:
        """As by SIGSTOP: it keeps its lock."""
        self.controllers[place].frozen = frozen

    @rule(place=PLACES)
    def die(self, place: int) -> None:
        """And another is started in its place."""
        here = self.controllers[place]
        if here.connected:
            self.leave_queue(here)
        self.controllers[place] = self.started(here.name)

    @rule()
    def reset_database(self) -> None:
        """It comes back empty; everybody reconnects."""
        for place in range(3):
            self.disconnect(place)
        self.row = None
        self.databases += 1

    @rule(quarters=st.integers(min_value=1, max_value=10))
    def pass_time(self, quarters: int) -> None:
        for _ in range(quarters):
            self.now += TICK_SECONDS
            for here in self.controllers:
                if not here.frozen:
                    self.hear(here)
                    self.carry(here, here.candidate.tick(self.now))

    @rule(place=PLACES)
    def hear_all(self, place: int) -> None:
        if not self.controllers[place].frozen:
            self.hear(self.controllers[place])

    @rule(place=PLACES)
    def ask_switch(self, place: int) -> None:
        """A leader asks a switch to be its master."""
        here = self.controllers[place]
        epoch = here.candidate.epoch
        if not epoch or here.frozen:
            return
        if epoch < self.switch_knows:
            self.carry(here, here.candidate.outranked(self.switch_knows, self.now))
        self.switch_knows = max(self.switch_knows, epoch)

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def an_epoch_has_one_leader(self) -> None:
        """Who believes to lead committed that epoch itself."""
        for here in self.controllers:
            mine = here.candidate
            if mine.epoch:
                found = {owner for (_, epoch), owner in self.owners.items() if epoch == mine.epoch}
                assert mine in found

    @invariant()
    def who_heard_everything_agrees_with_the_database(self) -> None:
        for here in self.controllers:
            if here.candidate.epoch and here.connected and not here.news:
                assert self.row is not None
                assert here.candidate.epoch == self.row.epoch

    @invariant()
    def who_heard_of_another_leads_no_more(self) -> None:
        for here in self.controllers:
            row = here.candidate.row
            if here.candidate.epoch:
                assert row is not None
                assert row.epoch == here.candidate.epoch

    def teardown(self) -> None:
        """When all is quiet, exactly one leads, and goes on leading."""
        for place, here in enumerate(self.controllers):
            here.frozen = False
            self.connect(place)
        self.settle()
        for place in range(3):
            self.ask_switch(place)
        self.settle()
        leading = [each.candidate for each in self.controllers if each.candidate.epoch]
        assert len(leading) == 1, [each.epoch for each in leading]
        first = leading[0].epoch
        assert first >= self.switch_knows
        self.pass_time(20)
        assert [each.candidate.epoch for each in self.controllers].count(first) == 1
        assert self.row is not None
        assert self.row.epoch == first

    # ------------------------------------------------------------------ the model

    def started(self, name: str) -> Controller:
        return Controller(name, Candidate(name, self.now))

    def settle(self) -> None:
        self.pass_time(int(4 * LEASE_SECONDS / TICK_SECONDS))

    def hear(self, here: Controller) -> None:
        while here.news:
            self.carry(here, here.news.popleft()())

    def carry(self, here: Controller, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Claim(seen, epoch):
                    self.claim(here, seen, epoch)
                case Beat(epoch):
                    self.beat(here, epoch)
                case GiveWay() if here in self.queue:
                    self.leave_queue(here)
                    self.tell_standing(here)
                    self.queue.append(here)
                    self.tell_standing(here)

    def claim(self, here: Controller, seen: int | None, epoch: int) -> None:
        committed = here.connected and (self.row.epoch if self.row else None) == seen
        if committed:
            assert seen is None or epoch > seen
            assert (self.databases, epoch) not in self.owners, "an epoch is used once"
            self.owners[self.databases, epoch] = here.candidate
            self.write(Leader(epoch, here.name))
        outcome = epoch if committed else None
        here.news.append(lambda: here.candidate.claimed(outcome, self.now))

    def beat(self, here: Controller, epoch: int) -> None:
        if here.connected and self.row is not None and self.row.epoch == epoch:
            self.write(replace(self.row, beat=self.row.beat + 1))

    def write(self, row: Leader) -> None:
        self.row = row
        for each in self.controllers:
            if each.connected:
                each.news.append(lambda each=each: each.candidate.sees(row, self.now))  # type: ignore[misc]

    def leave_queue(self, here: Controller) -> None:
        had = self.queue[0] is here
        self.queue.remove(here)
        if had and self.queue:
            self.tell_standing(self.queue[0])

    def tell_standing(self, here: Controller) -> None:
        locked = bool(self.queue) and self.queue[0] is here
        standing = Standing(here.connected, here.connected and locked)
        here.news.append(lambda: here.candidate.stands(standing, self.now))


TestElection = ElectionMachine.TestCase
