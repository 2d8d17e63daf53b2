"""Access to a REST server as a process: tokens, roles, what the log says, what commands send."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from prewire.api.access import admin
from tests.commands import one_line, run_here
from tests.oidc_issuer import OTHER_RSA, Issuer, issuing
from tests.switch.rest_server import RestServer, problem, serving
from tests.waiting import until

ONE: Final = {"address": "10.0.0.1", "port": 80, "iface_id": "web-1", "lease_seconds": 60}
C1: Final = "/v1/services/web/containers/c1"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@pytest.fixture(scope="module")
def server(issuer: Issuer) -> Iterator[RestServer]:
    with serving(access="tokens", api_max_body=4000, oidc_issuer=issuer.url) as up:
        for number, name in enumerate(("web", "db")):
            made = up.put(f"/v1/services/{name}", vip=f"10.0.0.10{number}", port=80)
            assert made.status_code == 201, made.text
        yield up


def token(server: RestServer, name: str, **body: Any) -> str:
    """The secret of a new token."""
    made = server.put(f"/v1/tokens/{name}", **body)
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


def with_token(server: RestServer, secret: str | None) -> httpx.Client:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=server.settings.api_url, headers=headers, timeout=60)


def log(server: RestServer) -> str:
    return (server.settings.state_dir / "api.log").read_text()


def test_without_a_token_only_what_is_open_answers(server: RestServer) -> None:
    with with_token(server, None) as nobody:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
            assert nobody.get(path).is_success, path
        for method, path in (
            ("GET", "/v1/status"),
            ("PUT", C1),
            ("GET", "/v1/none"),
            ("GET", "/x"),
        ):
            answer = nobody.request(method, path)
            assert problem(answer, 401)["type"] == "urn:prewire:problem:unauthenticated"
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    ["Bearer pw_unknown", "Bearer", "Basic YTpi", "pw_x", "Bearer " + "x" * 9000,
     "Bearer eyJhbGciOiJub25lIn0.e30."],
)  # fmt: skip
def test_what_is_no_token_is_refused(server: RestServer, header: str) -> None:
    with with_token(server, None) as nobody:
        problem(nobody.get("/v1/status", headers={"Authorization": header}), 401)


def test_two_authorization_headers_are_refused_even_if_one_is_good(server: RestServer) -> None:
    good = server.http.headers["Authorization"]
    both = [("Authorization", good), ("Authorization", "Bearer pw_x")]
    problem(httpx.get(f"{server.settings.api_url}/v1/status", headers=both), 401)


def test_a_token_in_the_query_or_a_cookie_counts_for_nothing(server: RestServer) -> None:
    secret = token(server, "query", role="viewer")
    with with_token(server, None) as nobody:
        problem(nobody.get("/v1/status", params={"token": secret, "access_token": secret}), 401)
        problem(nobody.get("/v1/status", headers={"Cookie": f"token={secret}"}), 401)
    assert secret not in log(server)


def test_a_viewer_reads_and_changes_nothing(server: RestServer) -> None:
    with with_token(server, token(server, "grafana", role="viewer")) as viewer:
        assert viewer.get("/v1/status").is_success
        assert viewer.get("/v1/services/web").is_success
        for method, path in (
            ("GET", "/v1/tokens"), ("PUT", C1), ("DELETE", "/v1/services/web"),
            ("POST", "/v1/apply"), ("POST", "/v1/reports"), ("PUT", "/v1/tokens/grafana"),
        ):  # fmt: skip
            told = problem(viewer.request(method, path, json={}), 403)
            assert "grafana has the role viewer" in told["detail"]
        problem(viewer.get("/v1/none"), 404)


def test_a_registrar_registers_at_its_own_services_only(server: RestServer) -> None:
    secret = token(server, "platform", role="registrar", services=["web"])
    with with_token(server, secret) as registrar:
        assert registrar.put(C1, json=ONE).status_code == 201
        assert registrar.get(C1).json()["id"] == "c1"
        assert registrar.post(f"{C1}/renew").is_success
        assert registrar.put(f"{C1}/report", json={"words": "50%"}).status_code == 202
        for method, path in (
            ("PUT", "/v1/services/db/containers/c1"), ("GET", "/v1/services/db"),
            ("GET", "/v1/services"), ("PUT", "/v1/services/web"), ("GET", "/v1/status"),
            ("POST", "/v1/apply"), ("GET", "/v1/tokens/platform"), ("GET", "/v1/hosts"),
        ):  # fmt: skip
            problem(registrar.request(method, path, json=ONE), 403)
        own = {"service": "web", "container": "c1", "words": "up"}
        taken = registrar.post("/v1/reports", json={"reports": [own]})
        assert taken.json()["accepted"] == 1, taken.text
        foreign = {**own, "service": "db"}
        told = problem(registrar.post("/v1/reports", json={"reports": [own, foreign]}), 403)
        assert "reports[1]" in told["detail"]
        assert registrar.delete(C1, params={"drain": "0"}).status_code == 204


def test_a_token_that_expires_is_refused_from_then_on(server: RestServer) -> None:
    secret = token(server, "brief", role="viewer", expires_seconds=3600)
    with with_token(server, secret) as brief:
        assert brief.get("/v1/status").is_success
        server.put("/v1/tokens/brief", role="viewer", expires_seconds=1)
        refused = until(lambda: brief.get("/v1/status"), lambda a: a.status_code == 401, "it ends")
        assert "has expired" in problem(refused, 401)["detail"]
    assert server.http.get("/v1/tokens/brief").json()["expired"] is True


def test_a_deleted_token_is_refused_at_once(server: RestServer) -> None:
    with with_token(server, token(server, "gone", role="viewer")) as gone:
        assert gone.get("/v1/status").is_success
        assert server.http.delete("/v1/tokens/gone").status_code == 204
        problem(gone.get("/v1/status"), 401)
    problem(server.http.delete("/v1/tokens/gone"), 404)


def test_a_role_changes_at_once_and_the_secret_stays_unless_rotated(server: RestServer) -> None:
    secret = token(server, "ci", role="viewer")
    with with_token(server, secret) as ci:
        changed = server.put("/v1/tokens/ci", role="operator")
        assert (changed.status_code, changed.json()["secret"]) == (200, None)
        assert ci.get("/v1/tokens").is_success
        rotated = server.http.put(
            "/v1/tokens/ci", json={"role": "operator"}, params={"rotate": "1"}
        )
        assert rotated.json()["secret"] not in (None, secret)
        assert rotated.headers["cache-control"] == "no-store"
        problem(ci.get("/v1/tokens"), 401)


def test_no_secret_is_in_lists_database_or_log(server: RestServer) -> None:
    secret = token(server, "quiet", role="viewer")
    with with_token(server, secret) as quiet:
        assert quiet.get("/v1/status").is_success
    listed = server.http.get("/v1/tokens").text
    assert '"quiet"' in listed
    own = admin.ensured(server.settings.state_dir)
    stored = b"".join(path.read_bytes() for path in server.settings.state_dir.glob("nib.db*"))
    for each in (secret, own):
        assert each not in listed
        assert each not in log(server)
        assert each.encode() not in stored


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "god"}, "role"),
        ({"role": "registrar"}, "services"),
        ({"role": "viewer", "services": ["web"]}, "services"),
        ({"role": "registrar", "services": ["web", "web"]}, "services"),
        ({"role": "registrar", "services": ["../db"]}, "services"),
        ({"role": "viewer", "subject": "cn"}, "subject"),
        ({"role": "viewer", "subject": "cert:a\nb"}, "subject"),
        ({"role": "viewer", "expires_seconds": 0}, "expires_seconds"),
        ({"role": "viewer", "secret": "pw_mine"}, "secret"),
    ],
)
def test_what_no_token_can_be_is_refused(
    server: RestServer, body: dict[str, Any], field: str
) -> None:
    assert problem(server.put("/v1/tokens/odd", **body), 422)["field"].startswith(field)


def test_two_tokens_have_no_subject_together(server: RestServer) -> None:
    body = {"role": "viewer", "subject": "cert:node1"}
    made = server.put("/v1/tokens/one", **body)
    assert (made.status_code, made.json()["secret"]) == (201, None)
    assert problem(server.put("/v1/tokens/two", **body), 409)["field"] == "subject"


def test_the_log_says_who_changed_what_with_the_id_of_the_request(server: RestServer) -> None:
    with with_token(server, token(server, "anna", role="operator")) as anna:
        headers = {"X-Request-Id": "ticket-7"}
        anna.put("/v1/services/mail", json={"vip": "10.0.0.9", "port": 25}, headers=headers)
    line = next(line for line in log(server).splitlines() if "ticket-7" in line)
    for said in ("prewire.audit", "actor=anna", "role=operator", "PUT", "/v1/services/mail", "201"):
        assert said in line
    events = server.http.get("/v1/events", params={"kind": "service"}).json()["items"]
    assert [(each["actor"], each["request"]) for each in events if each["name"] == "mail"] == [
        ("anna", "ticket-7")
    ]


def test_a_client_that_is_refused_again_and_again_is_told_of_once(server: RestServer) -> None:
    secret = token(server, "loud", role="viewer")
    with with_token(server, secret) as loud:
        for _ in range(20):
            problem(loud.delete("/v1/services/none%0Aerror%20fake"), 403)
    # It is told once a minute of each client and reason, maybe in a test before this one.
    assert log(server).count("loud has the role") <= 1
    assert " has the role " in log(server)
    assert "\nerror fake" not in log(server)


def test_guesses_are_slowed_down_and_who_has_a_token_is_not(server: RestServer) -> None:
    with with_token(server, "pw_guess") as guesser:
        codes = [guesser.get("/v1/status").status_code for _ in range(150)]
        assert set(codes) == {401, 429}
        until(lambda: guesser.get("/v1/status"), lambda a: a.status_code == 429, "it is slowed")
    assert server.http.get("/v1/status").is_success


def test_a_jwt_of_the_issuer_is_a_token_too(server: RestServer, issuer: Issuer) -> None:
    with with_token(server, issuer.token(prewire_role="operator")) as alice:
        assert alice.get("/v1/tokens").is_success
    own = issuer.token(sub="bob", prewire_role="registrar", prewire_services=["web"])
    with with_token(server, own) as bob:
        assert bob.put(C1, json=ONE).is_success
        told = problem(bob.get("/v1/status"), 403)
        assert "oidc:bob has the role registrar" in told["detail"]
    with with_token(server, issuer.token(OTHER_RSA, prewire_role="operator")) as forger:
        assert "signature" in problem(forger.get("/v1/status"), 401)["detail"]


def test_commands_of_this_machine_send_its_operators_token(server: RestServer) -> None:
    env = {
        "PREWIRE_STATE_DIR": str(server.settings.state_dir),
        "PREWIRE_API": server.settings.api_url,
    }
    assert run_here("status", env=env).returncode == 0
    made = run_here("token", "create", "shell", "--role", "viewer", "--expires", "2h", env=env)
    secret = made.stdout.strip()
    assert secret.startswith("pw_")
    nowhere = {**env, "PREWIRE_STATE_DIR": "/nonexistent"}
    assert "--token" in one_line(run_here("status", env=nowhere))
    assert run_here("status", env={**nowhere, "PREWIRE_TOKEN": secret}).returncode == 0
    refused = one_line(run_here("token", "list", env={**nowhere, "PREWIRE_TOKEN": secret}))
    assert "shell has the role viewer" in refused
    table = run_here("token", "list", env=env).stdout
    assert "shell" in table
    assert secret not in table
    assert run_here("token", "delete", "shell", env=env).returncode == 0
    assert "not known" in one_line(run_here("status", env={**nowhere, "PREWIRE_TOKEN": secret}))


def test_the_operator_of_this_machine_is_a_token_like_others(server: RestServer) -> None:
    (row,) = (each for each in server.http.get("/v1/tokens").json()["items"]
              if each["name"] == admin.name())  # fmt: skip
    assert (row["role"], row["expires_ms"]) == ("operator", None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_on_a_network_in_clear_is_refused_in_one_line(host: str, tmp_path: Path) -> None:
    for process in ("api", "up"):
        said = one_line(run_here(process, env={"PREWIRE_API_HOST": host,
                                               "PREWIRE_STATE_DIR": str(tmp_path)}))  # fmt: skip
        assert "api_plain" in said
    assert not list(tmp_path.iterdir())


def test_a_body_beyond_the_limit_is_refused_whether_its_length_is_told_or_not(
    server: RestServer,
) -> None:
    told = problem(server.http.post("/v1/apply", content=b"x" * 4001), 413)
    assert told["field"] == "body"

    def parts() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    assert problem(server.http.post("/v1/apply", content=parts(), headers=headers), 413)["detail"]
    secret = token(server, "large", role="registrar", services=["web"])
    with with_token(server, secret) as registrar:
        problem(registrar.post("/v1/reports", content=parts(), headers=headers), 413)
        problem(registrar.put(C1, content=parts(), headers=headers), 413)


def test_what_is_no_http_is_told_of_once(server: RestServer) -> None:
    for _ in range(5):
        with raw(server, b"\x16\x03\x01\r\n\r\n") as made:
            assert made.recv(100).startswith(b"HTTP/1.1 400 ")
    assert log(server).count("Invalid HTTP request") == 1


def test_the_address_that_is_logged_is_not_the_clients_to_choose(server: RestServer) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    with with_token(server, token(server, "masked", role="operator")) as masked:
        assert masked.delete("/v1/services/none", headers=headers).status_code == 404
        masked.put("/v1/classes/masked", json={"dscp": 30, "queue": 3}, headers=headers)
    assert "203.0.113.9" not in log(server)


def raw(server: RestServer, sent: bytes) -> socket.socket:
    """A connection on which this was sent."""
    made = socket.create_connection(("127.0.0.1", server.settings.api_port), timeout=60)
    made.sendall(sent)
    return made


def request(server: RestServer, line: str, *headers: str) -> bytes:
    given = f"Authorization: {server.http.headers['Authorization']}"
    return "\r\n".join((f"{line} HTTP/1.1", "Host: x", given, *headers, "", "")).encode()


def test_a_head_that_does_not_end_is_refused(server: RestServer) -> None:
    with raw(server, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 80_000) as made:
        assert made.recv(100).startswith(b"HTTP/1.1 431 ")
    with raw(server, b"GET /" + b"z" * 200_000) as made, suppress(ConnectionResetError):
        made.recv(100)
    assert server.http.get("/v1/status").is_success


def test_a_client_that_goes_in_the_middle_leaves_nothing_and_is_no_error(
    server: RestServer,
) -> None:
    body = request(server, "PUT /v1/services/half", "Content-Length: 100")
    stream = request(server, "GET /v1/watch?kinds=services")
    for sent in (body + b'{"vip":', body[:40], stream, request(server, "GET /v1/services")):
        with raw(server, sent) as made:
            made.shutdown(socket.SHUT_WR)
            while made.recv(65536):
                pass
    problem(server.http.get("/v1/services/half"), 404)
    assert "Traceback" not in log(server)
    assert " ERROR " not in log(server)


def test_a_server_whose_database_is_away_is_not_ready_and_still_knows_who_asks(
    server: RestServer,
) -> None:
    server.database.stop()
    until(lambda: server.http.get("/readyz"), lambda a: a.status_code == 503, "it is not ready")
    assert server.http.get("/healthz").is_success
    with with_token(server, "pw_unknown") as nobody:
        assert nobody.get("/v1/status").status_code in (401, 429)
