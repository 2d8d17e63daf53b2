"""A switch that refuses, forgets and answers late comes to hold what is wanted when all is quiet.

Intent changes at any moment; every batch takes time; any message may be refused; the switch may
lose all it holds, with its connection. A model of the switch says what it really holds.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nib.topology import Switch
from openflow.cookies import is_ours
from openflow.values import Flow, match
from ryu_apps.diff import Changes, Desired, Installed, desired_of, diff
from ryu_apps.incremental import Incremental
from ryu_apps.lockstep import Lockstep, Steps
from ryu_apps.session import Applied, Phase, Program, ReadBack, Retry, Session, Step
from ryu_apps.units import Unit
from tests.nib_strategies import HERE, Database, Edit, edits, examples, histories
from tests.switch_model import SwitchModel, copy_of, messages, shown

NOW_MS = 1_000_000
ALIEN = Flow(20, 7, match(in_port=9), (), cookie=1)
FORGOTTEN = Flow(20, 8, match(in_port=9), (), cookie=0x70 << 56)


class SessionMachine(RuleBasedStateMachine):
    """One switch, one database; connections come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.switch = SwitchModel()
        self.database = Database()
        self.state = Incremental()
        self.wanted: list[Desired] = []
        self.lockstep = Lockstep()
        self.step: Step | None = None
        self.refused: list[str] = []

    # ------------------------------------------------------------------ what happens

    @initialize(history=histories(), left_over=st.booleans())
    def begin(self, history: list[Edit], left_over: bool) -> None:
        """prewire may find its own flows of another day, and always finds somebody else's."""
        for edit in history:
            self.database.write(edit)
        self.state.absorb(self.database.everything(), 1, NOW_MS)
        self.switch.held.flows[ALIEN.key] = ALIEN
        if left_over:
            self.switch.held.flows[FORGOTTEN.key] = FORGOTTEN
        self.connect()

    @rule(later=st.lists(edits, min_size=1, max_size=3), counted=st.booleans())
    def intent_changes(self, later: list[Edit], counted: bool) -> None:
        """counted: some changes (of ports) come without a new generation."""
        changes = [change for edit in later for change in self.database.write(edit)]
        touched = self.state.absorb(changes, self.state.generation + counted, NOW_MS)
        parts = self.state.rules(sorted(touched), self.row)
        self.wanted.append(self.desired)
        self.follow(self.lockstep.want({HERE: parts}, self.state.generation))

    @precondition(lambda self: isinstance(self.step, Applied))
    @rule()
    def the_same_is_wanted_again(self) -> None:
        units = [Unit("base"), Unit("service", "web")]
        parts = self.state.rules(units, self.row)
        self.follow(self.lockstep.want({HERE: parts}, self.state.generation))

    @precondition(lambda self: isinstance(self.step, ReadBack))
    @rule()
    def read_back(self) -> None:
        self.follow(self.lockstep.read(HERE, copy_of(self.switch.held)))

    @precondition(lambda self: isinstance(self.step, Applied))
    @rule(data=st.data())
    def somebody_meddles_and_it_is_found_out(self, data: st.DataObject) -> None:
        """Rules of ours go, and one comes that nobody wants."""
        held = self.switch.held
        for key in data.draw(st.sets(st.sampled_from(sorted(held.flows, key=repr)))):
            if is_ours(held.flows[key].cookie):
                del held.flows[key]
        held.flows[FORGOTTEN.key] = FORGOTTEN
        self.follow(self.lockstep.read(HERE, copy_of(held)))
        assert isinstance(self.step, Program)

    @precondition(lambda self: isinstance(self.step, Program))
    @rule()
    def batch_is_acknowledged(self) -> None:
        """All of it is carried out; nothing that we send in our right mind is refused."""
        assert self.carry_out(self.batch) == []
        self.follow(self.lockstep.acknowledged(HERE, []))

    @precondition(lambda self: isinstance(self.step, Program))
    @rule(data=st.data())
    def batch_is_partly_refused(self, data: st.DataObject) -> None:
        """A refused message changes nothing; those after it are carried out where they can be."""
        sent = list(messages(*self.batch))
        unlucky = data.draw(st.sets(st.integers(0, len(sent) - 1), min_size=1))
        refused = ["refused by chance" for _ in unlucky]
        taken = (message for place, message in enumerate(sent) if place not in unlucky)
        refused += [error for message in taken if (error := self.switch.take(message))]
        self.follow(self.lockstep.acknowledged(HERE, refused))
        assert self.session.problem
        assert isinstance(self.step, Retry)

    @precondition(lambda self: isinstance(self.step, Retry))
    @rule()
    def time_passes(self) -> None:
        self.follow(self.lockstep.retry(HERE))

    @precondition(lambda self: not isinstance(self.step, ReadBack))
    @rule(data=st.data(), forgets=st.booleans())
    def connection_is_lost(self, data: st.DataObject, forgets: bool) -> None:
        """Part of the batch under way may have arrived; a restarted switch holds nothing."""
        if isinstance(self.step, Program):
            sent = list(messages(*self.batch))
            for message in sent[: data.draw(st.integers(0, len(sent)))]:
                self.switch.take(message)
        if forgets:
            self.switch = SwitchModel()
        self.connect()

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def what_the_session_believes_is_true_when_it_rests(self) -> None:
        if isinstance(self.step, Applied):
            assert self.session.phase is Phase.RESTING
            assert shown(self.session.installed) == shown(self.switch.held)

    def follow(self, steps: Steps) -> None:
        """None: a batch, a read-back or a wait is under way; it goes on with that."""
        for dpid, step in steps:
            assert dpid == HERE
            self.step = step
            if isinstance(step, Program):
                self.check_batch(step.batch)
        if isinstance(self.step, Applied):
            self.check_applied(self.step)

    def check_applied(self, step: Applied) -> None:
        assert step.generation == self.state.generation
        assert ours(self.switch.held) == shown(self.desired)
        assert self.session.problem == ""

    def check_batch(self, batch: tuple[Changes, ...]) -> None:
        """What breaks comes alone, and when all that makes is there."""
        kinds = {kind.startswith("delete") for kind, _ in messages(*batch)}
        assert len(kinds) == 1
        if kinds == {True}:
            assert any(only_deletes(diff(wanted, self.switch.held)) for wanted in self.wanted)

    # ------------------------------------------------------------------ helpers

    @property
    def row(self) -> Switch:
        return self.database.mirror.need(Switch, HERE)

    @property
    def desired(self) -> Desired:
        return desired_of(self.state.all_rules(self.row).values())

    @property
    def session(self) -> Session:
        session = self.lockstep.session(HERE)
        assert session is not None
        return session

    @property
    def batch(self) -> tuple[Changes, ...]:
        assert isinstance(self.step, Program)
        return self.step.batch

    def connect(self) -> None:
        parts = dict(sorted(self.state.all_rules(self.row).items()))  # in every process the same
        session = Session(parts, self.state.generation)
        self.wanted = [self.desired]
        self.follow(self.lockstep.join(HERE, session))

    def carry_out(self, batch: tuple[Changes, ...]) -> list[str]:
        return [error for message in messages(*batch) if (error := self.switch.take(message))]

    def teardown(self) -> None:
        """All is quiet now."""
        if self.step is None:
            return
        for _ in range(50):
            match self.step:
                case ReadBack():
                    self.read_back()
                case Program():
                    self.batch_is_acknowledged()
                case Retry():
                    self.time_passes()
                case Applied(generation):
                    assert generation == self.state.generation
                    assert ours(self.switch.held) == shown(self.desired)
                    return
        raise AssertionError(f"still {self.session.phase} after 50 steps")


def only_deletes(changes: Changes) -> bool:
    return all(kind.startswith("delete") for kind, _ in messages(changes))


def ours(held: Installed) -> tuple[object, ...]:
    flows = {key: flow for key, flow in held.flows.items() if is_ours(flow.cookie)}
    return shown(Installed(flows, held.groups, held.meters))


SessionMachine.TestCase.settings = examples(0.2)
TestSession = SessionMachine.TestCase
