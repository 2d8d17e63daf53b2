"""Clients of the REST server that show a certificate instead of a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.commands import one_line, run_here
from tests.issued import Authority
from tests.places import short_directory
from tests.switch.rest_server import RestServer, problem, serving


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    """Directories: ours (the server's), node1 (a client of the same CA), stranger."""
    with short_directory() as directory:
        ours = Authority("ours")
        ours.issue(directory / "ours", "server1")
        ours.issue(directory / "node1", "node1")
        Authority("theirs").issue(directory / "stranger", "node1")
        yield directory


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[RestServer]:
    """With TLS; our CA vouches for clients too."""
    ours = files / "ours"
    with serving(access="tokens", tls=str(ours), api_client_ca=str(ours / "cacert.pem")) as up:
        yield up


def shown(server: RestServer, directory: Path | None) -> httpx.Client:
    """A client with the certificate of this directory, or none."""
    assert server.settings.tls_files is not None
    context = server.settings.tls_files.trusting_context()
    if directory is not None:
        context.load_cert_chain(directory / "cert.pem", directory / "privkey.pem")
    return httpx.Client(base_url=server.settings.api_url, verify=context)


def test_a_certificate_is_whom_the_database_has_by_its_subject(
    server: RestServer, files: Path
) -> None:
    with shown(server, files / "node1") as client:
        told = problem(client.get("/v1/status"), 401)
        assert "--subject cert:node1" in told["remedy"]
        made = server.put("/v1/tokens/n", role="viewer", subject="cert:node1")
        assert (made.status_code, made.json()["secret"]) == (201, None)
        assert client.get("/v1/status").is_success
        assert "n has the role viewer" in problem(client.get("/v1/tokens"), 403)["detail"]
        bearer = {"Authorization": "Bearer pw_unknown"}
        problem(client.get("/v1/status", headers=bearer), 401)
        assert server.http.delete("/v1/tokens/n").status_code == 204
        problem(client.get("/v1/status"), 401)


def test_who_shows_none_needs_a_token(server: RestServer) -> None:
    with shown(server, None) as client:
        assert "no token" in problem(client.get("/v1/status"), 401)["detail"]
        assert client.get("/readyz").is_success


def test_a_certificate_of_another_ca_ends_the_connection(server: RestServer, files: Path) -> None:
    with shown(server, files / "stranger") as client, pytest.raises(httpx.TransportError):
        client.get("/readyz")


def test_commands_without_a_token_show_the_certificate_of_this_machine(server: RestServer) -> None:
    env = {
        "PREWIRE_API": server.settings.api_url,
        "PREWIRE_TLS": server.settings.tls,
        "PREWIRE_STATE_DIR": "/nonexistent",
    }
    server.put("/v1/tokens/shell", role="viewer", subject="cert:server1")
    done = run_here("status", env=env)
    assert done.returncode == 0, done
    refused = one_line(run_here("token", "list", env=env))
    assert "shell has the role viewer" in refused


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_of_clients_that_is_none_is_refused_in_one_line(
    files: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    env = {"PREWIRE_TLS": str(files / "ours"), "PREWIRE_STATE_DIR": str(tmp_path)}
    assert "api_client_ca" in one_line(run_here("api", "--api-client-ca", str(file), env=env))
