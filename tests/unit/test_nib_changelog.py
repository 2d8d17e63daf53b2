"""The events of changes: what they say, by whom, and how many there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nib.changelog import Actor, events_of, record_changes
from nib.draft import Draft
from nib.errors import FieldError
from nib.events import MAX_EVENTS, Event, event_id, record_event
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Health
from nib.records import Global

AT_MS = 1_700_000_000_000
ALICE = Actor("alice", "operator", "r-1")
WEB = Service("web", vip="10.0.0.100", port=80)
C1 = Container("web", "c1", address="10.0.0.11", port=80, mac="0a:00:00:00:00:01", iface_id="c1")


def told(*changes: RowChange) -> list[Event]:
    return list(events_of(changes, ALICE, AT_MS, 7))


def draft() -> Draft:
    mirror = Mirror()
    mirror.apply(RowChange(None, Global()))
    return Draft(mirror)


def test_an_event_says_who_made_what_of_which_object() -> None:
    (event,) = told(RowChange(None, WEB))
    assert (event.kind, event.name, event.action) == ("service", "web", "created")
    assert (event.actor, event.request, event.generation) == ("alice", "r-1", 7)
    assert event.reason == "vip 10.0.0.100, port 80"


def test_what_names_it_and_what_the_database_adds_are_no_reason() -> None:
    (event,) = told(RowChange(None, replace(C1, since_ms=5, number=7)))
    assert event.name == "web/c1"
    assert event.reason == f"address 10.0.0.11, port 80, mac {C1.mac}, iface_id c1"


def test_a_change_tells_the_fields_that_differ() -> None:
    (event,) = told(RowChange(WEB, replace(WEB, port=81, max_connections=5, generation=3)))
    assert event.action == "changed"
    assert event.reason == "port 80 -> 81, max_connections - -> 5"


def test_what_is_seen_and_renewed_is_nothing_that_somebody_changed() -> None:
    renewed = replace(C1, lease_seconds=30, lease_until_ms=1)
    assert not told(RowChange(renewed, replace(renewed, lease_until_ms=2)))
    assert not told(RowChange(None, Health("web", "c1", up=True)))


def test_many_of_a_kind_are_told_as_one() -> None:
    gone = [RowChange(replace(C1, id=f"c{n}"), None) for n in range(51)]
    service, containers = sorted(told(*gone, RowChange(WEB, None)), key=lambda e: e.kind)[::-1]
    assert (service.name, containers.name) == ("web", "51 of them")
    assert (containers.kind, containers.action) == ("container", "deleted")


def test_a_change_and_its_event_are_one_draft() -> None:
    pending = draft()
    mark = pending.mark
    pending.put(WEB)
    record_changes(pending, pending.changes_since(mark), ALICE, AT_MS)
    assert [event.name for event in pending.all(Event)] == ["web"]
    assert Event in {change.kind for change in pending.net_changes()}


def test_a_put_that_changes_nothing_is_no_event() -> None:
    pending = draft()
    stored = pending.put(WEB)
    mark = pending.mark
    pending.put(stored)
    record_changes(pending, pending.changes_since(mark), ALICE, AT_MS)
    assert not pending.all(Event)


def test_the_oldest_go_when_there_are_too_many() -> None:
    pending = draft()
    for n in range(MAX_EVENTS + 5):
        at_ms = AT_MS + n
        record_event(pending, Event(event_id(at_ms), at_ms, "service", f"s{n}", "created"))
        assert pending.count(Event) <= MAX_EVENTS
    kept = sorted(event.at_ms for event in pending.all(Event))
    assert kept[-1] == AT_MS + MAX_EVENTS + 4
    assert kept[0] > AT_MS, "not the youngest were dropped"


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "x"), ("kind", "thing"), ("severity", "bad"), ("reason", "a\nb"), ("name", "")],
)
def test_what_is_no_event_is_refused(field: str, value: Any) -> None:
    good = Event(event_id(AT_MS), AT_MS, "service", "web", "created")
    with pytest.raises(FieldError) as refused:
        replace(good, **{field: value})
    assert refused.value.field == field
