"""When a controller claims leadership; times are seconds after the candidate was made."""

from __future__ import annotations

from nib.leadership import Standing
from nib.records import Leader
from ryu_apps.election import Beat, Candidate, Claim, GiveWay

AWAY = Standing()
THERE = Standing(connected=True)
LOCKED = Standing(connected=True, locked=True)
OTHER = Leader(4, "other")


def candidate(row: Leader | None = None, standing: Standing = THERE) -> Candidate:
    """One that knows this row and stands so since time 0."""
    made = Candidate("me", 0.0)
    made.sees(row, 0.0)
    made.stands(standing, 0.0)
    return made


def leader(epoch: int = 1) -> Candidate:
    """One that leads since time 0."""
    made = candidate(None if epoch == 1 else Leader(epoch - 1, "other"), LOCKED)
    made.sees(Leader(epoch, "me"), 0.0)
    assert made.claimed(epoch, 0.0) == []
    assert made.epoch == epoch
    return made


def ticks(made: Candidate, until: float, since: float = 0.0) -> list[object]:
    """All that it does in quarters of a second."""
    count = round((until - since) * 4)
    return [step for n in range(1, count + 1) for step in made.tick(since + n / 4)]


def test_the_first_claims_at_once() -> None:
    made = Candidate("me", 0.0)
    assert made.sees(None, 0.0) == []
    assert made.stands(THERE, 0.0) == []
    assert made.stands(LOCKED, 0.1) == [Claim(None, 1)]


def test_one_that_starts_where_the_leader_died_claims_at_once() -> None:
    made = Candidate("me", 0.0)
    made.sees(OTHER, 0.0)
    assert made.stands(LOCKED, 0.0) == [Claim(4, 5)]


def test_a_lock_that_comes_free_is_a_reason_to_claim() -> None:
    made = candidate(OTHER)
    assert ticks(made, 1.0) == []
    assert made.stands(LOCKED, 1.0) == [Claim(4, 5)]


def test_without_the_lock_a_silent_leader_is_replaced_after_its_lease() -> None:
    made = candidate(OTHER)
    assert ticks(made, 1.0) == []
    made.sees(Leader(4, "other", beat=1), 1.0)
    assert ticks(made, 2.75, since=1.0) == []
    assert made.tick(3.0) == [Claim(4, 5)]
    assert made.tick(3.25) == [], "one at a time"


def test_after_a_reconnection_the_leader_has_its_time_again() -> None:
    """It reconnects too; whoever gets the lock first is no leader by that."""
    made = candidate(OTHER)
    ticks(made, 1.0)
    made.stands(AWAY, 1.0)
    assert ticks(made, 9.0, since=1.0) == []
    assert made.stands(LOCKED, 9.0) == []
    assert ticks(made, 10.75, since=9.0) == []
    assert made.tick(11.0) == [Claim(4, 5)]


def test_a_lock_that_comes_soon_after_a_reconnection_is_no_reason_to_claim() -> None:
    """Another server has it now: everybody asks anew, and one is the first."""
    made = candidate(OTHER)
    ticks(made, 1.0)
    made.stands(AWAY, 1.0)
    made.stands(THERE, 4.0)
    made.tick(4.0)
    assert made.stands(LOCKED, 4.1) == []
    assert ticks(made, 5.75, since=4.0) == []
    assert made.tick(6.0) == [Claim(4, 5)], "the leader did not come back"


def test_a_lock_that_comes_free_later_is_one() -> None:
    made = candidate(OTHER)
    made.stands(AWAY, 1.0)
    made.stands(THERE, 4.0)
    assert ticks(made, 5.5, since=4.0) == []
    made.sees(Leader(4, "other", beat=1), 5.5)
    assert made.stands(LOCKED, 6.0) == [Claim(4, 5)]


def test_the_lock_is_given_to_a_leader_that_lives() -> None:
    made = candidate(OTHER)
    made.stands(AWAY, 0.5)
    made.stands(LOCKED, 1.0)
    assert made.sees(Leader(4, "other", beat=1), 1.5) == [GiveWay()]
    made.stands(THERE, 1.5)
    assert made.stands(LOCKED, 1.6) == [], "nobody wanted it"
    assert made.sees(Leader(4, "other", beat=2), 2.0) == [], "not again and again"


def test_who_slept_does_not_take_its_own_silence_for_the_leaders() -> None:
    made = candidate(OTHER)
    ticks(made, 1.0)
    assert made.tick(60.0) == []
    assert made.tick(60.25) == []


def test_a_leader_beats_and_goes_on_without_the_database() -> None:
    made = leader()
    assert ticks(made, 1.0) == [Beat(1), Beat(1)]
    made.stands(AWAY, 1.0)
    assert ticks(made, 60.0, since=1.0) == []
    assert made.epoch == 1
    assert made.stands(THERE, 60.0) == [Beat(1)]


def test_a_leader_that_sees_another_steps_down_and_gives_way() -> None:
    made = leader()
    assert made.sees(Leader(2, "other"), 1.0) == [GiveWay()]
    assert made.epoch == 0
    assert made.tick(1.25) == []


def test_its_own_name_with_another_epoch_is_another() -> None:
    made = leader()
    made.sees(Leader(2, "me"), 1.0)
    assert made.epoch == 0


def test_a_claim_that_was_overtaken_does_not_lead() -> None:
    made = candidate(None, LOCKED)
    made.sees(Leader(1, "me"), 0.1)
    made.sees(Leader(2, "other"), 0.1)
    made.claimed(1, 0.1)
    assert made.epoch == 0


def test_a_claim_that_failed_is_tried_again() -> None:
    made = candidate(None, LOCKED)
    assert made.claimed(None, 0.1) == []
    assert made.tick(0.25) == [Claim(None, 1)]


def test_a_switch_that_knows_a_later_epoch_is_outdone_where_the_database_is_ours() -> None:
    made = leader()
    assert made.outranked(40, 3.0) == [Claim(1, 41)]
    assert made.epoch == 0
    made.sees(Leader(41, "me"), 3.1)
    made.claimed(41, 3.1)
    assert made.epoch == 41
    assert made.outranked(50, 3.2) == [], "not in a circle"
    assert made.epoch == 0


def test_one_that_a_switch_outranks_while_another_leads_just_steps_down() -> None:
    made = leader()
    made.stands(AWAY, 1.0)
    assert made.outranked(2, 3.0) == []
    assert made.epoch == 0
    made.sees(Leader(2, "other"), 4.0)
    assert made.stands(THERE, 4.0) == []


def test_an_epoch_before_ours_is_no_reason() -> None:
    made = leader(5)
    assert made.outranked(4, 1.0) == []
    assert made.epoch == 5


def test_an_empty_database_is_claimed_beyond_what_was_known() -> None:
    made = leader(5)
    made.stands(AWAY, 1.0)
    made.sees(None, 2.0)
    assert made.epoch == 0
    assert made.stands(LOCKED, 2.0) == [Claim(None, 6)]
