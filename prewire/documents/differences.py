"""What is different between two versions of an object, as answers of REST have it.

Must not know: where the versions come from.
"""

from __future__ import annotations

from collections.abc import Iterable

from nib.differing import Difference, changed, stated
from nib.records import Intent
from prewire.documents.models import FieldChange


def changed_fields(before: Intent, after: Intent) -> list[FieldChange]:
    """The fields that differ."""
    return _told(changed(before, after))


def stated_fields(created: Intent) -> list[FieldChange]:
    """The fields of a new object that are not as by default."""
    return _told(stated(created))


def _told(differences: Iterable[Difference]) -> list[FieldChange]:
    return [FieldChange(field=d.field, before=d.before, after=d.after) for d in differences]
