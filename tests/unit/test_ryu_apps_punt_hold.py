"""What is held, for how long, and how it is given back."""

from __future__ import annotations

from ryu_apps import punt_hold
from ryu_apps.punt_hold import MAX_AGE, MAX_OF_A_SERVICE, Held, Holding

WEB, DB = 1, 2


def packet(client: int, since: float = 0.0, frame: bytes = b"") -> Held:
    return Held("s1", 3, b"%d" % client, frame or b"frame of %d" % client, since)


class Switch:
    """Takes what is given back; until it is programmed everything returns."""

    def __init__(self, holding: Holding, service: int = WEB) -> None:
        self.holding = holding
        self.service = service
        self.taken: list[bytes] = []
        self.times: list[tuple[float, int]] = []

    def run(self, begun: float, programmed_at: float) -> float:
        """Steps until the end; returns when that was."""
        now = begun
        assert self.holding.begin(self.service)
        while True:
            given, pause = self.holding.step(self.service, now)
            if given:
                self.times.append((now, len(given)))
            for each in given:
                if now >= programmed_at:
                    self.taken.append(each.client)
                else:
                    assert self.holding.keep(self.service, packet(int(each.client), since=now))
            if pause is None:
                return now
            now += pause


def test_nothing_is_lost_while_the_switch_is_not_ready() -> None:
    holding = Holding()
    for client in range(200):
        assert holding.keep(WEB, packet(client))
    switch = Switch(holding)
    end = switch.run(begun=0.0, programmed_at=0.4)
    assert sorted(switch.taken, key=int) == [b"%d" % client for client in range(200)]
    assert (holding.held, holding.keep(DB, packet(1))) == (0, True)
    tries = [how_many for at, how_many in switch.times if at < 0.4]
    assert set(tries) == {1}  # one packet asks whether the switch is ready
    assert 4 < len(tries) < 12
    assert end < 2.5


def test_a_ready_switch_is_given_all_within_a_fifth_of_a_second() -> None:
    holding = Holding()
    for client in range(256):
        holding.keep(WEB, packet(client))
    switch = Switch(holding)
    switch.run(begun=5.0, programmed_at=0.0)
    assert switch.times[0] == (5.0, 1)
    assert switch.times[-1][0] < 5.2
    assert max(how_many for _, how_many in switch.times) == 32


def test_the_newest_of_a_client_is_kept() -> None:
    holding = Holding()
    holding.keep(WEB, packet(1, frame=b"old"))
    holding.keep(WEB, packet(1, since=1.0, frame=b"new"))
    holding.begin(WEB)
    given, _ = holding.step(WEB, 2.0)
    assert [each.frame for each in given] == [b"new"]


def test_a_packet_that_returns_does_not_grow_younger() -> None:
    holding = Holding()
    holding.keep(WEB, packet(1, since=0.0))
    holding.begin(WEB)
    holding.step(WEB, 50.0)
    holding.keep(WEB, packet(1, since=50.1))
    assert [each.since for each in holding.expire(MAX_AGE)] == [0.0]
    assert holding.held == 0


def test_old_packets_go() -> None:
    holding = Holding()
    holding.keep(WEB, packet(1, since=0.0))
    holding.keep(WEB, packet(2, since=1.0))
    assert [each.client for each in holding.expire(MAX_AGE)] == [b"1"]
    assert holding.expire(MAX_AGE + 0.5) == []
    assert holding.held == 1


def test_bounds_of_a_service_and_of_all() -> None:
    holding = Holding()
    for client in range(MAX_OF_A_SERVICE):
        assert holding.keep(WEB, packet(client))
    assert not holding.keep(WEB, packet(999))
    assert holding.keep(WEB, packet(0, frame=b"again"))
    for service in range(DB, 200):
        for client in range(MAX_OF_A_SERVICE):
            holding.keep(service, packet(client))
    assert holding.held == punt_hold.MAX_PACKETS


def test_a_service_whose_slots_go_again_holds_on() -> None:
    holding = Holding()
    holding.keep(WEB, packet(1))
    holding.begin(WEB)
    holding.stop(WEB)
    assert holding.step(WEB, 1.0) == ([], None)
    assert holding.held == 1
    assert holding.begin(WEB)


def test_a_service_that_is_gone() -> None:
    holding = Holding()
    holding.keep(WEB, packet(1))
    holding.keep(DB, packet(1))
    holding.drop(WEB)
    holding.drop(WEB)
    assert holding.held == 1
    assert not holding.begin(WEB)


def test_giving_back_begins_once() -> None:
    holding = Holding()
    assert not holding.begin(WEB)
    holding.keep(WEB, packet(1))
    assert holding.begin(WEB)
    assert not holding.begin(WEB)
