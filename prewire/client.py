"""The command line's side of the REST API: requests, and errors as one line."""

from __future__ import annotations

from typing import Any, Final

import httpx

from prewire.errors import CommandFailed

_SECONDS: Final = 60.0


class RequestFailed(CommandFailed):
    """The server refused a request or did not answer; the text names field and remedy."""


class Client:
    """One server."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=_SECONDS)
        self._url = url

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of a request, None where it has none. RequestFailed otherwise."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise RequestFailed(
                f"api: no answer from {self._url} ({error}); start it with `prewire up`, or name "
                "another with --api"
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise RequestFailed(_complaint(answer))


def _complaint(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"api: {answer.status_code} {answer.reason_phrase}; is this a prewire server?"
    return f"{problem.get('field')}: {problem.get('detail')}; {problem.get('remedy')}"
