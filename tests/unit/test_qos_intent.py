"""Stating classes, policies and rates: what is refused, with field and remedy, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nib.draft import Draft
from nib.errors import Conflict, FieldError, NotFound
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import LinkRate, Policy, PolicyConnections, PolicyShare, QosClass
from nib.records import Global, Record
from nib.topology import Port, Switch
from qos.answers import class_list, class_out, link_rate_out, policy_out
from qos.classes import PRESETS, classes_of
from qos.errors import BuiltIn, NotAdmitted
from qos.intent import (
    delete_class,
    delete_link_rate,
    delete_policy,
    put_class,
    put_link_rate,
    put_policy,
)
from qos.naming import link_called
from qos.pipeline import bit_meter
from ryu_apps.provision import provision, reservations

S1 = "00000000000000a1"
MACS = ("02:00:00:00:00:11", "02:00:00:00:00:12")
GOLD = QosClass("gold", 34, 4, min_percent=10)
TO_DB = Policy("to-db", "shop", "db", "interactive", guaranteed_bps=10_000_000)
ROWS: tuple[Record, ...] = (
    Global(),
    Switch(S1, 1, "br0", connected=True),
    Port(S1, "veth1", 1, "02:00:00:00:01:01", "pod-1", MACS[0], up=True, speed_bps=100_000_000),
    Port(S1, "veth2", 2, "02:00:00:00:01:02", "pod-2", MACS[1], up=True),
    Service("db", "10.0.0.100", 5432, number=1),
    Service("shop", "10.0.0.101", 80, number=2),
    Container("db", "c1", "10.0.0.11", 5432, MACS[0], iface_id="pod-1", number=3),
    Container("shop", "c1", "10.0.0.12", 80, MACS[1], iface_id="pod-2", number=4),
)


@pytest.fixture
def draft() -> Draft:
    mirror = Mirror()
    for row in ROWS:
        mirror.apply(RowChange(None, row))
    return Draft(mirror)


def refused(draft: Draft, change: Callable[[Draft], object]) -> FieldError | Conflict:
    """The error of a change, which is then taken back as a transaction would be."""
    mark = draft.mark
    with pytest.raises((FieldError, Conflict)) as caught:
        change(draft)
    draft.roll_back(mark)
    error = caught.value
    assert isinstance(error, FieldError | Conflict)
    assert error.remedy
    return error


# ------------------------------------------------------------------------------- classes


def test_a_class_is_created_then_replaced(draft: Draft) -> None:
    assert put_class(GOLD, reservations)(draft).created
    again = put_class(replace(GOLD, weight=9), reservations)(draft)
    assert (again.created, again.record.weight) == (False, 9)
    assert list(classes_of(draft)) == ["default", "bulk", "interactive", "realtime", "gold"]
    delete_class("gold", reservations)(draft)
    assert "gold" not in classes_of(draft)


@pytest.mark.parametrize(
    ("change", "field", "other"),
    [({"dscp": 46}, "dscp", "realtime"), ({"queue": 2}, "queue", "interactive")],
)
def test_no_two_classes_have_the_same(
    draft: Draft, change: dict[str, Any], field: str, other: str
) -> None:
    error = refused(draft, put_class(replace(GOLD, **change), reservations))
    assert (type(error), error.field) == (Conflict, field)
    assert other in error.message


def test_the_minima_of_all_classes_fit_on_a_link(draft: Draft) -> None:
    put_class(replace(GOLD, min_percent=45), reservations)(draft)
    error = refused(draft, put_class(replace(GOLD, min_percent=46), reservations))
    assert error.field == "min_percent"
    assert "at most 45" in error.remedy


def test_what_nobody_marked_is_of_the_default_class(draft: Draft) -> None:
    for field in ("dscp", "queue"):
        change: dict[str, Any] = {field: 9}
        moved = replace(PRESETS["default"], **change)
        assert refused(draft, put_class(moved, reservations)).field == field


def test_a_built_in_class_is_changed_and_restored(draft: Draft) -> None:
    changed = put_class(replace(PRESETS["bulk"], dscp=8, weight=2), reservations)(draft)
    assert changed.created
    assert class_out(changed.record, draft).origin == "changed"
    put_policy(replace(TO_DB, qos_class="bulk"), reservations)(draft)
    delete_class("bulk", reservations)(draft)
    assert classes_of(draft)["bulk"] == PRESETS["bulk"]
    with pytest.raises(BuiltIn, match="bulk"):
        delete_class("bulk", reservations)(draft)


def test_a_built_in_class_is_not_restored_over_another(draft: Draft) -> None:
    put_class(replace(PRESETS["bulk"], dscp=8), reservations)(draft)
    put_class(replace(GOLD, dscp=PRESETS["bulk"].dscp), reservations)(draft)
    error = refused(draft, delete_class("bulk", reservations))
    assert (error.field, "gold" in error.message) == ("dscp", True)


def test_a_class_in_use_is_not_deleted(draft: Draft) -> None:
    put_class(GOLD, reservations)(draft)
    put_policy(replace(TO_DB, qos_class="gold"), reservations)(draft)
    assert "to-db" in refused(draft, delete_class("gold", reservations)).message
    delete_policy("to-db")(draft)
    delete_class("gold", reservations)(draft)


def test_a_class_that_nobody_stated_is_not_deleted(draft: Draft) -> None:
    with pytest.raises(NotFound, match="there is no class gold"):
        delete_class("gold", reservations)(draft)


def test_a_class_does_not_shrink_below_its_guarantees(draft: Draft) -> None:
    put_policy(TO_DB, reservations)(draft)
    less = replace(PRESETS["interactive"], min_percent=1, max_percent=5)
    error = refused(draft, put_class(less, reservations))
    assert (type(error), error.field) == (NotAdmitted, "max_percent")


# ------------------------------------------------------------------------------- policies


def test_a_policy_is_created_then_replaced(draft: Draft) -> None:
    created = put_policy(TO_DB, reservations)(draft)
    assert (created.created, created.record.number) == (True, 1)
    again = put_policy(replace(TO_DB, max_pps=7), reservations)(draft)
    assert (again.created, again.record.number, again.record.max_pps) == (False, 1, 7)
    delete_policy("to-db")(draft)
    with pytest.raises(NotFound, match="there is no policy to-db"):
        delete_policy("to-db")(draft)


def test_an_unknown_class(draft: Draft) -> None:
    error = refused(draft, put_policy(replace(TO_DB, qos_class="gold"), reservations))
    assert error.field == "class"
    assert "default, bulk, interactive, realtime" in error.remedy


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (("shop", "db"), "from shop to db"),
        ((None, "db"), "from anyone to db"),
        (("shop", None), "from shop to anyone"),
    ],
)
def test_the_same_ends_twice(draft: Draft, ends: tuple[str | None, str | None], said: str) -> None:
    put_policy(Policy("first", *ends), reservations)(draft)
    error = refused(draft, put_policy(Policy("second", *ends), reservations))
    assert isinstance(error, Conflict)
    assert f"policy first is about traffic {said}" in error.message
    put_policy(Policy("first", *ends, max_pps=5), reservations)(draft)


def test_policies_that_overlap_otherwise_are_taken(draft: Draft) -> None:
    for ends in (("shop", "db"), (None, "db"), ("shop", None), ("db", "shop")):
        put_policy(Policy(f"{ends[0]}-{ends[1]}".lower(), *ends), reservations)(draft)
    assert draft.count(Policy) == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"qos_class": "default"}, "class default"),
        ({"destination": None}, "destination"),
    ],
)
def test_a_guarantee_that_nobody_could_keep(
    draft: Draft, change: dict[str, Any], word: str
) -> None:
    error = refused(draft, put_policy(replace(TO_DB, **change), reservations))
    assert error.field == "guaranteed_bps"
    assert word in error.message


def test_a_guarantee_above_the_link(draft: Draft) -> None:
    error = refused(draft, put_policy(replace(TO_DB, guaranteed_bps=66_000_000), reservations))
    assert (type(error), error.field) == (NotAdmitted, "guaranteed_bps")
    assert "br0 veth1" in error.message
    assert "65M" in error.remedy
    put_policy(replace(TO_DB, guaranteed_bps=65_000_000), reservations)(draft)


def test_a_guarantee_where_nobody_knows_the_rate(draft: Draft) -> None:
    back = Policy("back", "db", "shop", "interactive", guaranteed_bps=1_000_000)
    error = refused(draft, put_policy(back, reservations))
    assert "prewire link-rate set br0 veth2" in error.remedy
    put_link_rate(LinkRate(S1, "veth2", 10_000_000), reservations)(draft)
    put_policy(back, reservations)(draft)


def test_a_policy_without_its_service_waits(draft: Draft) -> None:
    later = Policy("later", "shop", "buy", "interactive", guaranteed_bps=10**12)
    put_policy(later, reservations)(draft)
    told = policy_out(later, draft, provision(draft))
    assert told.state == "waiting"
    assert "buy" in told.reason


# ------------------------------------------------------------------------------- rates of links


def test_a_rate_is_not_lowered_below_what_is_guaranteed(draft: Draft) -> None:
    put_link_rate(LinkRate(S1, "veth1", 1_000_000_000), reservations)(draft)
    put_policy(replace(TO_DB, guaranteed_bps=200_000_000), reservations)(draft)
    error = refused(draft, put_link_rate(LinkRate(S1, "veth1", 200_000_000), reservations))
    assert (type(error), error.field) == (NotAdmitted, "bps")
    assert refused(draft, delete_link_rate((S1, "veth1"), reservations)).field == "bps"
    delete_policy("to-db")(draft)
    delete_link_rate((S1, "veth1"), reservations)(draft)
    with pytest.raises(NotFound, match="there is no link rate"):
        delete_link_rate((S1, "veth1"), reservations)(draft)


def test_links_as_people_call_them(draft: Draft) -> None:
    assert link_called("br0", "veth1", draft) == (S1, "veth1")
    assert link_called(S1, "2", draft) == (S1, "veth2")
    assert link_called("br0", "veth7", draft) == (S1, "veth7"), "a port may come later"
    with pytest.raises(FieldError, match="br1"):
        link_called("br1", "veth1", draft)
    draft.put(LinkRate("00000000000000ff", "gone", 1000))
    assert link_called("00000000000000ff", "gone", draft) == ("00000000000000ff", "gone")


# ------------------------------------------------------------------------------- answers


def test_a_policy_tells_how_it_stands(draft: Draft) -> None:
    stored = put_policy(replace(TO_DB, max_bps=20_000_000, max_pps=500), reservations)(draft).record
    draft.put(PolicyShare("to-db", S1, 20_000_000, 500))
    draft.put(PolicyConnections("to-db", S1, 3))
    told = policy_out(stored, draft, provision(draft)).model_dump(by_alias=True)
    assert (told["state"], told["reason"], told["class"]) == ("active", "", "interactive")
    assert told["links"] == [{"switch": S1, "switch_name": "br0", "port": "veth1"}]
    assert told["shares"] == [{"switch": S1, "switch_name": "br0", "bps": 20_000_000, "pps": 500}]
    assert (told["metered_bps"], told["allocated_bps"]) == (20_000_000, 20_000_000)
    assert (told["bit_meter"], told["packet_meter"]) == (bit_meter(1), bit_meter(1) + 1)
    assert told["connections"] == 3


def test_a_policy_without_limits_has_no_meters(draft: Draft) -> None:
    stored = put_policy(TO_DB, reservations)(draft).record
    draft.put(PolicyShare("to-db", S1))
    told = policy_out(stored, draft, provision(draft))
    assert (told.bit_meter, told.packet_meter, told.connections) == (None, None, None)


def test_classes_tell_where_they_come_from(draft: Draft) -> None:
    put_class(GOLD, reservations)(draft)
    put_policy(replace(TO_DB, qos_class="gold"), reservations)(draft)
    told = {each.name: (each.origin, each.policies) for each in class_list(draft).items}
    assert told["gold"] == ("stated", 1)
    assert told["bulk"] == ("built-in", 0)


def test_a_rate_tells_whether_there_is_such_a_port(draft: Draft) -> None:
    assert link_rate_out(LinkRate(S1, "veth1", 1000), draft).state == "active"
    later = link_rate_out(LinkRate(S1, "veth7", 1000), draft)
    assert (later.state, "veth7" in later.reason) == ("waiting", True)
    gone = link_rate_out(LinkRate("00000000000000ff", "veth1", 1000), draft)
    assert (gone.state, gone.switch_name) == ("waiting", "")
