"""Which requests of users are behind generations of intent, for the log.

Pure: a view of the database in, words out.
"""

from __future__ import annotations

from typing import Final

from nib.events import Event
from nib.mirror import Lookups

MOST: Final = 10


def requests_after(applied: int, upto: int, view: Lookups) -> str:
    """The ids of the requests that made the generations after `applied` up to `upto`, the newest
    first, with spaces between them; no more than so many."""
    events = (each for each in view.all(Event) if applied < each.generation <= upto)
    newest = sorted(events, key=lambda each: each.id, reverse=True)
    ids = dict.fromkeys(each.request for each in newest if each.request)
    return " ".join(list(ids)[:MOST])
