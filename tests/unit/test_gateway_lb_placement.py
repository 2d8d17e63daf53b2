"""Which port a container is behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.placement import port_of
from nib.errors import FieldError
from nib.intent import Container
from nib.mirror import Mirror, RowChange
from nib.places import port_called, switch_called
from nib.records import Record
from nib.topology import Port, Switch

S1, S2 = "00000000000000a1", "00000000000000a2"
MAC = "02:00:00:00:00:01"
FIRST = Port(S1, "veth1", 1, MAC, iface_id="pod-1")
NAMED_LIKE_A_NUMBER = Port(S1, "7", 3, MAC)
NUMBER_SEVEN = Port(S1, "veth7", 7, MAC)
BY_IFACE = Container("web", "c1", "10.0.1.1", 8080, MAC, iface_id="pod-1")
BY_PORT = replace(BY_IFACE, iface_id=None, switch=S1, switch_port="veth1")


def view_of(*records: Record) -> Mirror:
    mirror = Mirror()
    for record in records:
        mirror.apply(RowChange(None, record))
    return mirror


@pytest.mark.parametrize("container", [BY_IFACE, BY_PORT, replace(BY_PORT, switch_port="1")])
def test_a_container_is_behind_the_port_that_it_names(container: Container) -> None:
    assert port_of(container, view_of(FIRST)) == FIRST
    assert port_of(container, view_of()) is None
    assert port_of(container, view_of(replace(FIRST, switch=S2, iface_id="other"))) is None


def test_a_name_counts_more_than_a_number() -> None:
    assert port_called(S1, "7", view_of(NUMBER_SEVEN)) == NUMBER_SEVEN
    assert port_called(S1, "7", view_of(NUMBER_SEVEN, NAMED_LIKE_A_NUMBER)) == NAMED_LIKE_A_NUMBER


@pytest.mark.parametrize("called", ["01", "+1", " 1", "1 ", "0x1", "1.0", "", "²", "\u0661", "-1"])
def test_there_is_one_way_to_write_a_number(called: str) -> None:
    """Else a port that changes would not find who named it so; `int` reads more than that."""
    assert port_called(S1, called, view_of(FIRST)) is None


@pytest.mark.parametrize("called", [S1, S1.upper(), f"0x{S1}", "br0"])
def test_a_switch_is_called_by_id_or_name(called: str) -> None:
    here = Switch(S1, 1, "br0")
    assert switch_called(called, view_of(here, Switch(S2, 2, "br1"))) == here


def test_an_ambiguous_or_unknown_switch_names_the_choice() -> None:
    twins = view_of(Switch(S1, 1, "br0"), Switch(S2, 2, "br0"))
    with pytest.raises(FieldError, match=f"2 bridges.*{S1}, {S2}"):
        switch_called("br0", twins)
    with pytest.raises(FieldError, match=r"br0 \(00000000000000a1\)"):
        switch_called("br7", twins)
    with pytest.raises(FieldError, match="connect it first"):
        switch_called("br0", view_of())
