"""The command line's side of the REST API: requests, and errors as one line."""

from __future__ import annotations

import ssl
from typing import Any, Final

import httpx

from nib.tls import TlsFiles, reason
from prewire.errors import CommandFailed

_SECONDS: Final = 60.0
_REMEDY: Final = "start it with `prewire up`, or name another with --api"
_DISTRUSTED: Final = "let cacert.pem of the setting tls be the CA that signed its certificate"
_UNENCRYPTED: Final = "where it has TLS on, set tls (PREWIRE_TLS) here too"


class RequestFailed(CommandFailed):
    """The server refused a request or did not answer; the text names field and remedy."""


class Client:
    """One server. With `tls`, what https is trusted by: cacert.pem, and no host name compared."""

    def __init__(self, url: str, tls: TlsFiles | None = None) -> None:
        self._url = url
        nothing_kept = httpx.Limits(max_keepalive_connections=0)
        trusted = authority(tls)
        try:
            self._http = httpx.Client(
                base_url=url, timeout=_SECONDS, limits=nothing_kept, verify=trusted
            )
        except httpx.InvalidURL as error:
            raise RequestFailed(f"api: {url!r} is no URL ({error}); {_REMEDY}") from None

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of a request, None where it has none. RequestFailed otherwise."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise RequestFailed(f"api: {self._failure(error)}") from None
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
        raise RequestFailed(_told(said))

    def _failure(self, error: httpx.TransportError) -> str:
        """What happened, and the remedy."""
        cause = _tls_error(error)
        if cause is not None:
            remedy = _DISTRUSTED if isinstance(cause, ssl.SSLCertVerificationError) else _REMEDY
            return f"no TLS with {self._url}: {reason(cause)}; {remedy}"
        is_cut = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
        remedy = _UNENCRYPTED if is_cut and self._url.startswith("http:") else _REMEDY
        return f"no answer from {self._url} ({error}); {remedy}"


def _told(problem: dict[str, Any]) -> str:
    """A problem in a line; several fields at fault in one each."""
    faults = problem.get("errors") or [{**problem, "message": problem.get("detail")}]
    lines = [f"{each.get('field')}: {each.get('message')}; {each.get('remedy')}" for each in faults]
    return "\n".join(lines)


def authority(tls: TlsFiles | None) -> ssl.SSLContext | bool:
    """What httpx verifies servers with; without certificates of our own, the system's CAs.

    FieldError where cacert.pem cannot be used.
    """
    return True if tls is None else tls.trusting_context()


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The failure of TLS that led to this error, if one did."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause
