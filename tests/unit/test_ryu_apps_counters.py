"""Totals that only grow, and what flows count."""

from __future__ import annotations

import pytest

from gateway_lb.pipeline import Placed, base_rules, host_rules, service_rules, vip_rules
from nib.records import Container, Service
from openflow import tables
from openflow.cookies import Cookie, Kind, with_epoch
from ryu_apps import forwarding
from ryu_apps.counters import Series, Totals, series_of

WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:11", iface_id="pod-1", number=2)


def totals_of(*readings: tuple[int, ...]) -> tuple[int, ...]:
    totals: Totals[str] = Totals()
    for values in readings:
        totals.read("key", values)
    return dict(totals)["key"]


def test_a_total_is_the_first_reading_and_what_it_grew_since() -> None:
    assert totals_of((5, 500)) == (5, 500)
    assert totals_of((5, 500), (7, 700), (7, 700)) == (7, 700)


def test_a_counter_that_starts_again_counts_from_zero() -> None:
    assert totals_of((5, 500), (2, 200), (3, 300)) == (8, 800)
    assert totals_of((5, 500), (0, 0), (0, 0)) == (5, 500)


def test_each_counter_starts_again_for_itself() -> None:
    assert totals_of((5, 500), (6, 50)) == (6, 550)


def test_keys_do_not_mix() -> None:
    totals: Totals[str] = Totals()
    totals.read("a", (1,))
    totals.read("b", (10,))
    totals.read("a", (2,))
    assert dict(totals) == {"a": (2,), "b": (10,)}


def test_what_is_not_wanted_any_more_is_forgotten() -> None:
    totals: Totals[str] = Totals()
    totals.read("a", (5,))
    totals.read("b", (5,))
    totals.keep(lambda key: key == "a")
    assert dict(totals) == {"a": (5,)}
    totals.read("b", (3,))
    assert dict(totals)["b"] == (3,)


def test_totals_may_grow_while_they_are_looked_at() -> None:
    totals: Totals[str] = Totals()
    totals.read("a", (1,))
    for key, _ in totals:
        totals.read(f"{key}+", (1,))
    assert len(dict(totals)) == 2


def test_a_reading_of_another_shape_is_an_error() -> None:
    totals: Totals[str] = Totals()
    totals.read("a", (1, 2))
    with pytest.raises(ValueError, match="zip"):
        totals.read("a", (1,))


def test_every_series_of_a_service_and_its_containers_has_one_flow() -> None:
    """Two flows of one series would be read as one counter that jumps."""
    rules = service_rules(WEB, [Placed(C1, 1)], (2,) * 64, 1)
    series = [series_of(flow.cookie, flow.table) for flow in rules.flows]
    assert sorted(map(str, series)) == sorted(
        map(
            str,
            [
                Series(Kind.SERVICE, 1, "to"),
                Series(Kind.SERVICE, 1, "new"),
                Series(Kind.CONTAINER, 2, "new"),
                Series(Kind.CONTAINER, 2, "to"),
                Series(Kind.CONTAINER, 2, "from"),
            ],
        )
    )


def test_other_flows_count_nothing() -> None:
    others = [forwarding.base_rules(), base_rules(), vip_rules(WEB.vip)]
    others.append(host_rules(C1.address, C1.mac))
    for rules in others:
        assert not any(series_of(flow.cookie, flow.table) for flow in rules.flows)


def test_the_epoch_does_not_matter_and_aliens_do() -> None:
    cookie = Cookie(Kind.SERVICE, 1).value
    table = tables.SERVICE.number
    assert series_of(with_epoch(cookie, 77), table) == Series(Kind.SERVICE, 1, "new")
    assert series_of(cookie & 0xFFFF_FFFF, table) is None
    assert series_of(cookie | 0xFF << 32, table) is None
