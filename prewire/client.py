"""The command line's side of the REST API: requests, and errors as one line."""

from __future__ import annotations

from typing import Any, Final

import httpx

from prewire.errors import CommandFailed

_SECONDS: Final = 60.0
_REMEDY: Final = "start it with `prewire up`, or name another with --api"


class RequestFailed(CommandFailed):
    """The server refused a request or did not answer; the text names field and remedy."""


class Client:
    """One server."""

    def __init__(self, url: str) -> None:
        self._url = url
        nothing_kept = httpx.Limits(max_keepalive_connections=0)
        try:
            self._http = httpx.Client(base_url=url, timeout=_SECONDS, limits=nothing_kept)
        except httpx.InvalidURL as error:
            raise RequestFailed(f"api: {url!r} is no URL ({error}); {_REMEDY}") from None

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of a request, None where it has none. RequestFailed otherwise."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise RequestFailed(f"api: no answer from {self._url} ({error}); {_REMEDY}") from None
        if not answer.content and answer.is_success:
            return None
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise RequestFailed(
                f"api: {self._url} answered {answer.status_code} {answer.reason_phrase}, not as a "
                f"prewire server does; {_REMEDY}"
            )
        if answer.is_success:
            return said
        raise RequestFailed(f"{said.get('field')}: {said.get('detail')}; {said.get('remedy')}")
