"""From rows to ledgers of connections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway_lb.admission import PATIENCE_MS, Answer, Attempt, Verdict
from gateway_lb.guarded import SETTLE_MS
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections
from nib.records import Key, LocalSlots, Record, SlotTable
from nib.topology import Switch
from nib.watch import Batch
from ryu_apps.punt_admission import Gate

NOW = 1_000_000
WEB = Service("web", "10.1.0.1", 80, number=1)
CAPPED = replace(WEB, max_connections=2)


def container(number: int, cap: int | None = None, state: str = "ready") -> Container:
    return Container(
        service="web",
        id=f"c{number}",
        address=f"10.0.0.{number}",
        port=80,
        mac=f"02:00:00:00:00:{number:02x}",
        switch=f"{1:016x}",
        switch_port=f"p{number}",
        number=number,
        max_connections=cap,
        state=state,
    )


class Database:
    """A mirror and the gate that hears of its changes."""

    def __init__(self, *records: Record) -> None:
        self.view = Mirror()
        self.gate = Gate()
        self.now = NOW
        self.put(*records)

    def put(self, *records: Record) -> None:
        self._absorb(RowChange(self.view.get(type(each), each.key), each) for each in records)

    def delete(self, kind: type[Record], key: Key) -> None:
        self._absorb([RowChange(self.view.need(kind, key), None)])

    def _absorb(self, changes: Iterable[RowChange]) -> None:
        taken = tuple(changes)
        for change in taken:
            self.view.apply(change)
        self.gate.absorb(Batch(1, taken), self.view, self.now)

    def syn(self, client: int, switch: str = "") -> Verdict | None:
        attempt = Attempt(b"%d" % client, 1, switch)
        verdict = self.gate.admit("web", attempt, self.view, self.now)
        self.gate.passed("web", b"%d" % client, self.now)
        return verdict

    def answers(self, clients: int = 4) -> list[Answer | None]:
        verdicts = [self.syn(client) for client in range(clients)]
        return [verdict.answer if verdict else None for verdict in verdicts]


ADMIT, REFUSE, WAIT = Answer.ADMIT, Answer.REFUSE, Answer.WAIT
SLOTS = SlotTable("web", (1,) * 64)


def test_without_a_cap_nobody_is_judged() -> None:
    assert Database(WEB, container(1), SLOTS).syn(1) is None


def test_at_the_start_a_count_is_awaited() -> None:
    database = Database(CAPPED, container(1), SLOTS, Connections("web", "c1", 1, NOW - 1))
    assert database.syn(1) == Verdict(WAIT)
    database.now += SETTLE_MS
    database.put(Connections("web", "c1", 1, database.now))
    assert database.answers() == [ADMIT, REFUSE, REFUSE, REFUSE]


def test_without_a_node_agent_nobody_is_admitted() -> None:
    database = Database(CAPPED, container(1), SLOTS)
    database.now += PATIENCE_MS + 1
    assert database.syn(1) == Verdict(REFUSE)


def test_a_container_that_appears_has_no_connection() -> None:
    database = Database(CAPPED)
    database.put(container(1), SLOTS)
    assert database.answers() == [ADMIT, ADMIT, REFUSE, REFUSE]
    uncapped = Database(WEB)
    uncapped.put(container(1, cap=1), SLOTS)
    assert uncapped.answers() == [ADMIT, REFUSE, REFUSE, REFUSE]


def test_a_cap_on_what_runs_awaits_a_count() -> None:
    database = Database(WEB, container(1), SLOTS)
    database.put(CAPPED)
    assert database.syn(1) == Verdict(WAIT)
    database.now += SETTLE_MS
    database.put(Connections("web", "c1", 1, database.now))
    assert database.answers() == [ADMIT, REFUSE, REFUSE, REFUSE]


def test_a_count_may_come_with_its_container() -> None:
    database = Database(CAPPED)
    database.put(container(1), SLOTS, Connections("web", "c1", 1, NOW + SETTLE_MS))
    assert database.answers() == [ADMIT, REFUSE, REFUSE, REFUSE]


def test_caps_that_change_and_go() -> None:
    database = Database(CAPPED)
    database.put(container(1), SLOTS)
    assert database.answers(2) == [ADMIT, ADMIT]
    database.put(replace(CAPPED, max_connections=3))
    assert database.syn(7) == Verdict(ADMIT, 1)
    database.put(WEB)
    assert database.syn(8) is None
    database.put(CAPPED)
    assert database.syn(8) == Verdict(WAIT)


def test_a_container_and_a_service_that_go() -> None:
    database = Database(CAPPED)
    database.put(container(1), container(2), SlotTable("web", (1, 2) * 32))
    assert database.answers() == [ADMIT, ADMIT, REFUSE, REFUSE]
    database.delete(Container, ("web", "c1"))
    database.delete(Container, ("web", "c2"))
    assert database.answers() == [REFUSE] * 4
    database.delete(Service, "web")
    assert database.syn(1) is None


def test_full_is_said_of_containers_that_are_ready() -> None:
    database = Database(CAPPED)
    assert not database.gate.is_full("web", database.view)
    database.put(container(1), SLOTS)
    assert not database.gate.is_full("web", database.view)
    database.answers(2)
    assert database.gate.is_full("web", database.view)
    database.put(container(1, state="draining"))
    assert not database.gate.is_full("web", database.view)


# ------------------------------------------------------------------------------ several switches

ONE, TWO = f"{1:016x}", f"{2:016x}"
SWITCHES = (Switch(ONE, 1, connected=True), Switch(TWO, 2, connected=True))


def counted(open_: int, at_ms: int, switch: str, number: int = 1) -> Connections:
    return Connections("web", f"c{number}", open_, at_ms, switch)


def test_caps_are_of_the_whole_network() -> None:
    database = Database(CAPPED, container(1), SLOTS, *SWITCHES)
    at_ms = NOW + SETTLE_MS
    database.put(counted(1, at_ms, ONE), counted(0, at_ms, TWO))
    database.now = at_ms
    assert database.syn(1, TWO) == Verdict(ADMIT, 1)
    assert database.syn(2, ONE) == Verdict(REFUSE)
    database.put(counted(0, at_ms + 1, ONE))
    assert database.syn(2, ONE) == Verdict(ADMIT, 1)
    assert database.syn(3, TWO) == Verdict(REFUSE)


def test_at_the_start_every_switch_with_a_row_is_awaited() -> None:
    database = Database(CAPPED, container(1), SLOTS, *SWITCHES, counted(1, NOW - 9, TWO))
    database.now += SETTLE_MS
    database.put(counted(0, database.now, ONE))
    assert database.syn(1, ONE) == Verdict(WAIT)
    database.put(counted(1, database.now, TWO))
    assert database.syn(1, ONE) == Verdict(ADMIT, 1)


def test_a_switch_that_disconnected_holds_nobody_up_for_long() -> None:
    database = Database(CAPPED, container(1), SLOTS, *SWITCHES, counted(1, NOW - 9, TWO))
    database.now += PATIENCE_MS + 1
    database.put(counted(0, database.now, ONE))
    assert database.syn(1, ONE) == Verdict(REFUSE)
    database.put(replace(SWITCHES[1], connected=False))
    assert database.syn(1, ONE) == Verdict(ADMIT, 1)
    assert database.syn(2, ONE) == Verdict(REFUSE), "what it counted last stands"
    database.delete(Connections, ("web", "c1", TWO))
    assert database.syn(2, ONE) == Verdict(ADMIT, 1)


def test_a_controller_that_begins_to_lead_trusts_no_count_from_before() -> None:
    database = Database(CAPPED, *SWITCHES)
    database.put(container(1), SLOTS)
    database.now += 10_000
    database.put(counted(0, database.now - 1, ONE))
    assert database.syn(1, ONE) == Verdict(ADMIT, 1)
    database.gate.begin(database.view, database.now)
    assert database.syn(2, ONE) == Verdict(WAIT)
    database.now += SETTLE_MS
    database.put(counted(1, database.now, ONE))
    assert database.syn(2, ONE) == Verdict(ADMIT, 1)
    assert database.syn(3, ONE) == Verdict(REFUSE)


def test_with_locality_the_switch_s_own_containers_first_and_the_others_when_they_are_full() -> (
    None
):
    database = Database(replace(WEB, locality="prefer"), *SWITCHES)
    database.put(container(1, cap=1), container(2, cap=1), SlotTable("web", (1, 2) * 32))
    database.put(LocalSlots("web", ONE, (1,) * 64), LocalSlots("web", TWO, (2,) * 64))
    assert database.syn(1, TWO) == Verdict(ADMIT, 2)
    assert database.syn(2, TWO) == Verdict(ADMIT, 1)
    assert database.syn(3, TWO) == Verdict(REFUSE)
