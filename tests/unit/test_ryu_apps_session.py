"""A session step by step, without the others; tests/property lets it meet everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openflow.cookies import OWNER_COOKIE
from openflow.values import Flow, Output, Rules, match
from ryu_apps.diff import Changes, Installed
from ryu_apps.order import Act, Batch, Part, When
from ryu_apps.session import RETRY_SECONDS, Applied, Phase, Retry, Session
from ryu_apps.units import Unit

FLOW = Flow(60, 100, match(in_port=1), (Output(2),), OWNER_COOKIE)
CHANGED = replace(FLOW, actions=(Output(3),))
OTHER = replace(FLOW, priority=99)
WEB, API = Unit("service", "web"), Unit("service", "api")


def made(*flows: Flow) -> Part:
    return Part(When(Act.MAKE), (Changes(put_flows=flows),))


def changed(*flows: Flow) -> Part:
    return Part(When(Act.ENTER), (Changes(put_flows=flows),))


def gone(*flows: Flow) -> Part:
    return Part(When(Act.BREAK), (Changes(delete_flows=flows),))


def resting(*flows: Flow, generation: int = 1) -> Session:
    """A session whose switch holds these flows of WEB."""
    session = Session({WEB: Rules(flows)}, generation)
    session.read(Installed({flow.key: flow for flow in flows}))
    assert session.begin() == []
    assert session.end() == Applied(generation)
    return session


def go(session: Session, *parts: Part) -> Applied:
    """A round of these parts, all acknowledged."""
    assert session.begin() == [*parts]
    for part in parts:
        session.confirm(part.batch)
    return session.end()


def test_it_reads_programs_and_rests() -> None:
    session = Session({WEB: Rules((FLOW,))}, 5)
    phases = [session.phase]
    session.read(Installed())
    batch: Batch = (Changes(put_flows=(FLOW,)),)
    assert session.begin() == [Part(When(Act.MAKE), batch)]
    phases.append(session.phase)
    session.confirm(batch)
    assert session.end() == Applied(5)
    phases.append(session.phase)
    assert phases == [Phase.READING, Phase.PROGRAMMING, Phase.RESTING]
    assert session.installed.flows == {FLOW.key: FLOW}


def test_it_is_due_where_there_is_something_to_do_or_to_tell() -> None:
    session = Session({}, 1)
    assert not session.is_due, "it is read first"
    session.read(Installed())
    assert session.is_due
    assert go(session) == Applied(1)
    assert not session.is_due
    session.want({}, 2)
    assert session.is_due, "a generation without a change here"
    assert go(session) == Applied(2)
    session.want({WEB: Rules((FLOW,))}, 2)
    assert session.is_due, "a change without a generation"
    assert go(session, made(FLOW)) == Applied(2)


def test_nothing_to_do_leaves_it_resting() -> None:
    session = Session({WEB: Rules((FLOW,))}, 5)
    session.read(Installed({FLOW.key: FLOW}))
    assert session.begin() == []
    assert session.phase is Phase.RESTING


def test_what_is_wanted_during_a_round_is_due_after_it() -> None:
    session = resting(FLOW)
    session.want({WEB: Rules((CHANGED,))}, 2)
    assert session.begin() == [changed(CHANGED)]
    session.want({API: Rules((OTHER,))}, 3)
    session.confirm(changed(CHANGED).batch)
    assert session.end() == Applied(2)
    assert go(session, made(OTHER)) == Applied(3)


def test_changes_are_in_the_order_in_which_they_were_wanted() -> None:
    """So one history is one list of messages, in every process; a failed example comes again."""
    flows = [replace(FLOW, priority=priority) for priority in range(9, 0, -1)]
    session = resting()
    session.want({Unit("service", f"s{each.priority}"): Rules((each,)) for each in flows}, 2)
    assert session.begin() == [made(*flows)]


def test_an_emptied_unit_is_deleted_and_a_unit_never_seen_is_nothing() -> None:
    session = resting(FLOW)
    session.want({WEB: Rules(), API: Rules()}, 2)
    assert go(session, gone(FLOW)) == Applied(2)
    assert session.desired.flows == {}


def test_after_a_refusal_everything_is_compared_again() -> None:
    session = resting(FLOW)
    session.want({WEB: Rules((OTHER,))}, 2)
    assert session.begin() == [made(OTHER), gone(FLOW)]
    assert session.fail(["table full", "and", "more"]) == Retry(RETRY_SECONDS[0])
    assert (session.phase, session.problem) == (Phase.FAILED, "table full (and 2 more)")
    session.want({API: Rules((CHANGED,))}, 3)
    assert not session.is_due
    assert session.retry()
    assert session.phase is Phase.READING
    session.read(Installed({FLOW.key: FLOW}))
    assert session.problem
    assert go(session, made(OTHER), changed(CHANGED)) == Applied(3)
    assert session.problem == ""


def test_it_waits_longer_and_longer_and_forgets_that_when_all_is_well() -> None:
    session = resting()
    waits = []
    for _ in range(9):
        waits.append(session.fail(["no"]))
        assert session.retry()
    expected = [*RETRY_SECONDS, RETRY_SECONDS[-1], RETRY_SECONDS[-1]]
    assert waits == [Retry(seconds) for seconds in expected]
    session.read(Installed())
    assert go(session) == Applied(1)
    assert session.fail(["no"]) == Retry(RETRY_SECONDS[0])


def test_a_retry_that_comes_late_does_nothing() -> None:
    session = resting(FLOW)
    assert not session.retry()
    assert session.phase is Phase.RESTING


@pytest.mark.parametrize("left_over", [OTHER, replace(OTHER, cookie=0)], ids=["ours", "alien"])
def test_only_left_overs_of_ours_go(left_over: Flow) -> None:
    session = Session({WEB: Rules((FLOW,))}, 1)
    session.read(Installed({FLOW.key: FLOW, left_over.key: left_over}))
    assert session.begin() == ([gone(left_over)] if left_over.cookie else [])


def test_a_read_back_of_a_resting_switch_puts_back_what_is_missing() -> None:
    session = resting(FLOW)
    session.read(Installed({OTHER.key: OTHER}))
    assert session.is_due
    assert go(session, made(FLOW), gone(OTHER)) == Applied(1)


def test_two_units_with_one_key_leave_it_as_it_was() -> None:
    session = resting(FLOW)
    session.want({WEB: Rules((OTHER,)), API: Rules((OTHER,))}, 2)
    with pytest.raises(ValueError, match="two units"):
        session.begin()
    session.want({API: Rules()}, 3)
    assert go(session, made(OTHER), gone(FLOW)) == Applied(3)
