"""Which of many policies a link cannot carry.

Must not know: documents, paths.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nib.draft import Draft
from nib.errors import Conflict
from nib.qos import Policy
from prewire.documents.refused import Fault, refused
from qos.errors import NotAdmitted
from qos.intent import Reservations, check_admitted
from qos.provision import LinkKey, LinkState


def check_all_admitted(
    before: Mapping[LinkKey, LinkState],
    policies: Sequence[tuple[str, Policy]],
    draft: Draft,
    reservations: Reservations,
) -> None:
    """Whether links can carry what these policies, put already, are guaranteed.

    policies: each with its place in the document. ApplyRefused names the first of them that does
    not fit after those before it; what fits none of them is not their fault, but a class's or a
    rate's.
    """
    try:
        check_admitted(before, draft, reservations, None)
    except NotAdmitted as error:
        raise _named(error, before, policies, draft, reservations) from None


def _named(
    general: NotAdmitted,
    before: Mapping[LinkKey, LinkState],
    policies: Sequence[tuple[str, Policy]],
    draft: Draft,
    reservations: Reservations,
) -> Exception:
    """The error by the policy at fault. What is guaranteed grows with each: the first is found by
    halves."""
    guaranteeing = [each for each in policies if each[1].guaranteed_bps is not None]

    def error_of(count: int) -> Conflict | None:
        """The error with the guarantees of the first so many alone."""
        mark = draft.mark
        for number, (_, policy) in enumerate(guaranteeing):
            given = policy if number < count else replace(policy, guaranteed_bps=None)
            draft.put(given)
        last = guaranteeing[count - 1][1] if count else None
        try:
            check_admitted(before, draft, reservations, last)
        except NotAdmitted as error:
            return error
        finally:
            draft.roll_back(mark)
        return None

    counts = range(len(guaranteeing) + 1)
    first = bisect_left(counts, x=True, key=lambda count: error_of(count) is not None)
    error = error_of(first) if first in counts else None
    if first == 0 or error is None:
        return refused([Fault(general.field, general.message, general.remedy, is_conflict=True)])
    return refused([Fault.at(guaranteeing[first - 1][0], error)])
