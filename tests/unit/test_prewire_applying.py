"""Many objects at once: all or none, what becomes of each, and all that is wrong by its place."""

from __future__ import annotations

from typing import Any

import pytest

from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import LinkRate, Policy, QosClass
from nib.records import Global, Record
from nib.topology import Port, Switch
from prewire.documents.applying import apply
from prewire.documents.models import ApplyIn, ApplyOut
from prewire.documents.refused import ApplyConflicts, ApplyRefused
from ryu_apps.provision import reservations

S1 = "00000000000000a1"
MAC = "02:00:00:00:00:11"
DB: dict[str, Any] = {"name": "db", "vip": "10.0.0.100", "port": 5432}
SHOP: dict[str, Any] = {"name": "shop", "vip": "10.0.0.101", "port": 80}
TO_DB: dict[str, Any] = {"name": "to-db", "source": "shop", "destination": "db", "traffic": "sql"}
GOLD: dict[str, Any] = {"name": "gold", "dscp": 34, "queue": 4}
RATE: dict[str, Any] = {"switch": "br0", "port": "veth1", "bps": "1G"}
ALL: dict[str, Any] = {
    "services": [DB, SHOP],
    "classes": [GOLD],
    "policies": [TO_DB],
    "link_rates": [RATE],
}
ROWS: tuple[Record, ...] = (
    Global(),
    Switch(S1, 1, "br0", connected=True),
    Port(S1, "veth1", 1, "02:00:00:00:01:01", "pod-1", MAC, up=True, speed_bps=100_000_000),
    Port(S1, "veth2", 2, "02:00:00:00:01:02", up=True),
)


@pytest.fixture
def draft() -> Draft:
    mirror = Mirror()
    for row in ROWS:
        mirror.apply(RowChange(None, row))
    return Draft(mirror)


def applied(
    draft: Draft, *, prune: bool = False, dry_run: bool = False, **document: Any
) -> ApplyOut:
    change = apply(ApplyIn.model_validate(document), reservations, 0, prune=prune, dry_run=dry_run)
    return change(draft)


def refused(draft: Draft, **document: Any) -> ApplyRefused:
    """The error of a document, of which nothing stays."""
    before = draft.mark
    with pytest.raises(ApplyRefused) as caught:
        applied(draft, **document)
    draft.roll_back(before)  # as a transaction is
    assert all(fault.remedy for fault in caught.value.faults)
    return caught.value


def outcomes(told: ApplyOut) -> dict[str, str]:
    return {f"{each.kind} {each.name}": each.outcome for each in told.objects}


def test_everything_is_created_then_unchanged(draft: Draft) -> None:
    told = applied(draft, **ALL)
    assert outcomes(told) == {
        "service db": "created",
        "service shop": "created",
        "class gold": "created",
        "policy to-db": "created",
        f"link_rate {S1}/veth1": "created",
    }
    assert told.counts == {"created": 5}
    assert draft.need(Policy, "to-db").burst_ms == 500
    assert draft.need(LinkRate, (S1, "veth1")).bps == 1_000_000_000
    mark = draft.mark
    assert applied(draft, **ALL).counts == {"unchanged": 5}
    assert draft.mark == mark


def test_a_dry_run_changes_nothing_and_tells_the_same(draft: Draft) -> None:
    mark = draft.mark
    tried = applied(draft, dry_run=True, **ALL)
    assert draft.mark == mark
    assert draft.count(Policy) == 0
    done = applied(draft, **ALL)
    assert (tried.dry_run, done.dry_run) == (True, False)
    assert tried.objects == done.objects


def test_differences_are_told_field_by_field(draft: Draft) -> None:
    applied(draft, **ALL)
    changed = {**TO_DB, "class": "bulk", "max_bps": "10M"}
    checked = {**DB, "health": {"kind": "http", "path": "/ready"}}
    told = applied(draft, services=[checked], policies=[changed])
    differences = {
        (each.name, field.field): (field.before, field.after)
        for each in told.objects
        for field in each.fields
    }
    assert differences["to-db", "class"] == ("interactive", "bulk")
    assert differences["to-db", "max_bps"] == (None, "10000000")
    assert differences["db", "health.path"] == (None, "/ready")
    back = applied(draft, services=[DB])
    assert ("health.path", "/ready", None) in {
        (field.field, field.before, field.after) for field in back.objects[0].fields
    }


def test_what_is_created_tells_what_is_not_as_by_default(draft: Draft) -> None:
    told = applied(draft, **ALL)
    fields = {
        each.name: {field.field: field.after for field in each.fields} for each in told.objects
    }
    assert fields["to-db"] == {
        "source": "shop", "destination": "db", "class": "interactive", "burst_ms": "500",
    }  # fmt: skip
    assert fields[f"{S1}/veth1"] == {"bps": "1000000000"}
    assert {field.before for each in told.objects for field in each.fields} == {None}


def test_a_canary_that_goes_on_is_unchanged(draft: Draft) -> None:
    steady = {**DB, "canary": {"version": "v2", "percent": 50, "step_percent": 5}}
    document = ApplyIn.model_validate({"services": [steady]})
    for now_ms, outcome in ((5, "created"), (9, "unchanged")):
        told = apply(document, reservations, now_ms, prune=False, dry_run=False)(draft)
        assert told.objects[0].outcome == outcome


def test_what_is_not_listed_stays_unless_pruned(draft: Draft) -> None:
    applied(draft, **ALL)
    draft.put(Container("shop", "c1", "10.0.0.12", 80, MAC, iface_id="pod-1"))
    assert applied(draft, services=[DB]).counts == {"unchanged": 1}
    assert applied(draft, prune=True, policies=[TO_DB]).counts == {"unchanged": 1}
    told = applied(draft, prune=True, services=[DB], classes=[], policies=[])
    assert outcomes(told) == {
        "service db": "unchanged",
        "service shop": "deleted",
        "class gold": "deleted",
        "policy to-db": "deleted",
    }
    assert told.objects[1].fields[0].model_dump() == {
        "field": "containers", "before": "1", "after": None,
    }  # fmt: skip
    assert draft.count(Container) == 0
    assert draft.count(LinkRate) == 1, "a kind that is not spoken of stays"


def test_objects_may_change_places(draft: Draft) -> None:
    silver = {"name": "silver", "dscp": 26, "queue": 5}
    to_shop = {"name": "to-shop", "source": "db", "destination": "shop"}
    applied(draft, services=[DB, SHOP], classes=[GOLD, silver], policies=[TO_DB, to_shop])
    swapped = applied(
        draft,
        services=[{**DB, "vip": SHOP["vip"], "port": 80}, {**SHOP, "vip": DB["vip"], "port": 5432}],
        classes=[{**GOLD, "dscp": 26, "queue": 5}, {**silver, "dscp": 34, "queue": 4}],
        policies=[{**to_shop, "name": "to-db"}, {**TO_DB, "name": "to-shop"}],
    )
    assert swapped.counts == {"changed": 6}
    assert draft.need(Service, "db").vip == SHOP["vip"]
    assert draft.need(QosClass, "gold").dscp == 26


# ------------------------------------------------------------------------------- refused


def test_all_faults_are_told_by_their_places(draft: Draft) -> None:
    error = refused(
        draft,
        services=[{**DB, "port": 0}, SHOP],
        classes=[{**GOLD, "dscp": 64}],
        policies=[TO_DB, {**TO_DB, "name": "P"}, {**TO_DB, "max_bps": "10m"}],
        link_rates=[{**RATE, "switch": "br9"}, {**RATE, "bps": "10"}],
    )
    assert [fault.field for fault in error.faults] == [
        "services[0].port",
        "classes[0].dscp",
        "policies[1].name",
        "policies[2].max_bps",
        "link_rates[0].switch",
        "link_rates[1].bps",
    ]
    assert not isinstance(error, ApplyConflicts)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"services": [DB, DB]}, "services[1].name"),
        ({"classes": [GOLD, {**GOLD, "dscp": 35}]}, "classes[1].name"),
        ({"policies": [TO_DB, {"name": "x", "source": "x"}, TO_DB]}, "policies[2].name"),
        ({"link_rates": [RATE, {**RATE, "switch": S1, "port": "1"}]}, "link_rates[1].port"),
    ],
)
def test_an_object_given_twice(draft: Draft, document: dict[str, Any], field: str) -> None:
    error = refused(draft, **document)
    assert [fault.field for fault in error.faults] == [field]
    assert f"{next(iter(document))}[0]" in error.faults[0].message


def test_what_contradicts_what_is_there(draft: Draft) -> None:
    applied(draft, **ALL)
    error = refused(
        draft,
        services=[{**DB, "name": "a-db"}, {**SHOP, "name": "z-shop"}],
        classes=[{**GOLD, "name": "silver"}],
        policies=[{**TO_DB, "name": "a"}, {**TO_DB, "name": "z"}],
    )
    assert isinstance(error, ApplyConflicts)
    assert [fault.field for fault in error.faults] == [
        "services[0].vip",
        "services[1].vip",
        "classes[0].dscp",
        "policies[0].destination",
        "policies[1].destination",
    ]


def test_what_contradicts_itself(draft: Draft) -> None:
    twice = [{**TO_DB, "name": "a"}, {**TO_DB, "name": "b", "class": "none"}]
    error = refused(draft, policies=twice)
    assert [fault.field for fault in error.faults] == [
        "policies[0].destination",
        "policies[1].class",
    ]


def test_a_class_that_is_pruned_though_it_is_used(draft: Draft) -> None:
    applied(draft, classes=[GOLD], policies=[{**TO_DB, "class": "gold"}])
    error = refused(draft, prune=True, classes=[])
    assert (error.faults[0].field, "to-db" in error.faults[0].message) == ("classes", True)
    applied(draft, prune=True, classes=[], policies=[])


def containers(draft: Draft) -> None:
    applied(draft, services=[DB, SHOP])
    draft.put(Container("db", "c1", "10.0.0.11", 5432, MAC, iface_id="pod-1"))
    draft.put(
        Container(
            "shop", "c1", "10.0.0.12", 80, "02:00:00:00:00:12", switch=S1, switch_port="veth2"
        )
    )


def test_the_first_policy_that_does_not_fit_is_named(draft: Draft) -> None:
    containers(draft)
    policies = [
        {"name": f"p{n}", "source": source, "destination": "db", "class": "interactive",
         "guaranteed_bps": "25M"}
        for n, source in enumerate(("shop", "db", "x", None))
    ]  # fmt: skip
    del policies[3]["source"]
    error = refused(draft, policies=[*policies[:2], {"name": "y", "source": "y"}, *policies[2:]])
    assert isinstance(error, ApplyConflicts)
    assert [fault.field for fault in error.faults] == ["policies[4].guaranteed_bps"]
    assert "br0 veth1" in error.message
    assert "15M" in error.remedy


def test_a_rate_that_leaves_too_little_is_named_by_its_link(draft: Draft) -> None:
    containers(draft)
    guaranteed = {**TO_DB, "guaranteed_bps": "50M"}
    applied(draft, policies=[guaranteed])
    error = refused(draft, policies=[guaranteed], link_rates=[{**RATE, "bps": "60M"}])
    assert "br0 veth1" in error.message
    applied(
        draft, policies=[{**TO_DB, "guaranteed_bps": "30M"}], link_rates=[{**RATE, "bps": "60M"}]
    )
