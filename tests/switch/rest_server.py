"""A REST server on a database of its own, as processes, with one switch known to the database."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from nib.database import Nib
from nib.draft import Draft
from nib.rows import packaged_schema
from nib.server import EmbeddedServer
from nib.topology import Port, Switch
from prewire import processes
from prewire.api.access import admin
from prewire.api.problems import MEDIA_TYPE
from prewire.commands.client import authority
from prewire.settings import Settings, load
from tests.commands import environment
from tests.places import free_ports, short_directory
from tests.waiting import until

DPID: Final = "0000000000000001"
MAC: Final = "02:00:00:00:00:11"


@dataclass(frozen=True, slots=True)
class RestServer:
    """`http` talks to it; `database` can be stopped and started."""

    settings: Settings
    database: EmbeddedServer
    http: httpx.Client
    process: subprocess.Popen[bytes]

    def generation(self) -> int:
        """The number of the newest change of intent."""
        return int(self.http.get("/v1/status").raise_for_status().json()["generation"])

    def put(self, path: str, **body: Any) -> httpx.Response:
        """PUT a JSON object."""
        return self.http.put(path, json=body)


@contextmanager
def serving(*, switch: bool = True, **given: Any) -> Iterator[RestServer]:
    """`prewire api` on an embedded NIB that knows one connected switch with ports, or none.

    given: settings; with access="tokens", `http` sends the operator's.
    """
    with short_directory() as directory, EmbeddedServer(directory, processes.tied()) as database:
        settings = load(state_dir=directory, **(free_ports("api_port") | given))
        with Nib(settings.nib_remote, "seed") as nib:
            nib.write(_switch_known if switch else Draft.found).result(60)
        env = environment(settings.environment)
        with (directory / "api.log").open("wb") as log:
            child = processes.start("api", ["api"], env, log)
        try:
            trusted = authority(settings.tls_files)
            with httpx.Client(base_url=settings.api_url, timeout=60, verify=trusted) as client:
                until(lambda: is_ready(client), bool, "the REST server is ready")
                if settings.access == "tokens":
                    client.headers["Authorization"] = f"Bearer {admin.ensured(directory)}"
                yield RestServer(settings, database, client, child.process)
        finally:
            processes.stop([child])


def _switch_known(draft: Draft) -> None:
    draft.put(Switch(DPID, 1, "br0", connected=True))
    for number in (1, 2, 3):
        mac = f"02:00:00:00:01:{number:02x}"
        draft.put(Port(DPID, f"veth{number}", number, mac, f"web-{number}", MAC))
    draft.put(Port(DPID, "veth9", 9, "02:00:00:00:01:09"))


def answers(client: httpx.Client) -> bool:
    """Whether the server there answers a request for the status."""
    try:
        return client.get("/v1/status").is_success
    except httpx.TransportError:
        return False


def is_ready(client: httpx.Client) -> bool:
    """Whether the server there has its database."""
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer that must be a problem (RFC 9457) naming field and remedy."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = dict(answer.json())
    assert body["status"] == status
    assert body["type"].startswith("urn:prewire:problem:"), body
    for member in ("title", "detail", "field", "remedy"):
        assert body[member], f"{member} says nothing: {body}"
    assert "Traceback" not in answer.text
    return body


@contextmanager
def odd_database(**changes: object) -> Iterator[Path]:
    """A plain ovsdb-server on a database whose schema is not ours; its socket."""
    with short_directory() as directory:
        file = odd_database_file(directory / "odd.db", changes)
        socket = directory / "odd.sock"
        argv = [*processes.tied(), "ovsdb-server", str(file), f"--remote=punix:{socket}"]
        argv += [f"--unixctl={directory}/odd.ctl", "-vconsole:off", "-vsyslog:off"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=os.environ.copy()) as server:
            try:
                until(socket.exists, bool, "ovsdb-server listens")
                yield socket
            finally:
                server.terminate()


def odd_database_file(path: Path, changes: Mapping[str, object]) -> Path:
    """A database file with the packaged schema, somewhat changed."""
    schema = path.with_suffix(".ovsschema")
    schema.write_text(json.dumps(packaged_schema() | dict(changes)), "utf-8")
    subprocess.run(["ovsdb-tool", "create", str(path), str(schema)], check=True)
    return path
