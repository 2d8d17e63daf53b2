"""Saving the slots that clients of one switch choose among; a change on a draft.

Must not know: connections, threads; it is run inside a transaction, perhaps more than once.
"""

from __future__ import annotations

from collections.abc import Callable

from nib.draft import Draft
from nib.records import LocalSlots


def save_local_slots(key: tuple[str, str], slots: LocalSlots | None) -> Callable[[Draft], object]:
    """Store a service's slots for one switch, by (service name, datapath id); None deletes them."""

    def change(draft: Draft) -> object:
        if slots is not None:
            return draft.put(slots)
        return draft.get(LocalSlots, key) and draft.delete(LocalSlots, key)

    return change
