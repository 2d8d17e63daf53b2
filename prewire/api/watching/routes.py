"""REST: `?watch` on every list, and watches of several kinds at once.

One route stands in front of all others and takes requests that ask for a watch; lists know nothing
of it. Errors are raised as the rooms raise them.

Must not know: how events are made.
"""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from typing import Final
from urllib.parse import parse_qsl

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from nib.database import Nib
from nib.intent import Service
from prewire.api.watching.catalogue import PATHS
from prewire.api.watching.choice import Choice, choice_of, is_watch
from prewire.api.watching.feed import MAX_WATCHERS, Feed
from prewire.api.watching.gateway_kinds import CONTAINERS
from prewire.api.watching.measures import WatchMeasures
from prewire.api.watching.stream import stream

SEVERAL: Final = "/v1/watch"
_OF_SERVICE: Final = re.compile(r"/v1/services/([^/]+)/containers")


class Watching:
    """The watches of one server; `measures` is a collector of their metrics."""

    def __init__(self, nib: Nib) -> None:
        self.feed = Feed(nib)
        self.measures = WatchMeasures(self.feed)
        self._nib = nib

    def install(self, app: FastAPI) -> None:
        """Put the route in front of the others."""
        app.router.routes.insert(0, WatchRoute(self._nib, self.feed))

    def open(self) -> AbstractAsyncContextManager[None]:
        """Watchers are served inside the body."""
        return self.feed.open()

    def end(self) -> None:
        """Tell all watchers to go: the server is about to stop."""
        self.feed.end()


class WatchRoute(BaseRoute):
    """Requests for a watch; every other request passes by."""

    path = SEVERAL  # how measures call it

    def __init__(self, nib: Nib, feed: Feed) -> None:
        self._nib = nib
        self._feed = feed

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is one, by path and query alone."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        path = scope["path"]
        if path != SEVERAL and b"watch" not in scope["query_string"]:
            return Match.NONE, {}
        if path != SEVERAL and path not in PATHS and not _OF_SERVICE.fullmatch(path):
            return Match.NONE, {}
        query = _query(scope)
        if path != SEVERAL and query.get("watch", "false").lower() in ("false", "0"):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.handle, "route": self}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. FieldError or NotFound for what cannot be watched."""
        query = _query(scope)
        choice = self._choice(scope, query)
        if len(self._feed.watchers) >= MAX_WATCHERS:
            raise HTTPException(503, f"{MAX_WATCHERS} watch already, the most there can be")
        await stream(self._feed, choice, scope, receive, send)

    def _choice(self, scope: Scope, query: dict[str, str]) -> Choice:
        after = HTTPConnection(scope).headers.get("last-event-id", "")
        if scope["path"] == SEVERAL:
            return choice_of(query, after)
        is_watch(query)
        of_service = _OF_SERVICE.fullmatch(scope["path"])
        if of_service is None:
            return choice_of(query, after, PATHS[scope["path"]])
        with self._nib.view() as view:
            view.need(Service, of_service[1])
        return choice_of(query, after, CONTAINERS, service=of_service[1])


def watching(nib: Nib) -> Watching:
    """The watches of a server, on a connected database."""
    return Watching(nib)


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
