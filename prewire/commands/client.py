"""The command line's side of the REST API: requests, lists, streams, and errors as one line."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from nib.tls import TlsFiles, reason
from prewire import settings
from prewire.commands.credentials import token_for
from prewire.errors import CommandFailed, TimeRanOut
from prewire.settings import Settings

_SECONDS: Final = 60.0
_STREAMING: Final = httpx.Timeout(5.0, read=45.0)  # servers send something every 15 s
_REMEDY: Final = "start it with `prewire up`, or name another with --api"
_DISTRUSTED: Final = "let cacert.pem of the setting tls be the CA that signed its certificate"
_UNENCRYPTED: Final = "where it has TLS on, set tls (PREWIRE_TLS) here too"
_NO_TOKEN: Final = (
    "run it as who runs the server, or give a token with --token, PREWIRE_TOKEN or "  # noqa: S105
    "PREWIRE_TOKEN_FILE; an operator makes one with `prewire token create`"
)
_NOTHING: Final[Mapping[str, Any]] = {}


class RequestFailed(CommandFailed):
    """The server refused a request or did not answer; the text names field and remedy.

    status: HTTP's; None: no answer.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        if status == httpx.codes.GATEWAY_TIMEOUT:
            self.exit_code = TimeRanOut.exit_code


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event; id: to resume after it."""

    event: str
    data: Any
    id: str


class Client:
    """One server. With `tls`, what https is trusted by: cacert.pem, and no host name compared.

    Where there is no token, cert.pem is shown to whoever asks for a certificate.

    token: what is sent as a bearer token; None: what is found where commands look for it.
    """

    def __init__(
        self,
        url: str,
        tls: TlsFiles | None = None,
        token: str | None = None,
        given: Settings | None = None,
    ) -> None:
        self._url = url
        token = token or token_for(url, given or settings.load())
        self._has_token = token is not None
        try:
            self._http = httpx.Client(
                base_url=url,
                timeout=_SECONDS,
                limits=httpx.Limits(max_keepalive_connections=0),
                verify=authority(tls, shows_certificate=token is None),
                headers={"Authorization": f"Bearer {token}"} if token else None,
            )
        except httpx.InvalidURL as error:
            raise RequestFailed(f"api: {url!r} is no URL ({error}); {_REMEDY}") from None

    @classmethod
    def of(cls, given: Settings) -> Client:
        """Of the server that these settings are of, as its operator where we may read the token."""
        return cls(given.api_url, given.tls_files, given=given)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of a request, None where it has none; RequestFailed otherwise.

        A list is answered whole, however many pages it has, unless `limit` is among the params.
        """
        said = self._one(method, path, **options)
        params = dict(options.pop("params", None) or {})
        if method != "GET" or not _is_page(said) or {"limit", "cursor"} & params.keys():
            return said
        whole = dict(said)
        while said["next"]:
            said = self._one("GET", path, **options, params={**params, "cursor": said["next"]})
            for member, rows in said.items():
                if isinstance(rows, list):
                    whole[member] = whole[member] + rows
        return {**whole, "next": None}

    @contextmanager
    def stream(
        self,
        path: str,
        params: Mapping[str, Any] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Iterator[httpx.Response]:
        """The answer of a GET that does not end by itself, as it comes.

        RequestFailed where it is refused, or cut off within the block.
        """
        try:
            with self._http.stream(
                "GET", path, params=dict(params), headers=dict(headers), timeout=_STREAMING
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    self._said(answer)
                yield answer
        except httpx.TransportError as error:
            raise RequestFailed(f"api: {self._failure(error)}") from None

    def events(
        self, path: str, params: Mapping[str, Any] = _NOTHING, last_event_id: str = ""
    ) -> Iterator[Frame]:
        """Server-sent events, until the server ends them; RequestFailed likewise."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with self.stream(path, params, headers) as answer:
            yield from _frames(answer.iter_lines())

    def _one(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise RequestFailed(f"api: {self._failure(error)}") from None
        return self._said(answer)

    def _said(self, answer: httpx.Response) -> Any:
        """The object of an answer, None where it has none. RequestFailed where it is a problem."""
        if not answer.content and answer.is_success:
            return None
        try:
            said = answer.json()
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise RequestFailed(
                f"api: {self._url} answered {answer.status_code} {answer.reason_phrase}, not as a "
                f"prewire server does; {_REMEDY}"
            )
        if answer.is_success:
            return said
        if answer.status_code == httpx.codes.UNAUTHORIZED and not self._has_token:
            raise RequestFailed(f"token: {said.get('detail')}; {_NO_TOKEN}", answer.status_code)
        raise RequestFailed(_told(said), answer.status_code)

    def _failure(self, error: httpx.TransportError) -> str:
        """What happened, and the remedy."""
        cause = _tls_error(error)
        if cause is not None:
            remedy = _DISTRUSTED if isinstance(cause, ssl.SSLCertVerificationError) else _REMEDY
            return f"no TLS with {self._url}: {reason(cause)}; {remedy}"
        is_cut = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
        remedy = _UNENCRYPTED if is_cut and self._url.startswith("http:") else _REMEDY
        return f"no answer from {self._url} ({error}); {remedy}"


def _is_page(said: Any) -> bool:
    """Whether there are further pages of this list."""
    return isinstance(said, dict) and isinstance(said.get("next"), str)


def _frames(lines: Iterator[str]) -> Iterator[Frame]:
    """Frames of a stream (HTML, section 9.2.6), whose data is JSON here; comments are left out."""
    event, data, last_id = "message", list[str](), ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Frame(event, _loaded("\n".join(data)), last_id)
            event, data = "message", []
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value


def _loaded(data: str) -> Any:
    """What an event says. RequestFailed where it is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise RequestFailed(
            f"api: the server sent {data[:40]!r}, not what a prewire server does; {_REMEDY}"
        ) from None


def _told(problem: dict[str, Any]) -> str:
    """A problem in a line; several fields at fault in one each."""
    listed = problem.get("errors")
    faults = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    faults = faults or [{**problem, "message": problem.get("detail")}]
    lines = [f"{each.get('field')}: {each.get('message')}; {each.get('remedy')}" for each in faults]
    return "\n".join(lines)


def authority(tls: TlsFiles | None, *, shows_certificate: bool = False) -> ssl.SSLContext | bool:
    """What httpx verifies servers with; without certificates of our own, the system's CAs.

    shows_certificate: cert.pem, where the server asks for one. FieldError where cacert.pem cannot
    be used.
    """
    if tls is None:
        return True
    context = tls.trusting_context()
    if shows_certificate and tls.cert.exists() and tls.key.exists():
        context.load_cert_chain(tls.cert, tls.key)
    return context


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The failure of TLS that led to this error, if one did."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause
