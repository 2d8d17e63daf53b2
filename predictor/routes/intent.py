"""Stating capacity intent: what a request changes.

Each function makes a change for `Nib.write`: it runs inside a transaction on a draft of the
database, so what it checks still holds when it is committed. A record checks its own fields. Errors
name the field and the remedy.

Must not know: HTTP, forecasts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Lookups
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import Policy
from nib.records import Key
from nib.stored import Stored
from predictor.outward.drivers.contract import parse_target
from predictor.planning.schedules import check_schedule

Stateable = TypeVar("Stateable", Scaling, Provisioning, Schedule, Override, DependencyRule)
Deletable = type[Scaling | Provisioning | Schedule | Override | DependencyRule]


def put(record: Stateable) -> Callable[[Draft], Stored[Stateable]]:
    """Create or replace a row of capacity intent.

    NotFound where what a scaling, provisioning or override is of is not there; FieldError for a
    target, a cron line or a time zone that cannot be read.
    """

    def change(draft: Draft) -> Stored[Stateable]:
        need_target(record, draft)
        known = draft.get(type(record), record.key)
        return Stored(draft.put(record), created=known is None)

    return change


def need_target(record: object, view: Lookups) -> None:
    """Whether what a row is about is there. Schedules and words about dependencies may be early.

    NotFound, and FieldError for a target, a cron line or a time zone that cannot be read.
    """
    match record:
        case Scaling():
            view.need(Service, record.service)
            if record.target:
                parse_target(record.target)
        case Provisioning():
            view.need(Policy, record.policy)
        case Override():
            view.need(Service if record.kind == "service" else Policy, record.name)
        case Schedule():
            check_schedule(record)


def delete(kind: Deletable, key: Key) -> Callable[[Draft], object]:
    """Delete a row. NotFound where there is none."""

    def change(draft: Draft) -> object:
        return draft.delete(kind, key)

    return change
