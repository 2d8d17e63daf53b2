"""Prewarm requests as CloudEvents 1.0, posted to a sink.

    dev.prewire.prewarm.requested.v1, .accepted.v1, .ready.v1, .expired.v1

Each state of a request is an event of its own: source and id tell a repetition. A sink that is away
is tried for a while; of what waits, the oldest is dropped where there is no room.

Must not know: who decided, gRPC.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cloudevents.core.bindings.http import to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from nib.errors import FieldError
from nib.plans import PrewarmRequest
from nib.watch import Batch

LOG = logging.getLogger(__name__)

SINK_VARIABLE: Final = "K_SINK"
TYPES: Final[Mapping[str, str]] = {
    state: f"dev.prewire.prewarm.{state}.v1"
    for state in ("requested", "accepted", "ready", "expired")
}

_TRIED_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ENDED: Final = frozenset({"ready", "expired"})


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """url: where to post; source: of the events, a URI reference. tries: of one event, pauses of
    first_s doubling to most_s between them; answer_s: how long one may take."""

    url: str
    source: str
    room: int = 1_000
    tries: int = 6
    first_s: float = 0.5
    most_s: float = 15.0
    answer_s: float = 5.0

    def __post_init__(self) -> None:
        if not _is_http(self.url):
            raise FieldError("sink", f"{self.url!r} is no HTTP URL", "give http://HOST/PATH")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of its host, or a port that is none
        return False


def sink_of(environment: Mapping[str, str]) -> str | None:
    """The sink that Knative's SinkBinding names, if any."""
    return environment.get(SINK_VARIABLE) or None


class CloudEvents:
    """Posts what `hear` is told. sent, dropped (no room), failed (given up): how many events.

    mine: whether this predictor minds a service; others tell of theirs. Use it as an asynchronous
    context manager; what waits at its end is given one try each, for `answer_s` in all.
    """

    def __init__(self, settings: SinkSettings, mine: Callable[[str], bool]) -> None:
        self.sent = 0
        self.dropped = 0
        self.failed = 0
        self._settings = settings
        self._mine = mine
        self._waiting: deque[PrewarmRequest] = deque()
        self._begun = False
        self._closing = False
        self._bell: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CloudEvents:
        self._loop = asyncio.get_running_loop()
        self._bell = asyncio.Event()
        self._task = asyncio.create_task(self._post_all(self._bell))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        if self._task is None or self._bell is None:
            return
        self._bell.set()
        try:
            async with asyncio.timeout(self._settings.answer_s):
                await self._task
        except TimeoutError:
            self.failed += len(self._waiting)
            LOG.warning("%s: %d events are lost", self._settings.url, len(self._waiting))

    def hear(self, batch: Batch) -> None:
        """For `nib.watch`: what was there before is not told again. From any thread."""
        begun, self._begun = self._begun, True
        news = [change.new for change in batch.changes if isinstance(change.new, PrewarmRequest)]
        if begun and self._loop is not None:
            for request in news:
                self._loop.call_soon_threadsafe(self._take, request)

    def _take(self, request: PrewarmRequest) -> None:
        if not self._mine(request.service):
            return
        if len(self._waiting) >= self._settings.room:
            self._waiting.popleft()
            self.dropped += 1
            if self.dropped == 1:
                LOG.warning("%s takes events too slowly; the oldest go", self._settings.url)
        self._waiting.append(request)
        if self._bell is not None:
            self._bell.set()

    async def _post_all(self, bell: asyncio.Event) -> None:
        async with httpx.AsyncClient(timeout=self._settings.answer_s) as client:
            while True:
                bell.clear()
                while self._waiting:
                    await self._tell(client, self._waiting.popleft())
                if self._closing:
                    return
                await bell.wait()

    async def _tell(self, client: httpx.AsyncClient, request: PrewarmRequest) -> None:
        try:
            await self._post(client, request)
        except Exception:  # one event's failure is not the others'
            self.failed += 1
            LOG.exception("the event of prewarm request %s was not posted", request.id)

    async def _post(self, client: httpx.AsyncClient, request: PrewarmRequest) -> None:
        headers, body = message(request, self._settings.source)
        pause_s, said = self._settings.first_s, ""
        for _ in range(self._settings.tries):
            try:
                answer = await client.post(self._settings.url, headers=headers, content=body)
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
            else:
                if answer.is_success:
                    self.sent += 1
                    return
                said = f"{answer.status_code} {answer.reason_phrase}"
                if answer.status_code not in _TRIED_AGAIN:
                    break
            if self._closing:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(self._settings.most_s, 2 * pause_s)
        self.failed += 1
        LOG.warning("%s did not take %s: %s", self._settings.url, headers["ce-id"], said)


def message(request: PrewarmRequest, source: str) -> tuple[dict[str, str], bytes]:
    """The headers and body of a request's event as HTTP carries it, in the binary content mode."""
    attributes: dict[str, Any] = {
        "id": f"{request.id}-{request.state}",
        "source": source,
        "type": TYPES[request.state],
        "subject": request.service,
        "time": datetime.fromtimestamp(_since_ms(request) / 1000, UTC),
        "datacontenttype": "application/json",
    }
    event = CloudEvent(attributes, asdict(request))
    made = to_binary(event, JSONFormat())
    body = made.body if isinstance(made.body, bytes) else str(made.body).encode()
    return {key.lower(): value for key, value in made.headers.items()}, body


def _since_ms(request: PrewarmRequest) -> int:
    """When it came to be in its state."""
    if request.state in _ENDED and request.ended_ms is not None:
        return request.ended_ms
    if request.state == "accepted" and request.accepted_ms is not None:
        return request.accepted_ms
    return request.requested_ms
