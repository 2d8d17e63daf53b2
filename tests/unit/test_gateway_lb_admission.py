"""Who may have one more connection, case by case."""

from __future__ import annotations

from collections.abc import Mapping

from gateway_lb.admission import PATIENCE_MS, Admission, Answer, Attempt, Verdict
from gateway_lb.guarded import SETTLE_MS

NOW = 1_000_000
SLOTS = (1, 2, 3) * 16
WAIT, REFUSE = Verdict(Answer.WAIT), Verdict(Answer.REFUSE)


def client(number: int, serial: int = 1) -> Attempt:
    return Attempt(b"client %d" % number, serial)


def ledger(
    caps: Mapping[int, int | None], total: int | None = None, *, unused: bool = True
) -> Admission:
    made = Admission()
    made.guard(caps, total, NOW, tuple(caps) if unused else ())
    return made


def admitted(made: Admission, attempt: Attempt, now: int = NOW) -> int:
    verdict = made.admit(attempt, SLOTS, now)
    assert verdict.answer is Answer.ADMIT, verdict
    made.passed(attempt.client, now)
    return verdict.container


def test_each_container_up_to_its_cap_and_then_nobody() -> None:
    made = ledger({1: 1, 2: 2, 3: 0})
    assert sorted(admitted(made, client(n)) for n in range(3)) == [1, 2, 2]
    assert made.admit(client(9), SLOTS, NOW) == REFUSE


def test_a_container_without_a_cap_takes_what_is_left() -> None:
    made = ledger({1: 1, 2: None, 3: 1})
    chosen = [admitted(made, client(n)) for n in range(10)]
    assert sorted(chosen) == [1] + [2] * 8 + [3]


def test_the_cap_of_all_together() -> None:
    made = ledger({1: None, 2: 5, 3: 5}, total=2)
    admitted(made, client(1))
    admitted(made, client(2))
    assert made.admit(client(3), SLOTS, NOW) == REFUSE


def test_only_containers_with_slots_are_chosen() -> None:
    made = ledger({1: 1, 2: 1})
    assert made.admit(client(1), (2,), NOW).container == 2
    assert made.admit(client(2), (2,), NOW) == REFUSE
    assert made.admit(client(2), (), NOW) == REFUSE


def test_first_choice_follows_the_slots() -> None:
    made = ledger({1: None, 2: None}, total=10_000)
    slots = (1, 1, 1, 2)
    chosen = [made.admit(client(n), slots, NOW).container for n in range(4000)]
    assert 2850 < chosen.count(1) < 3150


def test_a_syn_sent_again_is_one_connection() -> None:
    made = ledger({1: 1})
    first = made.admit(client(1), SLOTS, NOW)
    again = made.admit(client(1), SLOTS, NOW + 1000)
    assert (first.again, again.again, again.container) == (False, True, 1)
    assert made.admit(client(2), SLOTS, NOW + 1000) == REFUSE


def test_a_count_settles_older_permits_and_makes_room() -> None:
    made = ledger({1: 1})
    admitted(made, client(1))
    made.counted(1, 0, NOW + SETTLE_MS - 1)
    assert made.admit(client(2), SLOTS, NOW + 500) == REFUSE
    made.counted(1, 0, NOW + SETTLE_MS)
    assert admitted(made, client(2), NOW + 500) == 1


def test_a_permit_does_not_settle_before_its_syn_is_out() -> None:
    made = ledger({1: 1})
    made.admit(client(1), SLOTS, NOW)
    made.admit(client(1), SLOTS, NOW + 10)
    made.passed(client(1).client, NOW + 20)
    made.counted(1, 0, NOW + 5000)
    assert made.admit(client(2), SLOTS, NOW + 5000) == REFUSE
    made.passed(client(1).client, NOW + 5000)
    made.counted(1, 0, NOW + 6000)
    assert admitted(made, client(2), NOW + 6000) == 1


def test_a_syn_of_a_settled_permit_is_never_refused_nor_sent_elsewhere() -> None:
    made = ledger({1: 1, 2: 1})
    number = admitted(made, client(1))
    made.counted(number, 1, NOW + 1000)
    assert made.admit(client(1), SLOTS, NOW + 1000) == WAIT
    made.counted(number, 0, NOW + 2000)
    assert made.admit(client(1), SLOTS, NOW + 2000) == Verdict(Answer.ADMIT, number, again=True)


def test_a_client_that_begins_anew_chooses_anew() -> None:
    made = ledger({1: 1, 2: 1})
    number = admitted(made, client(1))
    made.counted(number, 1, NOW + 1000)
    assert admitted(made, client(1, serial=2), NOW + 1000) == 3 - number


def test_what_was_never_counted_is_waited_for_and_then_refused() -> None:
    made = ledger({1: 5}, unused=False)
    assert made.admit(client(1), SLOTS, NOW) == WAIT
    assert made.admit(client(1), SLOTS, NOW + PATIENCE_MS + 1) == REFUSE
    made.counted(1, 4, NOW + SETTLE_MS - 1)  # may lack what was let through before
    assert made.admit(client(1), SLOTS, NOW + PATIENCE_MS + 1) == REFUSE
    made.counted(1, 4, NOW + SETTLE_MS)
    assert admitted(made, client(1), NOW + SETTLE_MS) == 1


def test_the_cap_of_all_waits_for_the_count_of_all() -> None:
    made = ledger({1: None, 2: None}, total=5, unused=False)
    made.counted(1, 0, NOW + SETTLE_MS)
    assert made.admit(client(1), SLOTS, NOW + SETTLE_MS) == WAIT
    made.counted(2, 4, NOW + SETTLE_MS)
    admitted(made, client(1), NOW + SETTLE_MS)
    assert made.admit(client(2), SLOTS, NOW + SETTLE_MS) == REFUSE


def test_an_older_count_changes_nothing() -> None:
    made = ledger({1: 2})
    made.counted(1, 2, NOW + 2000)
    made.counted(1, 0, NOW + 1000)
    assert made.admit(client(1), SLOTS, NOW + 2000) == REFUSE


def test_guarding_again_keeps_what_is_known() -> None:
    made = ledger({1: 2, 2: 2})
    number = admitted(made, client(1))
    made.guard({number: 1}, None, NOW + 100)
    assert made.admit(client(2), SLOTS, NOW + 100) == REFUSE
    made.guard({number: 2}, None, NOW + 200)
    assert admitted(made, client(2), NOW + 200) == number


def test_a_container_that_is_gone_and_comes_back_is_counted_first() -> None:
    made = ledger({1: 1, 2: 1})
    made.guard({2: 1}, None, NOW)
    made.guard({1: 1, 2: 1}, None, NOW)
    assert {made.admit(client(n), SLOTS, NOW).container for n in range(4)} == {2, 0}


def test_full() -> None:
    made = ledger({1: 1, 2: 1})
    assert not made.is_full((1, 2))
    admitted(made, client(1))
    admitted(made, client(2))
    assert made.is_full((1, 2))
    assert not made.is_full(())
    assert not ledger({1: 1}, unused=False).is_full((1,))


def test_ten_thousand_clients_that_come_and_go_are_not_remembered_for_ever() -> None:
    made = ledger({1: 1})
    now = NOW
    for number in range(10_000):
        now += 2 * SETTLE_MS
        admitted(made, client(number), now)
        made.counted(1, 0, now + SETTLE_MS)
    assert len(made._settled) < 200


# ------------------------------------------------------------------------------ several switches


def via(number: int, switch: str) -> Attempt:
    return Attempt(b"client %d" % number, 1, switch)


def test_connections_of_all_switches_are_one_sum() -> None:
    made = ledger({1: 5}, unused=False)
    made.counted(1, 2, NOW + SETTLE_MS, "s1")
    made.counted(1, 2, NOW + SETTLE_MS, "s2")
    admitted(made, via(1, "s1"), NOW + SETTLE_MS)
    assert made.admit(via(2, "s2"), SLOTS, NOW + SETTLE_MS) == REFUSE
    made.counted(1, 1, NOW + SETTLE_MS + 1, "s2")
    admitted(made, via(2, "s2"), NOW + SETTLE_MS)


def test_a_permit_is_settled_by_the_count_of_its_own_switch_alone() -> None:
    made = ledger({1: 1})
    admitted(made, via(1, "s1"))
    made.counted(1, 0, NOW + SETTLE_MS, "s2")
    assert made.admit(via(2, "s2"), SLOTS, NOW + SETTLE_MS) == REFUSE
    made.counted(1, 0, NOW + SETTLE_MS, "s1")
    admitted(made, via(2, "s2"), NOW + SETTLE_MS)


def test_a_client_that_appears_at_another_switch_is_settled_by_both() -> None:
    made = ledger({1: 1})
    admitted(made, via(1, "s1"))
    assert made.admit(via(1, "s2"), SLOTS, NOW).again
    made.passed(via(1, "s2").client, NOW)
    made.counted(1, 0, NOW + SETTLE_MS, "s1")
    made.counted(1, 0, NOW + SETTLE_MS - 1, "s2")
    assert made.admit(via(2, "s1"), SLOTS, NOW + SETTLE_MS) == REFUSE
    made.counted(1, 0, NOW + SETTLE_MS, "s2")
    admitted(made, via(2, "s1"), NOW + SETTLE_MS)


def test_a_fresh_count_is_awaited_of_every_switch_that_has_counted_before() -> None:
    made = ledger({1: 3}, unused=False)
    made.heed(("s1", "s2"))
    made.counted(1, 1, NOW - 1, "s2")
    made.counted(1, 0, NOW + SETTLE_MS, "s1")
    assert made.admit(via(1, "s1"), SLOTS, NOW + SETTLE_MS) == WAIT
    made.counted(1, 2, NOW + SETTLE_MS, "s2")
    admitted(made, via(1, "s1"), NOW + SETTLE_MS)
    assert made.admit(via(2, "s1"), SLOTS, NOW + SETTLE_MS) == REFUSE


def test_the_last_word_of_a_switch_that_is_not_connected_stands_after_a_while() -> None:
    made = ledger({1: 3}, unused=False)
    made.heed(("s1",))
    made.counted(1, 2, NOW - 1, "s2")
    made.counted(1, 0, NOW + SETTLE_MS, "s1")
    assert made.admit(via(1, "s1"), SLOTS, NOW + PATIENCE_MS) == WAIT
    later = NOW + PATIENCE_MS + 1
    admitted(made, via(1, "s1"), later)
    assert made.admit(via(2, "s1"), SLOTS, later) == REFUSE
    made.heed(("s1", "s2"))
    assert made.admit(via(2, "s1"), SLOTS, later) == REFUSE, "connected, and nobody counts there"
    made.uncounted(1, "s2")
    admitted(made, via(2, "s1"), later)


def test_a_switch_where_nobody_counts_admits_nobody() -> None:
    made = ledger({1: 5}, unused=False)
    made.counted(1, 0, NOW + SETTLE_MS, "s1")
    later = NOW + 100 * PATIENCE_MS
    assert made.admit(via(1, "s2"), SLOTS, later) == WAIT
    assert made.admit(via(1, "s2"), SLOTS, later + PATIENCE_MS + 1) == REFUSE
    admitted(made, via(2, "s1"), later)
    made.counted(1, 0, later, "s2")
    admitted(made, via(1, "s2"), later)
