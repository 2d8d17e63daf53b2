"""Totals that only grow, and what flows count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gateway_lb.endpoints import Placed
from gateway_lb.neighbours import vip_rules
from gateway_lb.pipeline import base_rules
from gateway_lb.replies import fronts_of, host_rules
from nib.intent import Container, Service
from nib.policy import Ejection, ExtraPort
from openflow import tables
from openflow.cookies import Cookie, Kind, with_epoch
from openflow.values import Flow, Rules, merged
from ryu_apps import forwarding
from ryu_apps.counters import Series, series_of
from ryu_apps.totals import Totals
from tests.service_rules import whole_service

WEB = Service("web", "10.0.0.100", 80, number=1)
OTHER = Service("other", "10.0.0.101", 80, number=3)
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


def test_counters_of_a_key_start_again_together() -> None:
    assert totals_of((5, 500), (6, 50)) == (11, 550)


def test_where_it_is_known_a_counter_may_start_again_above_its_last_reading() -> None:
    totals: Totals[str] = Totals()
    totals.read("a", (5,))
    totals.start_again(["a"])
    totals.read("a", (7,))
    assert totals.total("a") == (12,)


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


def series_in(rules: Rules) -> Counter[Series | None]:
    return Counter(
        series_of(flow.cookie, flow.table, flow.priority, flags_of(flow)) for flow in rules.flows
    )


def flags_of(flow: Flow) -> int:
    wanted = flow.match.get("tcp_flags")
    return wanted.value if wanted else 0


def service_and_host(service: Service) -> Counter[Series | None]:
    fronts = fronts_of(service, C1)
    rules = whole_service(service, [Placed(C1)], (2,) * 64, 1)
    return series_in(merged((rules, host_rules(C1.address, fronts, C1.mac, 1))))


PLAIN = {
    Series(Kind.SERVICE, 1, "to"): 1,
    Series(Kind.SERVICE, 1, "new"): 1,
    Series(Kind.CONTAINER, 2, "new"): 1,
    Series(Kind.CONTAINER, 2, "to"): 2,  # from itself, and from others
    Series(Kind.CONTAINER, 2, "from"): 1,
}


def test_what_the_flows_of_a_service_count() -> None:
    found = service_and_host(WEB)
    del found[None]
    assert found == PLAIN


def test_what_the_flows_of_a_service_with_ejection_count_besides() -> None:
    found = service_and_host(replace(WEB, ejection=Ejection()))
    del found[None]
    outcomes = {Series(Kind.CONTAINER, 2, what): 1 for what in ("answered", "reset")}
    assert found == PLAIN | outcomes


def test_every_port_of_a_service_counts() -> None:
    found = service_and_host(replace(WEB, extra_ports=(ExtraPort(443, 8443),)))
    assert found[Series(Kind.SERVICE, 1, "to")] == 2
    assert found[Series(Kind.CONTAINER, 2, "from")] == 2
    assert found[Series(Kind.CONTAINER, 2, "new")] == 1


def test_replies_of_a_port_that_is_shared_are_counted_where_their_service_is_known() -> None:
    shared = Placed(C1, frozenset({("tcp", 8080)}))
    rules = whole_service(WEB, [shared], (2,) * 64, 1)
    assert series_in(rules)[Series(Kind.CONTAINER, 2, "from")] == 1
    fronts = [front for service in (WEB, OTHER) for front in fronts_of(service, C1)]
    host = host_rules(C1.address, fronts, C1.mac, 1)
    assert set(series_in(host)) == {None}


def test_other_flows_count_nothing() -> None:
    others = [forwarding.base_rules(), base_rules(), vip_rules(WEB.vip)]
    for rules in others:
        assert set(series_in(rules)) == {None}


def test_the_epoch_does_not_matter_and_aliens_do() -> None:
    cookie = Cookie(Kind.SERVICE, 1).value
    table = tables.SERVICE.number
    assert series_of(with_epoch(cookie, 77), table, 100) == Series(Kind.SERVICE, 1, "new")
    assert series_of(cookie & 0xFFFF_FFFF, table, 100) is None
    assert series_of(cookie | 0xFF << 32, table, 100) is None
