"""Switches in step, where any of them may come, go, refuse, answer late, or be meddled with.

Models of the switches say what they really hold. No switch begins a phase before the others have
acknowledged the one before, no answer leaves anybody waiting for ever, and when all is quiet every
switch holds what is wanted of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from openflow import tables
from openflow.cookies import GROUP_IDS, OWNER_COOKIE, ROUTE_IDS
from openflow.values import Bucket, Flow, Group, Output, Rules
from openflow.values import match as matching
from ryu_apps.diff import Installed, desired_of
from ryu_apps.lockstep import Lockstep, Steps
from ryu_apps.order import Batch
from ryu_apps.session import Applied, Phase, Program, ReadBack, Retry, Session, Step
from ryu_apps.units import Unit
from tests.nib_strategies import examples
from tests.switch_model import Message, SwitchModel, copy_of, messages, shown

DPIDS = ("a", "b", "c", "d")
UNITS = tuple(Unit("service", name) for name in ("web", "api", "dns"))
TABLES = (tables.CONNTRACK, tables.ENDPOINT, tables.FORWARD)
FORGOTTEN = Flow(20, 8, matching(in_port=9), (), cookie=OWNER_COOKIE)

# When a message's turn comes: act and hops, by the words of the agreement and not by the code's.
Turn = tuple[int, int]
MAKE, ROUTE, ENTER, CHOOSE, BREAK = range(5)

_small = st.integers(1, 3)
_outputs = _small.map(lambda port: (Output(port),))


@st.composite
def unit_rules(draw: st.DrawFn, place: int) -> Rules:
    """A unit's flows and groups; no other unit has their keys."""
    on = matching(in_port=place)
    flows = [
        Flow(table.number, 5, on, draw(_outputs), OWNER_COOKIE, hops=draw(_small))
        for table in draw(st.lists(st.sampled_from(TABLES), unique=True))
    ]
    groups = [
        Group(ids[place], "select", (Bucket(draw(_outputs)),), hops=draw(_small))
        for ids in draw(st.lists(st.sampled_from((GROUP_IDS, ROUTE_IDS)), unique=True))
    ]
    return Rules(tuple(flows), tuple(groups))


_places = st.integers(0, len(UNITS) - 1)
_parts = _places.flatmap(lambda place: st.tuples(st.just(UNITS[place]), unit_rules(place)))
_wanted = st.dictionaries(
    st.sampled_from(DPIDS), st.lists(_parts, min_size=1, max_size=2).map(dict), max_size=4
)


def turn_of(message: Message, held: Installed) -> Turn:
    """The turn of a message to a switch that holds this."""
    kind, rule = message
    if kind.startswith("delete"):
        return BREAK, 0
    if isinstance(rule, Group) and kind == "modify_groups":
        return (ROUTE, rule.hops) if rule.group_id in ROUTE_IDS else (CHOOSE, 0)
    if isinstance(rule, Flow):
        if rule.table == tables.FORWARD.number:
            return (ROUTE, rule.hops) if rule.key in held.flows else (MAKE, 0)
        is_made = rule.table == tables.ENDPOINT.number and rule.key not in held.flows
        return (MAKE if is_made else ENTER), 0
    return MAKE, 0


@dataclass
class Peer:
    """One switch: what it holds, what was asked of it last, what it shall hold."""

    switch: SwitchModel = field(default_factory=SwitchModel)
    wanted: dict[Unit, Rules] = field(default_factory=dict)
    step: Step | None = None  # None: not connected
    is_in_step: bool = False  # with the others

    @property
    def batch(self) -> Batch:
        assert isinstance(self.step, Program)
        return self.step.batch

    @property
    def turns(self) -> list[Turn]:
        """The turns of the batch under way."""
        return sorted(turn_of(message, self.switch.held) for message in messages(*self.batch))


class LockstepMachine(RuleBasedStateMachine):
    """Four switches at most."""

    def __init__(self) -> None:
        super().__init__()
        self.lockstep = Lockstep()
        self.peers = {dpid: Peer() for dpid in DPIDS}
        self.generation = 1
        self.begun: Turn = (MAKE, 0)  # the last turn that the present round came to
        self.round: list[Peer] = []  # who began it; it is over when none of them is in step

    # ------------------------------------------------------------------ what happens

    @initialize(wanted=_wanted)
    def begin(self, wanted: dict[str, dict[Unit, Rules]]) -> None:
        """Those of which something is wanted are up to date."""
        for dpid, parts in wanted.items():
            self.peers[dpid].wanted.update(parts)
            self.connects(dpid, forgets=False)
        self.answer_all(wanted)

    @rule(dpid=st.sampled_from(DPIDS), forgets=st.booleans())
    def connects(self, dpid: str, forgets: bool) -> None:
        """For the first time, or again before anybody saw that it had left."""
        peer = self.peers[dpid]
        self.out(peer)
        if forgets:
            peer.switch = SwitchModel()
        self.follow(self.lockstep.join(dpid, Session(peer.wanted, self.generation)))

    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        """Part of what was sent may have arrived."""
        dpid = data.draw(st.sampled_from(DPIDS))
        peer = self.peers[dpid]
        if isinstance(peer.step, Program):
            sent = list(messages(*peer.batch))
            for message in sent[: data.draw(st.integers(0, len(sent)))]:
                peer.switch.take(message)
        peer.step = None
        self.out(peer)
        self.follow(self.lockstep.leave(dpid))

    @rule(wanted=_wanted, counted=st.booleans())
    def something_is_wanted(self, wanted: dict[str, dict[Unit, Rules]], counted: bool) -> None:
        """Of every switch, connected or not; of some nothing but the generation."""
        self.generation += counted
        for dpid, parts in wanted.items():
            self.peers[dpid].wanted.update(parts)
        parts_of_all = {dpid: wanted.get(dpid, {}) for dpid in DPIDS}
        self.follow(self.lockstep.want(parts_of_all, self.generation))

    @rule(dpid=st.sampled_from(DPIDS))
    def is_answered(self, dpid: str) -> None:
        """Whatever a switch was asked for is done."""
        self.answer(dpid)

    @rule()
    def all_is_quiet(self) -> None:
        """For a while."""
        self.answer_all(self.connected())

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def refuses(self, data: st.DataObject) -> None:
        """One message; it changes nothing."""
        dpid = data.draw(st.sampled_from(self.busy()))
        peer = self.peers[dpid]
        sent = list(messages(*peer.batch))
        unlucky = data.draw(st.integers(0, len(sent) - 1))
        for place, message in enumerate(sent):
            if place != unlucky:
                peer.switch.take(message)
        self.out(peer)
        self.follow(self.lockstep.acknowledged(dpid, ["refused by chance"]))

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def is_late(self, data: st.DataObject) -> None:
        """What it was asked for is still to be answered."""
        dpid = data.draw(st.sampled_from(self.busy()))
        self.out(self.peers[dpid])
        self.follow(self.lockstep.late(dpid))

    @rule(dpid=st.sampled_from(DPIDS), data=st.data())
    def is_read_though_not_asked(self, dpid: str, data: st.DataObject) -> None:
        """Somebody meddled with a switch that rests; the periodic read-back finds out."""
        session, held = self.lockstep.session(dpid), self.peers[dpid].switch.held
        if session is None or session.phase is not Phase.RESTING:
            return
        if held.flows:
            del held.flows[data.draw(st.sampled_from(sorted(held.flows, key=repr)))]
        held.flows[FORGOTTEN.key] = FORGOTTEN
        self.follow(self.lockstep.read(dpid, copy_of(held)))

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Who is asked for nothing has nothing to do, or waits for one in step that is asked."""
        for dpid, peer in self.peers.items():
            session = self.lockstep.session(dpid)
            if isinstance(peer.step, Applied) and session is not None:
                waits = session.is_due or session.phase is not Phase.RESTING
                assert not waits or any(self.peers[other].is_in_step for other in self.busy())

    def follow(self, steps: Steps) -> None:
        """Who works alone, is done with a round, and goes on at once, still works alone."""
        working = {dpid for dpid, step in steps if isinstance(step, Program)}
        back: list[Peer] = []
        for dpid, step in steps:
            peer = self.peers[dpid]
            peer.step = step
            match step:
                case Program():
                    self.check_program(peer)
                case Applied():
                    self.check_applied(peer)
                    back += [peer] if dpid not in working else []
                case Retry():
                    self.out(peer)

        for peer in back:
            peer.is_in_step = True

    def check_program(self, peer: Peer) -> None:
        turns = peer.turns
        assert len({act == BREAK for act, _ in turns}) == 1, "what breaks comes alone"
        if not peer.is_in_step:
            return
        others = [other for other in self.in_step_and_busy() if other is not peer]
        if others:
            assert len(set(turns)) == 1
            assert all(turn == turns[0] for other in others for turn in other.turns)
        if not self.round:
            self.round = [other for other in self.peers.values() if other.is_in_step]
            self.begun = (MAKE, 0)
        assert self.begun <= turns[0]
        self.begun = turns[-1]

    def check_applied(self, peer: Peer) -> None:
        if peer.is_in_step:
            assert not self.in_step_and_busy(), "the round is over for all"
            self.round = []

    # ------------------------------------------------------------------ helpers

    def busy(self) -> list[str]:
        """The switches that have a batch to answer."""
        return [dpid for dpid, peer in self.peers.items() if isinstance(peer.step, Program)]

    def in_step_and_busy(self) -> list[Peer]:
        return [self.peers[dpid] for dpid in self.busy() if self.peers[dpid].is_in_step]

    def out(self, peer: Peer) -> None:
        """A switch is with the others no more."""
        peer.is_in_step = False
        self.round = [other for other in self.round if other is not peer]

    def connected(self) -> list[str]:
        return [dpid for dpid, peer in self.peers.items() if peer.step is not None]

    def answer_all(self, dpids: Iterable[str]) -> None:
        """As often as it takes at most."""
        order = list(dpids)
        for _ in range(60):
            for dpid in order:
                self.answer(dpid)
            if all(isinstance(self.peers[dpid].step, Applied) for dpid in order):
                return

    def answer(self, dpid: str) -> None:
        peer = self.peers[dpid]
        match peer.step:
            case ReadBack():
                peer.step = Applied(0)
                self.follow(self.lockstep.read(dpid, copy_of(peer.switch.held)))
            case Program(batch):
                refused = [peer.switch.take(message) for message in messages(*batch)]
                assert refused == [None] * len(refused)
                peer.step = Applied(0)
                self.follow(self.lockstep.acknowledged(dpid, []))
            case Retry():
                self.follow(self.lockstep.retry(dpid))

    def teardown(self) -> None:
        """All is quiet now."""
        self.answer_all(self.connected())
        for dpid in self.connected():
            peer, session = self.peers[dpid], self.lockstep.session(dpid)
            assert session is not None
            assert peer.step == Applied(self.generation)
            assert (session.phase, session.problem) == (Phase.RESTING, "")
            assert shown(peer.switch.held) == shown(desired_of(peer.wanted.values()))


LockstepMachine.TestCase.settings = examples(0.3)
TestLockstep = LockstepMachine.TestCase
