"""A platform's word that it starts what a prewarm request asks for, as a change of the database.

Must not know: whether it came by gRPC, by REST or from a driver of ours.
"""

from __future__ import annotations

from nib.draft import Draft
from nib.plans import PrewarmRequest
from predictor.outward import life


def accepted(draft: Draft, request_id: str, by: str, now_ms: int) -> PrewarmRequest:
    """The request as it is stored, accepted by `by`. For `nib.write`.

    NotFound where there is none of this id, LifeError where another has it or it has ended,
    FieldError where `by` is no name to show.
    """
    request = draft.need(PrewarmRequest, request_id)
    return draft.put(life.accept(request, by, now_ms))
