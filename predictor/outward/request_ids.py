"""The id of a call: that of the request it was made for (metadata `x-request-id`), or a new one.

Must not know: what calls do.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from nib.request_ids import REQUEST, request_id

LOG = logging.getLogger(__name__)

KEY: Final = "x-request-id"


class RequestIds(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Every call's log lines name its request."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """As gRPC has it: the handler runs in the same context."""
        metadata = handler_call_details.invocation_metadata or ()
        given = next((value for key, value in metadata if key == KEY), "")
        REQUEST.set(request_id(given if isinstance(given, str) else ""))
        LOG.debug("call of %s", handler_call_details.method)
        return await continuation(handler_call_details)


def metadata() -> tuple[tuple[str, str], ...]:
    """What a call of ours carries: the id of the request that is worked at, if there is one."""
    worked_at = REQUEST.get()
    return ((KEY, worked_at),) if worked_at else ()
