"""Documents with capacity intent: what becomes of it, and all that is wrong by its place."""

from __future__ import annotations

from typing import Any

import pytest

from nib.draft import Draft
from nib.mirror import Mirror, RowChange
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.records import Global
from prewire.documents.applying import apply
from prewire.documents.document import BadDocument, read
from prewire.documents.models import ApplyIn, ApplyOut
from prewire.documents.refused import ApplyConflicts, ApplyRefused
from ryu_apps.provision import reservations

NOW = 1_795_372_200_000  # 2026-11-22T18:30:00Z
WEB: dict[str, Any] = {"name": "web", "vip": "10.0.0.100", "port": 80}
TO_WEB: dict[str, Any] = {"name": "to-web", "destination": "web", "max_bps": "50M"}
NIGHT: dict[str, Any] = {
    "name": "night", "cron": "0 2 * * *", "duration_seconds": 3600, "service": "web",
    "containers": 3,
}  # fmt: skip
WORD: dict[str, Any] = {
    "kind": "service", "name": "web", "containers": 5, "until": "2026-11-22T20:00:00Z",
}  # fmt: skip
PIN: dict[str, Any] = {"parent": "web", "child": "db", "verdict": "pin"}
ALL: dict[str, Any] = {
    "services": [WEB],
    "policies": [TO_WEB],
    "scalings": [{"service": "web", "concurrency": 4}],
    "provisionings": [{"policy": "to-web", "floor_bps": "5M"}],
    "schedules": [NIGHT],
    "overrides": [WORD],
    "dependencies": [PIN],
}
CAPACITY = (Scaling, Provisioning, Schedule, Override, DependencyRule)


@pytest.fixture
def draft() -> Draft:
    mirror = Mirror()
    mirror.apply(RowChange(None, Global()))
    return Draft(mirror)


def applied(draft: Draft, *, prune: bool = False, **document: Any) -> ApplyOut:
    wanted = ApplyIn.model_validate(document)
    return apply(wanted, reservations, NOW, prune=prune, dry_run=False)(draft)


def refused(draft: Draft, *, prune: bool = False, **document: Any) -> ApplyRefused:
    """The error of a document, of which nothing stays."""
    before = draft.mark
    with pytest.raises(ApplyRefused) as caught:
        applied(draft, prune=prune, **document)
    draft.roll_back(before)  # as a transaction is
    assert all(fault.remedy for fault in caught.value.faults)
    return caught.value


def test_everything_is_created_then_unchanged(draft: Draft) -> None:
    told = applied(draft, **ALL)
    assert [f"{each.kind} {each.name}" for each in told.objects] == [
        "service web", "policy to-web", "scaling web", "provisioning to-web", "schedule night",
        "override service/web", "dependency web/db",
    ]  # fmt: skip
    assert told.counts == {"created": 7}
    assert draft.need(Override, ("service", "web")).until_ms == NOW + 90 * 60_000
    mark = draft.mark
    assert applied(draft, **ALL).counts == {"unchanged": 7}
    assert draft.mark == mark


def test_what_is_created_tells_what_is_not_as_by_default(draft: Draft) -> None:
    fields = {
        each.kind: {field.field: field.after for field in each.fields}
        for each in applied(draft, **ALL).objects
    }
    assert fields["scaling"] == {"concurrency": "4"}
    assert fields["provisioning"] == {"floor_bps": "5000000"}
    assert fields["dependency"] == {"verdict": "pin"}
    assert fields["schedule"] == {
        "cron": "0 2 * * *", "duration_seconds": "3600", "service": "web", "containers": "3",
    }  # fmt: skip
    assert fields["override"] == {"until_ms": str(NOW + 90 * 60_000), "containers": "5"}


def test_differences_are_told_field_by_field(draft: Draft) -> None:
    applied(draft, **ALL)
    told = applied(draft, scalings=[{"service": "web", "max_containers": 9}])
    assert {field.field: (field.before, field.after) for field in told.objects[0].fields} == {
        "concurrency": ("4", "1"), "max_containers": ("100", "9"),
    }  # fmt: skip


def test_what_is_not_listed_is_pruned(draft: Draft) -> None:
    applied(draft, **ALL)
    nothing: dict[str, Any] = {member: [] for member in ALL}
    told = applied(draft, prune=True, **nothing)
    assert told.counts == {"deleted": 7}
    assert [each.kind for each in told.objects] == [
        "service", "policy", "scaling", "provisioning", "schedule", "override", "dependency",
    ]  # fmt: skip
    assert [draft.count(kind) for kind in CAPACITY] == [0] * 5


def test_a_scaling_goes_with_a_service_that_is_pruned(draft: Draft) -> None:
    applied(draft, services=[WEB], scalings=[{"service": "web"}])
    assert applied(draft, prune=True, services=[]).counts == {"deleted": 1}
    assert draft.count(Scaling) == 0


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"scalings": [{"service": "web"}]}, "scalings[0].service"),
        ({"provisionings": [{"policy": "to-web"}]}, "provisionings[0].policy"),
        ({"overrides": [WORD]}, "overrides[0].name"),
    ],
)
def test_what_is_about_nothing(draft: Draft, document: dict[str, Any], field: str) -> None:
    error = refused(draft, **document)
    assert isinstance(error, ApplyConflicts)
    assert [fault.field for fault in error.faults] == [field]


def test_what_is_about_something_that_is_pruned(draft: Draft) -> None:
    applied(draft, services=[WEB])
    error = refused(draft, prune=True, services=[], scalings=[{"service": "web"}])
    assert [fault.field for fault in error.faults] == ["scalings[0].service"]


def test_all_faults_are_told_by_their_places(draft: Draft) -> None:
    error = refused(
        draft,
        scalings=[{"service": "web", "concurrency": 0}, {"service": "Web"}],
        provisionings=[{"policy": "p", "floor_bps": "5MB"}],
        schedules=[{**NIGHT, "containers": None}],
        overrides=[{**WORD, "until": "2026-11-22T18:00:00Z"}, {**WORD, "for": "1m"}],
        dependencies=[{**PIN, "child": "web"}],
    )
    assert [fault.field for fault in error.faults] == [
        "scalings[0].concurrency", "scalings[1].service", "provisionings[0].floor_bps",
        "schedules[0].containers", "overrides[0].until", "overrides[1].until",
        "dependencies[0].child",
    ]  # fmt: skip


def test_a_cron_line_that_cannot_be_read(draft: Draft) -> None:
    error = refused(draft, schedules=[NIGHT, {**NIGHT, "name": "x", "cron": "at two"}])
    assert [fault.field for fault in error.faults] == ["schedules[1].cron"]


@pytest.mark.parametrize(
    ("member", "item", "field"),
    [
        ("scalings", {"service": "web"}, "scalings[1].service"),
        ("provisionings", {"policy": "to-web"}, "provisionings[1].policy"),
        ("overrides", WORD, "overrides[1].name"),
        ("dependencies", PIN, "dependencies[1].child"),
        ("schedules", NIGHT, "schedules[1].name"),
    ],
)
def test_an_object_given_twice(draft: Draft, member: str, item: dict[str, Any], field: str) -> None:
    document: dict[str, Any] = {member: [item, item]}
    error = refused(draft, **document)
    assert [fault.field for fault in error.faults] == [field]


def test_a_file_is_read_as_it_is_meant() -> None:
    text = b"overrides:\n- {kind: service, name: web, containers: 5, for: 20m}\n"
    assert read("f", text)["overrides"][0]["for"] == "20m"
    with pytest.raises(ApplyRefused, match=r"overrides\[0\]\.fro: there is no such key; write for"):
        read("f", text.replace(b"for:", b"fro:"))
    with pytest.raises(BadDocument, match="line 2, column 20"):
        read("f", b"schedules:\n- {name: x, cron: */5 * * * *}\n")
