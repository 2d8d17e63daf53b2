"""From what is wrong to a gRPC status, and its text: what is wrong, and what to do about it.

Must not know: what calls do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Final, TypeVar

import grpc

from nib.errors import Conflict, FieldError, NibUnavailable, NotFound
from predictor.outward.life import LifeError

LOG = logging.getLogger(__name__)

_PARTING_S: Final = 1.0
_LONGEST: Final = 1000  # the text travels in a header


class Refused(Exception):
    """A call ends with this status; the text says why and what to do."""

    def __init__(self, code: grpc.StatusCode, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.code = code


def unknown_service(name: str) -> Refused:
    """There is no such service."""
    return Refused(
        grpc.StatusCode.NOT_FOUND,
        f"there is no service {name}",
        "`prewire service list` shows those there are",
    )


def unknown_policy(name: str) -> Refused:
    """There is no such policy."""
    return Refused(
        grpc.StatusCode.NOT_FOUND,
        f"there is no policy {name}",
        "`prewire policy list` shows those there are",
    )


async def end(context: Any, error: Exception) -> None:
    """End the call with the status that this error has; what is no error of ours is logged.

    A subscriber that does not read gets its status when it reads again; it is not waited for.
    """
    code, text = _status(error)
    if code is grpc.StatusCode.INTERNAL:
        LOG.error("a call failed", exc_info=error)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PARTING_S):
            await context.abort(code, text[:_LONGEST])


Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


def refusing(method: Method) -> Method:
    """A unary method whose errors end the call with their status."""

    @wraps(method)
    async def wrapped(self: Any, request: Any, context: Any) -> Any:
        try:
            return await method(self, request, context)
        except Exception as error:
            await end(context, error)

    return wrapped  # type: ignore[return-value]


def _status(error: Exception) -> tuple[grpc.StatusCode, str]:
    if isinstance(error, Refused):
        return error.code, str(error)
    if isinstance(error, LifeError):
        codes = grpc.StatusCode
        return (codes.ALREADY_EXISTS if error.taken_by else codes.FAILED_PRECONDITION), str(error)
    if isinstance(error, NibUnavailable):
        return grpc.StatusCode.UNAVAILABLE, f"{error}; {error.remedy}"
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code, str(error)
    return grpc.StatusCode.INTERNAL, "an error of the predictor itself; its log tells more"


_CODES: Final[dict[type[Exception], grpc.StatusCode]] = {
    FieldError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.ABORTED,
}
