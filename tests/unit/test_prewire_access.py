"""Access without a server: the table of routes, rates, the file of the operator's token."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any, Final, cast

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from nib.access import Token
from nib.database import Nib
from nib.errors import FieldError
from nib.mirror import RowChange
from nib.watch import Batch, BatchCallback, Watch
from prewire.api import server
from prewire.api.access import admin, bodies
from prewire.api.access.asking import Credentials
from prewire.api.access.guard import Access, Guard
from prewire.api.access.identity import OPERATOR, REGISTRAR, VIEWER, Identity
from prewire.api.access.known import KnownTokens, hash_of, now_ms
from prewire.api.access.listening import check_listening
from prewire.api.access.needs import Need, allows, need_of, needs
from prewire.api.access.protocol import common_name
from prewire.api.access.rates import MAX_KEPT, Rates
from prewire.api.access.refusals import Refusal
from prewire.commands.client import Client, Frame, _frames
from prewire.commands.credentials import NoToken, token_for
from prewire.settings import SettingsError, load
from tests.waiting import until

OPERATORS = Identity("ops", OPERATOR)
VIEWERS = Identity("grafana", VIEWER)
REGISTRARS = Identity("platform", REGISTRAR, frozenset({"web"}))
WEB = "/v1/services/web"


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return server.application(Nib("unix:/nowhere", "none"))


def may(who: Identity, method: str, path: str) -> bool:
    need, segments = need_of(method, path)
    return need is not None and allows(need, who, segments)


def test_every_route_of_the_description_says_who_may_use_it_and_no_other_is_listed(
    app: FastAPI,
) -> None:
    described = {
        (method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item
    }
    listed = {(method, path) for method, path, _ in needs()}
    assert described - listed == set(), "add these to prewire/api/access/needs.py"
    assert listed - described <= {("GET", "/v1/watch")}, "no such routes"


def test_what_is_open_without_a_token_is_this() -> None:
    for path in ("/", "/page/app.js", "/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert need_of("GET", path)[0] is Need.OPEN
    for path in ("/v1", "/v1/", "//v1/status", "/pages", "/metrics/", "/V1/status", "", "*"):
        assert need_of("GET", path)[0] is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_viewers_read_all_but_tokens(method: str) -> None:
    for path in (
        WEB,
        "/v1/status",
        f"{WEB}/containers/c1",
        "/v1/dependencies/graph",
        "/v1/dependencies/graph/db",
    ):
        assert may(VIEWERS, method, path)
    assert not may(VIEWERS, method, "/v1/tokens")
    assert not may(VIEWERS, method, "/v1/tokens/ops")


def test_viewers_write_nothing() -> None:
    for method, path, need in needs():
        if method != "GET":
            assert not may(VIEWERS, method, path.replace("{name}", "web")), f"{method} {path}"
            assert need is not Need.READ
    assert not may(VIEWERS, "PATCH", "/v1/services")


def test_registrars_have_the_containers_of_their_own_services_and_nothing_else() -> None:
    theirs = {
        ("GET", "/v1/services/{name}"),
        ("GET", "/v1/services/{name}/containers"),
        ("GET", "/v1/services/{name}/containers/{container_id}"),
        ("PUT", "/v1/services/{name}/containers/{container_id}"),
        ("DELETE", "/v1/services/{name}/containers/{container_id}"),
        ("POST", "/v1/services/{name}/containers/{container_id}/renew"),
        ("PUT", "/v1/services/{name}/containers/{container_id}/report"),
        ("POST", "/v1/reports"),
    }
    for method, path, _ in needs():
        allowed = (method, path) in theirs
        assert may(REGISTRARS, method, path.replace("{name}", "web")) is allowed, f"{method} {path}"
        if path != "/v1/reports":
            assert not may(REGISTRARS, method, path.replace("{name}", "db")), f"{method} {path}"


@pytest.mark.parametrize(
    "path",
    [
        f"{WEB}/containers/c1/renew\n", f"{WEB}/containers/../../db/containers/c1",
        f"{WEB}//containers", f"{WEB}/containers/c1/", "/v1/services/", "/v1/tokens\n",
        f"{WEB}/containers/c1/report/x", f"{WEB}/containers/\x00/y",
    ],
)  # fmt: skip
def test_tricks_with_paths_lead_to_no_route(path: str) -> None:
    for who in (VIEWERS, REGISTRARS):
        for method in ("GET", "PUT", "POST", "DELETE"):
            assert not may(who, method, path)
    assert may(OPERATORS, "GET", WEB)


def test_rates_let_a_burst_pass_and_then_so_many_a_second() -> None:
    rates = Rates(per_second=10, burst=5)
    assert [rates.wait_s("a", 1.0) for _ in range(5)] == [0.0] * 5
    assert rates.wait_s("a", 1.0) == pytest.approx(0.1)
    assert rates.wait_s("b", 1.0) == 0.0, "others are not concerned"
    assert rates.wait_s("a", 1.11) == 0.0
    assert rates.wait_s("a", 1.11) > 0


def test_rates_forget_clients_rather_than_grow() -> None:
    rates = Rates(per_second=10, burst=5)
    for number in range(3 * MAX_KEPT):
        rates.wait_s(str(number), 1.0)
    assert len(rates._empty_at) <= MAX_KEPT


def test_the_operators_secret_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    secret = admin.ensured(directory)
    assert stat.S_IMODE((directory / admin.FILE).stat().st_mode) == 0o600
    assert admin.ensured(directory) == secret
    (directory / admin.FILE).chmod(0o644)
    with pytest.raises(FieldError, match="others may read it"):
        admin.ensured(directory)


def test_a_file_without_a_secret_is_refused_and_its_content_not_told(tmp_path: Path) -> None:
    path = tmp_path / admin.FILE
    path.write_text("hunter2")
    path.chmod(0o600)
    with pytest.raises(FieldError) as refused:
        admin.ensured(tmp_path)
    assert "hunter2" not in str(refused.value)


def test_a_name_for_every_host_is_one_of_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("node1", "Node_1.example.org", "ü" * 80, "x" * 64 + ".org", "-"):
        monkeypatch.setattr("socket.gethostname", lambda: host)  # noqa: B023
        Token(admin.name(), OPERATOR, hash_of("x"))


def test_listening_elsewhere_needs_tls_or_to_be_said(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost"):
        check_listening(load(api_host=host))
    for host in ("0.0.0.0", "::", "10.0.0.1", "api.example.org"):
        with pytest.raises(SettingsError, match="api_plain"):
            check_listening(load(api_host=host))
        check_listening(load(api_host=host, tls=str(tmp_path)))
        check_listening(load(api_host=host, api_plain=True))
    with pytest.raises(SettingsError, match="api_client_ca"):
        check_listening(load(api_client_ca="/ca.pem"))


def test_commands_send_the_token_that_was_given_last_of_all_this_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREWIRE_TOKEN", "PREWIRE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    given = load(state_dir=tmp_path)
    url = given.api_url
    assert token_for(url, given) is None
    own = admin.ensured(tmp_path)
    assert token_for(url, given) == own
    assert token_for("http://[::1]:9/", given) == own
    for elsewhere in ("http://10.0.0.1:8686", "http://127.0.0.1.example.org", "http://[", "x"):
        assert token_for(elsewhere, given) is None, "the operator's token goes nowhere else"
    file = tmp_path / "file"
    file.write_text("pw_file\n")
    monkeypatch.setenv("PREWIRE_TOKEN_FILE", str(file))
    assert token_for("http://10.0.0.1:8686", given) == "pw_file"
    monkeypatch.setenv("PREWIRE_TOKEN", "pw_variable")
    assert token_for(url, given) == "pw_variable"
    assert Client(url, given=given)._http.headers["Authorization"] == "Bearer pw_variable"


def test_a_token_that_cannot_be_sent_is_refused_and_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREWIRE_TOKEN", "pw_se cret\r\nX: y")
    with pytest.raises(NoToken) as refused:
        token_for("http://127.0.0.1", load(state_dir=tmp_path))
    assert "cret" not in str(refused.value)


def test_frames_of_a_stream_are_read_as_they_were_written() -> None:
    lines = [": hello", "", "event: put", "id: a-1", 'data: {"key": "web",', 'data: "n": 1}', "",
             "event: ready", "data: {}", "", "event: put", 'data: {"cut": 1}']  # fmt: skip
    assert list(_frames(iter(lines))) == [
        Frame("put", {"key": "web", "n": 1}, "a-1"),
        Frame("ready", {}, "a-1"),
    ]


@pytest.mark.parametrize(
    ("body", "is_refused"),
    [
        ('{"reports": [{"service": "web"}]}', False),
        ('{"reports": [{"service": "web"}, {"service": "db"}]}', True),
        ('{"reports": [{"service": "web", "service": "db"}]}', True),
        ('{"reports": [{"service": ["web"]}]}', True),
        ('{"reports": [{}]}', True),
        ('{"reports": 5}', False),
        ("[" * 100_000, False),
        ("\udcff", False),
    ],
)
def test_a_registrar_reports_of_its_services_only(body: str, is_refused: bool) -> None:
    content = body.encode("utf-8", "surrogateescape")
    if is_refused:
        with pytest.raises(Refusal, match=r"reports\[\d\]"):
            bodies.check_reports(content, REGISTRARS)
    else:
        bodies.check_reports(content, REGISTRARS)


def test_a_body_that_was_looked_at_comes_once_more() -> None:
    parts: list[Message] = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"c", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return parts.pop(0)

    async def read() -> list[Any]:
        body, again = await bodies.whole(receive)
        return [body, await again(), await again()]

    body, first, then = asyncio.run(read())
    assert body == b"abc"
    assert first == {"type": "http.request", "body": b"abc", "more_body": False}
    assert then == {"type": "http.disconnect"}


@pytest.mark.parametrize("length", ["1001", "0" * 20 + "9999", "9" * 5000, "-1", "", "1e3"])
def test_a_length_beyond_the_limit_is_refused_however_it_is_written(length: str) -> None:
    with pytest.raises(Refusal, match="more than 1000 bytes"):
        bodies.check_length([(b"content-length", length.encode())], 1000)


def test_a_length_within_the_limit_is_known() -> None:
    assert bodies.check_length([(b"host", b"x"), (b"content-length", b"1000")], 1000)
    assert not bodies.check_length([(b"host", b"x")], 1000)


def test_one_client_has_so_many_requests_a_second_and_others_theirs() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({})(scope, receive, send)

    async def codes(client: str, count: int) -> list[httpx.Response]:
        transport = httpx.ASGITransport(guard, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            return [await http.get("/v1/status") for _ in range(count)]

    guard = Guard(app, Access(rate=20))
    answers = asyncio.run(codes("10.0.0.1", 60))
    assert {answer.status_code for answer in answers[:20]} == {200}
    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["type"] == "urn:prewire:problem:too-many-requests"
    assert asyncio.run(codes("10.0.0.2", 1))[0].status_code == 200


def test_an_address_that_is_refused_too_often_is_told_to_wait_and_others_there_are_not() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({})(scope, receive, send)

    async def answers() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard)) as http:
            bad = [await http.get("http://x/v1/status", headers=WRONG) for _ in range(120)]
            return [*bad, await http.get("http://x/v1/status", headers=RIGHT)]

    told = Told()
    credentials = Credentials(KnownTokens(cast(Nib, told)))
    told.tell(None, Token("ci", VIEWER, hash_of("pw_a")))
    guard = Guard(app, Access(credentials, rate=5))
    first, *_, last, good = asyncio.run(answers())
    assert first.status_code == 401
    assert last.status_code == 429
    assert "token" in last.json()["remedy"]
    assert good.status_code == 200


WRONG: Final = {"Authorization": "Bearer pw_b"}
RIGHT: Final = {"Authorization": "Bearer pw_a"}


class Told:
    """What a database tells of tokens."""

    def __init__(self) -> None:
        self._hear: BatchCallback = print

    def watch(self, callback: BatchCallback) -> Watch:
        self._hear = callback
        return Watch(callback)

    def tell(self, old: Token | None, new: Token | None) -> None:
        self._hear(Batch(0, (RowChange(old, new),)))


def asked(credentials: Credentials, **headers: str) -> Identity:
    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(credentials.identity({"headers": named}))


def test_an_identity_holds_until_its_token_is_changed_deleted_or_expired() -> None:
    told = Told()
    known = KnownTokens(cast(Nib, told))
    credentials = Credentials(known)
    soon = now_ms() + 300
    first, changed = Token("ci", VIEWER, hash_of("pw_a")), Token("ci", OPERATOR, hash_of("pw_a"))
    ending = Token("ci", VIEWER, hash_of("pw_a"), expires_ms=soon)
    for other in (changed, ending, None):
        told.tell(None, first)
        identity = asked(credentials, Authorization="Bearer pw_a")
        assert (identity.name, identity.role) == ("ci", VIEWER)
        assert credentials.is_valid(identity)
        told.tell(first, other)
        assert not credentials.is_valid(identity)
    told.tell(None, ending)
    identity = asked(credentials, authorization="bearer pw_a")
    until(lambda: credentials.is_valid(identity), lambda holds: not holds, "it expires")
    assert now_ms() >= soon
    with pytest.raises(Refusal, match="ci has expired"):
        asked(credentials, Authorization="Bearer pw_a")


def test_a_certificate_is_an_identity_only_where_its_subject_is_known() -> None:
    told = Told()
    credentials = Credentials(KnownTokens(cast(Nib, told)))
    told.tell(None, Token("node1", REGISTRAR, services=frozenset({"web"}), subject="cert:node1"))

    def shown(name: str | None) -> Identity:
        extensions = {"tls": {"client_cert_name": name}} if name else {}
        return asyncio.run(credentials.identity({"headers": [], "extensions": extensions}))

    assert shown("node1") == Identity("node1", REGISTRAR, frozenset({"web"}), "cert:node1")
    for unknown in ("node2", None, "cert:node1"):
        with pytest.raises(Refusal):
            shown(unknown)
    with pytest.raises(Refusal, match="not known"):
        asked(credentials, Authorization="Bearer cert:node1")


def test_a_hash_is_no_secret() -> None:
    told = Told()
    credentials = Credentials(KnownTokens(cast(Nib, told)))
    told.tell(None, Token("ci", VIEWER, hash_of("pw_a")))
    with pytest.raises(Refusal, match="not known"):
        asked(credentials, Authorization=f"Bearer {hash_of('pw_a')}")


def test_the_common_name_of_a_certificate_is_one_or_none() -> None:
    one = ((("organizationName", "x"),), (("commonName", "node1"),))
    assert common_name({"subject": one}) == "node1"
    for odd in (None, {}, {"subject": (*one, *one)}, {"subject": ((("commonName", "a\nb"),),)}):
        assert common_name(odd) is None


def test_a_list_of_several_pages_is_answered_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {None: ([1], "b"), "b": ([2], "c"), "c": ([3], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        rows, following = pages[request.url.params.get("cursor")]
        assert request.url.params["service"] == "web"
        return httpx.Response(200, json={"items": rows, "policies": rows, "next": following})

    client = Client("http://127.0.0.1", token="pw_x")  # noqa: S106
    client._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://x")
    found = client.call("GET", "/v1/x", params={"service": "web"})
    assert found == {"items": [1, 2, 3], "policies": [1, 2, 3], "next": None}
    one = client.call("GET", "/v1/x", params={"service": "web", "limit": 1})
    assert (one["items"], one["next"]) == ([1], "b")
