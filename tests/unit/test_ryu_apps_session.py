"""A session step by step; tests/property lets it meet everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openflow.cookies import OWNER_COOKIE
from openflow.values import Flow, Output, Rules, match
from ryu_apps.diff import Changes, Installed
from ryu_apps.session import (
    RETRY_SECONDS,
    Applied,
    Phase,
    Program,
    ReadBack,
    Retry,
    Session,
    Step,
)
from ryu_apps.units import Unit

FLOW = Flow(20, 100, match(in_port=1), (Output(2),), OWNER_COOKIE)
CHANGED = replace(FLOW, actions=(Output(3),))
OTHER = replace(FLOW, priority=99)
WEB, API = Unit("service", "web"), Unit("service", "api")


def put(*flows: Flow) -> Program:
    return Program((Changes(put_flows=flows),))


def resting(*flows: Flow, generation: int = 1) -> Session:
    """A session whose switch holds these flows of WEB."""
    session = Session({WEB: Rules(flows)}, generation)
    session.read(Installed({flow.key: flow for flow in flows}))
    assert session.phase is Phase.RESTING
    return session


def test_it_reads_programs_and_rests() -> None:
    session = Session({WEB: Rules((FLOW,))}, 5)
    phases = [session.phase]
    assert session.read(Installed()) == put(FLOW)
    phases.append(session.phase)
    assert session.acknowledged([]) == Applied(5)
    phases.append(session.phase)
    assert phases == [Phase.READING, Phase.PROGRAMMING, Phase.RESTING]
    assert session.installed.flows == {FLOW.key: FLOW}


def test_nothing_to_do_is_applied_at_once() -> None:
    session = Session({WEB: Rules((FLOW,))}, 5)
    assert session.read(Installed({FLOW.key: FLOW})) == Applied(5)


def test_a_generation_without_a_change_here_is_applied_at_once() -> None:
    session = resting(FLOW)
    assert session.want({}, 2) == Applied(2)
    assert session.want({WEB: Rules((FLOW,))}, 3) == Applied(3)


def test_what_is_wanted_while_reading_counts_when_it_is_read() -> None:
    session = Session({WEB: Rules((FLOW,))}, 1)
    assert session.want({WEB: Rules((CHANGED,))}, 2) is None
    assert session.read(Installed({FLOW.key: FLOW})) == put(CHANGED)
    assert session.acknowledged([]) == Applied(2)


def test_what_is_wanted_while_programming_makes_the_next_round() -> None:
    session = resting(FLOW)
    assert session.want({WEB: Rules((CHANGED,))}, 2) == put(CHANGED)
    assert session.want({API: Rules((OTHER,))}, 3) is None
    assert session.acknowledged([]) == put(OTHER)
    assert session.acknowledged([]) == Applied(3)


def test_deletions_wait_for_the_acknowledgement_of_what_they_rely_on() -> None:
    session = resting(FLOW)
    assert session.want({WEB: Rules((OTHER,))}, 2) == put(OTHER)
    assert session.acknowledged([]) == Program((Changes(delete_flows=(FLOW,)),))
    assert session.acknowledged([]) == Applied(2)


def test_an_emptied_unit_is_deleted_and_a_unit_never_seen_is_nothing() -> None:
    session = resting(FLOW)
    assert session.want({WEB: Rules(), API: Rules()}, 2) == Program(
        (Changes(delete_flows=(FLOW,)),)
    )
    assert session.acknowledged([]) == Applied(2)
    assert session.desired.flows == {}


def test_a_refusal_forgets_the_batches_and_reads_back_later() -> None:
    session = resting(FLOW)
    session.want({WEB: Rules((OTHER,))}, 2)
    assert session.acknowledged(["table full", "and", "more"]) == Retry(RETRY_SECONDS[0])
    assert (session.phase, session.problem) == (Phase.FAILED, "table full (and 2 more)")
    assert session.want({API: Rules((CHANGED,))}, 3) is None
    assert session.retry() == ReadBack()
    assert session.read(Installed({FLOW.key: FLOW})) == put(OTHER, CHANGED)
    assert session.problem
    assert session.acknowledged([]) == Applied(3)
    assert session.problem == ""


def test_it_waits_longer_and_longer_and_forgets_that_when_all_is_well() -> None:
    session = resting()

    def fail(step: Step | None) -> Step:
        assert isinstance(step, Program)
        return session.acknowledged(["no"])

    waits = [fail(session.want({WEB: Rules((FLOW,))}, 2))]
    for _ in range(8):
        assert session.retry() == ReadBack()
        waits.append(fail(session.read(Installed())))
    expected = [*RETRY_SECONDS, RETRY_SECONDS[-1], RETRY_SECONDS[-1]]
    assert waits == [Retry(seconds) for seconds in expected]
    session.retry()
    session.read(Installed({FLOW.key: FLOW}))
    assert fail(session.want({WEB: Rules((OTHER,))}, 3)) == Retry(RETRY_SECONDS[0])


def test_a_retry_that_comes_late_does_nothing() -> None:
    session = resting(FLOW)
    assert session.retry() is None
    assert session.phase is Phase.RESTING


@pytest.mark.parametrize("left_over", [OTHER, replace(OTHER, cookie=0)], ids=["ours", "alien"])
def test_only_left_overs_of_ours_go(left_over: Flow) -> None:
    session = Session({WEB: Rules((FLOW,))}, 1)
    step = session.read(Installed({FLOW.key: FLOW, left_over.key: left_over}))
    deleted = Program((Changes(delete_flows=(left_over,)),))
    assert step == (deleted if left_over.cookie else Applied(1))
