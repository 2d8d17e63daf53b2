"""Several switches in step, event by event; tests/property lets them meet everything."""

from __future__ import annotations

from dataclasses import replace

from openflow import tables
from openflow.cookies import OWNER_COOKIE
from openflow.values import Flow, Output, Rules, match
from ryu_apps.diff import Changes, Installed
from ryu_apps.lockstep import Lockstep, Steps
from ryu_apps.session import RETRY_SECONDS, Applied, Phase, Program, ReadBack, Retry, Session, Step
from ryu_apps.units import Unit

WEB, API, DNS = (Unit("service", name) for name in ("web", "api", "dns"))
OLD = Flow(tables.FORWARD.number, 80, match(eth_dst=1), (Output(1),), OWNER_COOKIE)
NEW = Flow(tables.ENDPOINT.number, 80, match(eth_dst=1), (Output(2),), OWNER_COOKIE)
A, B, C = "a", "b", "c"


def way(hops: int) -> Flow:
    """OLD, leading elsewhere."""
    return replace(OLD, actions=(Output(9),), hops=hops)


def put(*flows: Flow) -> Program:
    return Program((Changes(put_flows=flows),))


def delete(*flows: Flow) -> Program:
    return Program((Changes(delete_flows=flows),))


def rules(*flows: Flow) -> dict[Unit, Rules]:
    return {WEB: Rules(flows)}


def together(*dpids: str) -> Lockstep:
    """These switches hold OLD, and are up to date with generation 1."""
    lockstep = Lockstep()
    for dpid in dpids:
        join(lockstep, dpid)
    return lockstep


def join(lockstep: Lockstep, dpid: str) -> None:
    assert lockstep.join(dpid, Session(rules(OLD), 1)) == [(dpid, ReadBack())]
    assert lockstep.read(dpid, Installed({OLD.key: OLD})) == [(dpid, Applied(1))]


def test_a_phase_waits_for_all_of_the_phase_before() -> None:
    lockstep = together(A, B)
    wanted = rules(OLD, NEW)
    assert lockstep.want({A: wanted, B: wanted}, 2) == [(A, put(NEW)), (B, put(NEW))]
    assert lockstep.acknowledged(B, []) == []
    assert lockstep.acknowledged(A, []) == [(A, Applied(2)), (B, Applied(2))]
    assert lockstep.want({A: rules(OLD), B: rules(NEW)}, 3) == [(A, delete(NEW)), (B, delete(OLD))]


def test_make_comes_before_break_whichever_switch_has_it() -> None:
    lockstep = together(A, B)
    assert lockstep.want({A: rules(), B: rules(OLD, NEW)}, 2) == [(B, put(NEW))]
    assert lockstep.acknowledged(B, []) == [(A, delete(OLD))]
    assert lockstep.acknowledged(A, []) == [(A, Applied(2)), (B, Applied(2))]


def test_ways_change_from_their_destination_outwards() -> None:
    lockstep = together(A, B, C)
    wanted = {A: rules(way(2)), B: rules(way(0)), C: rules(way(1))}
    assert lockstep.want(wanted, 2) == [(B, put(way(0)))]
    assert lockstep.acknowledged(B, []) == [(C, put(way(1)))]
    assert lockstep.acknowledged(C, []) == [(A, put(way(2)))]
    assert lockstep.acknowledged(A, []) == [(dpid, Applied(2)) for dpid in (A, B, C)]


def test_one_switch_alone_needs_no_more_batches_than_it_ever_did() -> None:
    lockstep = together(A)
    make_and_turn = Program((Changes(put_flows=(NEW,)), Changes(put_flows=(way(3),))))
    assert lockstep.want({A: rules(way(3), NEW)}, 2) == [(A, make_and_turn)]
    assert lockstep.acknowledged(A, []) == [(A, Applied(2))]


def test_the_last_to_have_anything_left_is_not_held_up() -> None:
    lockstep = together(A, B)
    assert len(lockstep.want({A: rules(OLD, NEW), B: {}}, 2)) == 1
    assert lockstep.acknowledged(A, []) == [(A, Applied(2)), (B, Applied(2))]


def test_what_comes_during_a_round_makes_the_next() -> None:
    lockstep = together(A, B)
    lockstep.want({A: rules(OLD, NEW), B: {}}, 2)
    assert lockstep.want({A: {}, B: rules()}, 3) == []
    applied: Steps = [(A, Applied(2)), (B, Applied(2))]
    assert lockstep.acknowledged(A, []) == [*applied, (B, delete(OLD))]
    assert lockstep.acknowledged(B, []) == [(A, Applied(3)), (B, Applied(3))]


def test_a_generation_without_a_change_is_applied_at_once() -> None:
    lockstep = together(A, B)
    assert lockstep.want({A: {}, B: {}}, 2) == [(A, Applied(2)), (B, Applied(2))]
    assert lockstep.want({A: {}, B: {}}, 2) == []
    assert lockstep.want({C: {}}, 3) == []


def test_a_new_switch_works_alone_and_then_with_the_others() -> None:
    lockstep = together(A)
    lockstep.join(B, Session(rules(OLD, NEW), 1))
    assert lockstep.want({A: rules(OLD, NEW), B: {}}, 2) == [(A, put(NEW))]
    assert lockstep.read(B, Installed({OLD.key: OLD})) == [(B, put(NEW))]
    assert lockstep.acknowledged(A, []) == [(A, Applied(2))]
    assert lockstep.acknowledged(B, []) == [(B, Applied(2))]
    assert lockstep.want({A: rules(OLD), B: rules(OLD)}, 3) == [(A, delete(NEW)), (B, delete(NEW))]


def test_a_switch_that_refuses_holds_nobody_up_and_starts_anew() -> None:
    lockstep = together(A, B)
    lockstep.want({A: rules(NEW), B: rules(NEW)}, 2)
    assert lockstep.acknowledged(A, ["full"]) == [(A, Retry(RETRY_SECONDS[0]))]
    assert lockstep.acknowledged(B, []) == [(B, delete(OLD))]
    assert lockstep.acknowledged(B, []) == [(B, Applied(2))]
    assert lockstep.retry(B) == []
    assert lockstep.retry(A) == [(A, ReadBack())]
    assert lockstep.read(A, Installed({OLD.key: OLD})) == [(A, put(NEW))]
    assert lockstep.acknowledged(A, []) == [(A, delete(OLD))]
    assert lockstep.acknowledged(A, []) == [(A, Applied(2))]


def test_a_late_switch_holds_nobody_up_and_goes_on_when_it_answers() -> None:
    lockstep = together(A, B)
    lockstep.want({A: rules(NEW), B: rules(NEW)}, 2)
    assert lockstep.acknowledged(A, []) == []
    assert lockstep.late(A) == []
    assert lockstep.late(B) == [(A, delete(OLD))]
    assert lockstep.late(B) == []
    assert lockstep.acknowledged(A, []) == [(A, Applied(2))]
    assert lockstep.want({A: {}, B: rules(OLD)}, 3) == [(A, Applied(3))]
    assert lockstep.acknowledged(B, []) == [(B, delete(OLD))]
    assert lockstep.acknowledged(B, []) == [(B, Applied(2)), (B, put(OLD))]
    assert lockstep.acknowledged(B, []) == [(B, delete(NEW))]
    assert lockstep.acknowledged(B, []) == [(B, Applied(3))]


def test_the_others_go_on_when_a_switch_is_gone() -> None:
    lockstep = together(A, B)
    lockstep.want({A: rules(NEW), B: rules(NEW)}, 2)
    assert lockstep.acknowledged(A, []) == []
    assert lockstep.leave(B) == [(A, delete(OLD))]
    assert lockstep.session(B) is None
    assert lockstep.acknowledged(B, []) == []
    assert lockstep.acknowledged(A, []) == [(A, Applied(2))]
    assert lockstep.leave(A) == []


def test_who_connects_again_has_left_by_that() -> None:
    lockstep = together(A, B)
    lockstep.want({A: {}, B: rules(OLD, NEW)}, 2)
    again: list[tuple[str, Step]] = [(A, Applied(2)), (B, ReadBack())]
    assert lockstep.join(B, Session(rules(OLD), 2)) == again


def test_a_read_back_of_a_resting_switch_repairs_it() -> None:
    lockstep = together(A, B)
    assert lockstep.read(A, Installed({NEW.key: NEW})) == [(A, put(OLD))]
    assert lockstep.read(A, Installed()) == [], "it works"
    assert lockstep.acknowledged(A, []) == [(A, delete(NEW))]
    assert lockstep.acknowledged(A, []) == [(A, Applied(1)), (B, Applied(1))]
    assert lockstep.read(C, Installed()) == []


def test_a_fault_in_what_one_switch_shall_hold_is_that_switch_s() -> None:
    lockstep = together(A, B)
    twice = {WEB: Rules((NEW,)), API: Rules((NEW,))}
    steps = lockstep.want({A: twice, B: rules(OLD, NEW)}, 2)
    assert steps == [(A, Retry(RETRY_SECONDS[0])), (B, put(NEW))]
    session = lockstep.session(A)
    assert session is not None
    assert "two units" in session.problem
    assert lockstep.acknowledged(B, []) == [(B, Applied(2))]
    lockstep.retry(A)
    assert lockstep.read(A, Installed()) == [(A, Retry(RETRY_SECONDS[1]))]
    assert lockstep.want({A: {API: Rules()}, B: {}}, 3) == [(B, Applied(3))]
    lockstep.retry(A)
    assert lockstep.read(A, Installed({NEW.key: NEW})) == [(A, Applied(3))]
    assert session.phase is Phase.RESTING
