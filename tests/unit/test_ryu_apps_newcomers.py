"""Where stations were that were only just heard."""

from __future__ import annotations

from nib.topology import Port
from ryu_apps.newcomers import Newcomers

PORT, AWAY = (
    Port(f"{number:016x}", "p1", 1, f"02:00:00:00:ff:{number:02x}", up=True) for number in (1, 2)
)
MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"


def test_a_station_that_was_just_heard_is_where_it_was_heard_last_for_a_while() -> None:
    newcomers = Newcomers(2.0)
    newcomers.note(MAC, PORT, 10.0)
    newcomers.note(MAC, AWAY, 11.0)
    assert newcomers.port_of(MAC, 12.9) == AWAY
    assert newcomers.port_of(MAC, 13.0) is None
    assert newcomers.port_of(OTHER, 11.0) is None


def test_of_very_many_newcomers_the_last_ones_are_remembered() -> None:
    newcomers = Newcomers(2.0)
    macs = [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(5000)]
    for mac in macs:
        newcomers.note(mac, PORT, 10.0)
    assert newcomers.port_of(macs[0], 10.0) is None
    assert newcomers.port_of(macs[-1], 10.0) == PORT
