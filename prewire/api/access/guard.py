"""The layer around the routes: who asks, whether they may, how much they may ask.

Must not know: what a route does. Sets `nib.committing.ACTOR`, and in the scope "prewire.identity"
and "prewire.valid", which says later whether the identity still is one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nib.changelog import Actor
from nib.committing import ACTOR
from nib.request_ids import REQUEST
from prewire.api.access import bodies
from prewire.api.access.asking import Asking, Everybody
from prewire.api.access.identity import REGISTRAR, Identity
from prewire.api.access.known import KnownTokens
from prewire.api.access.needs import Need, allows, need_of
from prewire.api.access.rates import Rates, whole_seconds
from prewire.api.access.refusals import (
    Refusal,
    forbidden,
    no_such_path,
    too_large,
    too_many,
    too_many_refused,
)
from prewire.api.access.telling import Telling, client_of

DEFAULT_RATE: Final = 5000  # requests a second of one identity
DEFAULT_MAX_BODY: Final = 8 * 2**20
FAILURES: Final = 10  # a second of one address, with 100 at once

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_UNTOLD: Final = ("/report", "/reports", "/renew")  # say how things stand, and change no intent


@dataclass(frozen=True, slots=True)
class Access:
    """What a server's access is made of. rate: requests a second of one identity, 0: no limit.

    known: the tokens that it is checked by, if it is.
    """

    asking: Asking = field(default_factory=Everybody)
    rate: int = DEFAULT_RATE
    max_body: int = DEFAULT_MAX_BODY
    known: KnownTokens | None = None

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything."""
        return isinstance(self.asking, Everybody)


class Guard:
    """The application, guarded."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._asking = access.asking
        self._max_body = access.max_body
        self._rate = access.rate
        self._rates = Rates(access.rate, access.rate) if access.rate else None
        self._failures = Rates(FAILURES, 10 * FAILURES)
        self._telling = Telling()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            identity, receive = await self._admitted(scope, receive)
        except (Refusal, bodies.BodyTooLarge) as found:
            refusal = found if isinstance(found, Refusal) else too_large(self._max_body)
            self._telling.refused(refusal, scope, time.monotonic())
            await refusal.answer(scope, receive, send)
            return
        if identity is not None and scope["method"] not in _READING:
            send = self._told(identity, scope, send)
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive) -> tuple[Identity | None, Receive]:
        """Who asks (None where nobody has to say) and the body they may send; or Refusal."""
        method = scope["method"]
        need, segments = need_of(method, scope["path"])
        receive = self._bounded(scope, receive, is_reading=method in _READING)
        if need is Need.OPEN:
            return None, receive
        identity = await self._identity(scope)
        self._check(need, identity, scope, segments)
        scope["prewire.identity"] = identity
        scope["prewire.valid"] = partial(self._asking.is_valid, identity)
        ACTOR.set(Actor(identity.name, identity.role, REQUEST.get()))
        if need is Need.REPORT_OWN and identity.role == REGISTRAR:
            body, receive = await bodies.whole(receive)
            bodies.check_reports(body, identity)
        return identity, receive

    def _bounded(self, scope: Scope, receive: Receive, *, is_reading: bool) -> Receive:
        is_known = bodies.check_length(scope["headers"], self._max_body)
        return receive if is_known or is_reading else bodies.bounded(receive, self._max_body)

    async def _identity(self, scope: Scope) -> Identity:
        """Who asks. Refusal where nobody known does, or too often."""
        now_s = time.monotonic()
        try:
            identity = await self._asking.identity(scope)
        except Refusal:
            client = client_of(scope)
            wait_s = self._failures.wait_s(client, now_s)
            if wait_s:
                raise too_many_refused(client, FAILURES, whole_seconds(wait_s)) from None
            raise
        if self._rates is not None:
            wait_s = self._rates.wait_s(identity.name or client_of(scope), now_s)
            if wait_s:
                raise too_many(identity.name or client_of(scope), self._rate, whole_seconds(wait_s))
        return identity

    def _check(
        self, need: Need | None, identity: Identity, scope: Scope, segments: Sequence[str]
    ) -> None:
        if need is None:
            if not allows(Need.WRITE, identity, segments):
                raise no_such_path(scope["path"])
        elif not allows(need, identity, segments):
            raise forbidden(identity.name, identity.role, f"this is for {need.value}")

    def _told(self, identity: Identity, scope: Scope, send: Send) -> Send:
        """Has the log say what was changed, once it is answered."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                path: Any = scope["path"]
                if not path.endswith(_UNTOLD):
                    self._telling.changed(identity, scope, message["status"])
            await send(message)

        return sent
