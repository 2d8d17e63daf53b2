"""What a switch's own database says stands while its server is away, and just after."""

from __future__ import annotations

import queue
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from nib.dbfile import find_tool
from nib.serving import ServerFiles, ServerProcess
from ryu_apps.attachments import Attachments
from ryu_apps.switch_db import SwitchDatabase

WAIT_S: Final = 60.0
DPID: Final = "00000000000000a1"
SCHEMA: Final = Path("/usr/share/openvswitch/vswitch.ovsschema")


@pytest.fixture
def server(state_dir: Path) -> Iterator[ServerProcess]:
    """A switch's database without ovs-vswitchd, which is what a test says."""
    files = ServerFiles(state_dir)
    tool = find_tool("ovsdb-tool")
    subprocess.run([tool, "create", str(files.database), str(SCHEMA)], check=True, timeout=WAIT_S)
    running = ServerProcess(files)
    running.start()
    yield running
    running.stop()


def vsctl(server: ServerProcess, *command: str) -> None:
    argv = [find_tool("ovs-vsctl"), f"--db={server.remote}", "--no-wait", *command]
    subprocess.run(argv, check=True, timeout=WAIT_S)


def add(server: ServerProcess, name: str) -> None:
    vsctl(
        server,
        "add-port",
        "br0",
        name,
        "--",
        "set",
        "Interface",
        name,
        f"external_ids:iface-id={name}",
    )


def test_a_server_that_was_restarted_has_not_told_that_containers_are_gone(
    server: ServerProcess,
) -> None:
    """It forgets datapath ids until ovs-vswitchd tells them anew."""
    heard: queue.Queue[Attachments] = queue.Queue()
    vsctl(server, "add-br", "br0", "--", "set", "Bridge", "br0", f"datapath_id={DPID}")
    add(server, "c1")
    database = SwitchDatabase(server.remote, heard.put)
    database.start()
    try:
        assert set(heard.get(timeout=WAIT_S)) == {(DPID, "c1")}
        server.kill()
        server.start()
        add(server, "c2")  # heard after what the server told when it was there again
        assert set(heard.get(timeout=WAIT_S)) == {(DPID, "c1"), (DPID, "c2")}
        assert database.switches == {DPID}
    finally:
        database.close()
