"""Many objects at once, all or none: what is wanted becomes one change of intent.

All rows are put first and contradictions looked for then, so that objects may change places: two
classes their marks, two services their VIPs. What is wrong with several is told of all of them, by
their places in the document.

Must not know: HTTP, YAML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway_lb.contradictions import check_service
from gateway_lb.intent import canary_started, delete_service, entered_by
from nib.draft import Draft
from nib.errors import Conflict, FieldError, NotFound
from nib.intent import Service
from nib.mirror import Lookups
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import LinkRate, Policy, QosClass
from predictor.routes.intent import need_target
from prewire.documents.admitting import check_all_admitted
from prewire.documents.differences import changed_fields, stated_fields
from prewire.documents.models import (
    ApplyIn,
    ApplyOut,
    DependencyItem,
    FieldChange,
    Item,
    LinkRateItem,
    ObjectChange,
    Outcome,
    OverrideItem,
    ProvisioningItem,
    ScalingItem,
)
from prewire.documents.refused import Fault, refused
from prewire.documents.rivals import Rivals
from qos.contradictions import check_class, check_policy
from qos.intent import Reservations, check_restored
from qos.naming import link_called

Capacity = Scaling | Provisioning | Schedule | Override | DependencyRule
Applied = Service | QosClass | Policy | LinkRate | Capacity

# Member of the document -> the kind of an object in the answer, and its rows; services and policies
# before what is about them.
_KINDS: dict[str, tuple[str, type[Applied]]] = {
    "services": ("service", Service),
    "classes": ("class", QosClass),
    "policies": ("policy", Policy),
    "link_rates": ("link_rate", LinkRate),
    "scalings": ("scaling", Scaling),
    "provisionings": ("provisioning", Provisioning),
    "schedules": ("schedule", Schedule),
    "overrides": ("override", Override),
    "dependencies": ("dependency", DependencyRule),
}
# The last part of the key, where that is not `name`.
_NAMED_BY: dict[type[Applied], str] = {
    LinkRate: "port",
    Scaling: "service",
    Provisioning: "policy",
    DependencyRule: "child",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object, and its place in the document, as in "policies[3]"."""

    member: str
    place: str
    record: Applied


def apply(
    document: ApplyIn, reservations: Reservations, now_ms: int, *, prune: bool, dry_run: bool
) -> Callable[[Draft], ApplyOut]:
    """Make everything as the document says, or nothing: ApplyRefused tells all that is wrong.

    prune: delete what a member of the document does not list; dry_run: change nothing, and tell
    what would be changed.
    """

    def change(draft: Draft) -> ApplyOut:
        mark = draft.mark
        wanted = _wanted(document, draft, now_ms)
        before = reservations(draft)
        changes = _put_all(wanted, draft, now_ms)
        deleted = _deletions(document, wanted, draft) if prune else []
        deletions = [_deleted(record, draft) for record in reversed(deleted)]
        _check(wanted, deleted, draft)
        check_all_admitted(before, _policies(wanted), draft, reservations)
        if dry_run:
            draft.roll_back(mark)
        changes += reversed(deletions)
        counts = Counter(each.outcome for each in changes)
        return ApplyOut(dry_run=dry_run, counts=dict(counts), objects=changes)

    return change


# ------------------------------------------------------------------------------- reading


def _wanted(document: ApplyIn, view: Lookups, now_ms: int) -> list[Wanted]:
    """The rows that are wanted. ApplyRefused where some cannot be, or are given twice."""
    found: list[Wanted] = []
    faults: list[Fault] = []
    places: dict[tuple[str, object], str] = {}
    for member, place, item in _items(document):
        try:
            each = Wanted(member, place, _record(item, view, now_ms))
        except FieldError as error:
            faults.append(Fault.at(place, error))
            continue
        first = places.setdefault((member, each.record.key), place)
        if first != place:
            faults.append(_given_twice(each.record, place, first))
        found.append(each)
    if faults:
        raise refused(faults)
    return found


def _items(document: ApplyIn) -> Iterator[tuple[str, str, Item]]:
    for member in _KINDS:
        for number, item in enumerate(getattr(document, member) or ()):
            yield member, f"{member}[{number}]", item


def _record(item: Item, view: Lookups, now_ms: int) -> Applied:
    match item:
        case LinkRateItem():
            return item.record(*link_called(item.switch, item.port, view))
        case ScalingItem():
            return item.record(item.service)
        case ProvisioningItem():
            return item.record(item.policy)
        case OverrideItem():
            return item.record(item.kind, item.name, now_ms)
        case DependencyItem():
            return item.record(item.parent, item.child)
    record = item.record(item.name)
    return entered_by(record, view) if isinstance(record, Service) else record


def _given_twice(record: Applied, place: str, first: str) -> Fault:
    field = f"{place}.{_NAMED_BY.get(type(record), 'name')}"
    return Fault(field, f"it is given by {first} already", "give each object once")


# ------------------------------------------------------------------------------- changing


def _put_all(wanted: list[Wanted], draft: Draft, now_ms: int) -> list[ObjectChange]:
    """ApplyRefused where some are about a service or policy that is not there."""
    changes: list[ObjectChange] = []
    faults: list[Fault] = []
    for each in wanted:
        try:
            changes.append(_put(each, draft, now_ms))
        except NotFound as error:
            faults.append(_about_nothing(each, error))
    if faults:
        raise refused(faults)
    return changes


def _put(wanted: Wanted, draft: Draft, now_ms: int) -> ObjectChange:
    record = wanted.record
    known = draft.get(type(record), record.key)
    if isinstance(record, Service):
        record = canary_started(record, known if isinstance(known, Service) else None, now_ms)
    stored = draft.put(record)
    if known is None:
        return _changed(stored, "created", stated_fields(stored))
    differ = changed_fields(known, stored)
    return _changed(stored, "changed" if differ else "unchanged", differ)


def _deletions(document: ApplyIn, wanted: list[Wanted], view: Lookups) -> list[Applied]:
    """What there is of the kinds that the document speaks of, and is not in it."""
    kept = {(type(each.record), each.record.key) for each in wanted}
    return [
        record
        for member, (_, kind) in _KINDS.items()
        if getattr(document, member) is not None
        for record in sorted(view.all(kind), key=lambda each: each.key)
        if (kind, record.key) not in kept
    ]


def _deleted(record: Applied, draft: Draft) -> ObjectChange:
    lost: list[FieldChange] = []
    if isinstance(record, Service):
        containers = len(draft.containers_of(record.name))
        delete_service(record.name)(draft)
        if containers:
            lost = [FieldChange(field="containers", before=str(containers), after=None)]
    else:
        draft.delete(type(record), record.key)
    return _changed(record, "deleted", lost)


def _changed(record: Applied, outcome: Outcome, fields: list[FieldChange]) -> ObjectChange:
    name = record.key if isinstance(record.key, str) else "/".join(record.key)
    kind = next(kind for kind, rows in _KINDS.values() if isinstance(record, rows))
    return ObjectChange.model_validate(
        {"kind": kind, "name": name, "outcome": outcome, "fields": fields}
    )


# ------------------------------------------------------------------------------- checking


def _check(wanted: list[Wanted], deleted: list[Applied], view: Lookups) -> None:
    """What contradicts what, now that all is as wanted. ApplyRefused tells all of it."""
    rivals = Rivals(view)
    faults = []
    for each in wanted:
        try:
            _check_one(each.record, view)
            rivals.check(each.record)
        except (FieldError, Conflict) as error:
            faults.append(Fault.at(each.place, error))
        except NotFound as error:
            faults.append(_about_nothing(each, error))
    for gone in (record for record in deleted if isinstance(record, QosClass)):
        try:
            check_restored(gone.name, view)
        except (FieldError, Conflict) as error:
            message = f"without {gone.name}: {error.message}"
            faults.append(Fault("classes", message, error.remedy, is_conflict=True))
    if faults:
        raise refused(faults)


def _check_one(record: Applied, view: Lookups) -> None:
    match record:
        case Service():
            check_service(record, view)
        case QosClass():
            check_class(record, view)
        case Policy():
            check_policy(record, view)
        case _:
            need_target(record, view)


def _about_nothing(wanted: Wanted, error: NotFound) -> Fault:
    field = f"{wanted.place}.{_NAMED_BY.get(type(wanted.record), 'name')}"
    remedy = "state it in the document too, or leave this out"
    return Fault(field, str(error), remedy, is_conflict=True)


def _policies(wanted: list[Wanted]) -> list[tuple[str, Policy]]:
    return [(each.place, each.record) for each in wanted if isinstance(each.record, Policy)]
