"""Stating classes, policies and rates of links: what a request changes.

Each function makes a change for `Nib.write`: it runs inside a transaction on a draft of the
database, so what it checks still holds when it is committed. A record checks its own fields,
`qos.contradictions` what takes more than one row, `qos.admission` what links can carry. Errors name
the field and the remedy.

Must not know: HTTP, paths through the fabric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from nib.draft import Draft
from nib.errors import Conflict, FieldError, NotFound
from nib.mirror import Lookups
from nib.qos import MAX_POLICY_NUMBER, LinkRate, Policy, QosClass
from nib.stored import Stored
from qos import admission
from qos.classes import PRESETS
from qos.contradictions import check_class, check_policy, check_unused
from qos.errors import BuiltIn, NotAdmitted
from qos.provision import LinkKey, LinkState

# What is guaranteed on every link, in a view.
Reservations: TypeAlias = Callable[[Lookups], Mapping[LinkKey, LinkState]]


def put_class(each: QosClass, reservations: Reservations) -> Callable[[Draft], Stored[QosClass]]:
    """Create or replace a class, or give a built-in one other values.

    Conflict where another class has its mark or queue, NotAdmitted where what is guaranteed in it
    would not fit any more.
    """

    def change(draft: Draft) -> Stored[QosClass]:
        known = draft.get(QosClass, each.name)
        check_class(each, draft)
        before = reservations(draft)
        stored = draft.put(each)
        check_admitted(before, draft, reservations, stored)
        return Stored(stored, created=known is None)

    return change


def delete_class(name: str, reservations: Reservations) -> Callable[[Draft], None]:
    """Delete a class; a built-in one is as built in again.

    NotFound where nobody stated it, Conflict where policies are of it.
    """

    def change(draft: Draft) -> None:
        if draft.get(QosClass, name) is None:
            raise BuiltIn(name) if name in PRESETS else NotFound("class", name)
        before = reservations(draft)
        drop_class(name, draft)
        check_restored(name, draft)
        check_admitted(before, draft, reservations, PRESETS.get(name))

    return change


def drop_class(name: str, draft: Draft) -> None:
    """Delete a class's row, whatever follows from it."""
    draft.delete(QosClass, name)


def check_restored(name: str, view: Lookups) -> None:
    """What follows from a class's row being gone. Conflict where policies need it, or where the
    built-in class would get in another's way."""
    if name in PRESETS:
        check_class(PRESETS[name], view)
    else:
        check_unused(name, view)


def put_policy(policy: Policy, reservations: Reservations) -> Callable[[Draft], Stored[Policy]]:
    """Create or replace a policy. Services that it names need not be there yet.

    FieldError for an unknown class, Conflict where another policy has the same ends, NotAdmitted
    where a link cannot carry the guarantee.
    """

    def change(draft: Draft) -> Stored[Policy]:
        known = draft.get(Policy, policy.name)
        check_policy(policy, draft)
        if known is None:
            check_room(draft)
        before = reservations(draft)
        stored = draft.put(policy)
        check_admitted(before, draft, reservations, stored)
        return Stored(stored, created=known is None)

    return change


def delete_policy(name: str) -> Callable[[Draft], Policy]:
    """Delete a policy. NotFound where there is none."""

    def change(draft: Draft) -> Policy:
        return draft.delete(Policy, name)

    return change


def put_link_rate(
    rate: LinkRate, reservations: Reservations
) -> Callable[[Draft], Stored[LinkRate]]:
    """State what a port can carry; the port need not be there yet.

    NotAdmitted where more is guaranteed there already.
    """

    def change(draft: Draft) -> Stored[LinkRate]:
        known = draft.get(LinkRate, rate.key)
        before = reservations(draft)
        stored = draft.put(rate)
        check_admitted(before, draft, reservations, stored)
        return Stored(stored, created=known is None)

    return change


def delete_link_rate(
    key: tuple[str, str], reservations: Reservations
) -> Callable[[Draft], LinkRate]:
    """Go by what the port says again. NotFound where nobody stated its rate; NotAdmitted where
    more is guaranteed there than the port says it can carry."""

    def change(draft: Draft) -> LinkRate:
        if draft.get(LinkRate, key) is None:
            raise NotFound("link rate", key)
        before = reservations(draft)
        gone = draft.delete(LinkRate, key)
        check_admitted(before, draft, reservations, gone)
        return gone

    return change


def check_room(view: Lookups) -> None:
    """Whether there may be one more policy. Conflict where not."""
    if view.count(Policy) >= MAX_POLICY_NUMBER:
        raise Conflict(
            "name", f"there are {MAX_POLICY_NUMBER} policies, the most there can be", "delete some"
        )


def check_admitted(
    before: Mapping[LinkKey, LinkState],
    draft: Draft,
    reservations: Reservations,
    changed: Policy | QosClass | LinkRate | None,
) -> None:
    """Whether links can carry what is guaranteed now. NotAdmitted names link and what is free."""
    try:
        admission.check(before, reservations(draft), changed, draft)
    except FieldError as error:
        raise NotAdmitted(error.field, error.message, error.remedy) from None
