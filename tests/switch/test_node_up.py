"""`prewire up` with a switch: it starts the node agent, and checks keep traffic off the dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from prewire.host.port import outer_name
from prewire.settings import load
from tests import commands
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.switch.node_site import BRIDGE, CLIENT, DPID, TIED, VIP, Host, Server, joined_host, serve
from tests.waiting import until

pytestmark = pytest.mark.root

API: Final = "http://127.0.0.1:8686"
CHECK: Final = {"kind": "http", "path": "/health?full=1", "interval_ms": 300, "timeout_ms": 300,
                "rise": 1, "fall": 2}  # fmt: skip

# Every connection says who answered or what went wrong, and when it began (seconds).
CLIENT_CODE: Final = """
import socket, sys, time
while True:
    began = time.monotonic()
    try:
        socket.create_connection((sys.argv[1], 80), 2).close()
        said = "ok"
    except OSError as error:
        said = type(error).__name__
    print(began, said, flush=True)
    time.sleep(0.01)
"""


class Whole:
    """prewire as `up` runs it, on a host that has a switch with two containers and a client."""

    def __init__(self, stack: ExitStack) -> None:
        directory = stack.enter_context(short_directory())
        self.ovs = stack.enter_context(PrivateOvs("netdev"))
        self.ovs.run("ip", "link", "set", "lo", "up")
        self.log = directory / "log"
        settings = {
            "PREWIRE_STATE_DIR": str(directory),
            "PREWIRE_SWITCH_DB": self.ovs.database,
            "PREWIRE_ACCESS": "open",
            "PATH": self.ovs.environment["PATH"],
        }
        where = f"--net=/proc/{self.ovs.vswitchd_pid}/ns/net"
        with self.log.open("w") as output:
            self.up = subprocess.Popen(
                [*TIED, "nsenter", where, *commands.command("up")],
                env=commands.environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        stack.callback(self.close)
        assert self.up.stdout is not None
        assert self.up.stdout.readline().startswith("prewire is up. "), self.log.read_text()
        self.ovs.add_bridge(BRIDGE, dpid=1)
        self.ovs.set_controller(BRIDGE, "tcp:127.0.0.1:6653")
        self.hosts: dict[str, Host] = {}
        for place, name in enumerate(("one", "two", "client"), start=101):
            address = CLIENT if name == "client" else f"10.0.0.{place}"
            self.hosts[name] = joined_host(self.ovs, name, place, address)
            stack.callback(self.hosts[name].close)

    def close(self) -> None:
        self.up.terminate()
        self.up.communicate(timeout=60)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the REST server, from its own namespace."""
        data = [] if body is None else ["--json", json.dumps(body)]
        text = self.ovs.run("curl", "-sS", "-X", method, *data, f"{API}/v1{path}")
        return json.loads(text) if text else None

    def await_switch(self) -> None:
        until(
            lambda: [len(each["ports"]) for each in self.call("GET", "/switches")["items"]],
            lambda seen: seen and seen[0] >= len(self.hosts),
            f"the switch is known; see {self.log}",
            60,
        )

    def state(self, name: str) -> str:
        return str(self.call("GET", f"/services/web/containers/{name}").get("state"))


@pytest.fixture
def whole() -> Iterator[Whole]:
    with ExitStack() as stack:
        yield Whole(stack)


@pytest.mark.measures
def test_a_killed_container_gets_no_new_connection_after_a_second(whole: Whole) -> None:
    whole.await_switch()
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        body = {"vip": VIP, "port": 80, "health": CHECK}
        whole.call("PUT", "/services/web?wait=applied", body)
        for name in ("one", "two"):
            servers[name] = serve(whole.hosts[name], "http")
            stack.callback(servers[name].kill)
            container = {"address": whole.hosts[name].address, "port": 8080, "iface_id": name}
            whole.call("PUT", f"/services/web/containers/{name}?wait=applied", container)
        for name in ("one", "two"):
            until(
                lambda name=name: whole.state(name),  # type: ignore[misc]
                lambda seen: seen == "ready",
                f"{name} is ready; {whole.log}",
                60,
            )
        client = whole.hosts["client"].popen("python3", "-c", CLIENT_CODE, VIP)
        stack.callback(client.communicate)
        stack.callback(client.kill)
        assert client.stdout is not None
        for _ in range(20):
            assert client.stdout.readline().endswith(" ok\n")
        killed = time.monotonic()
        servers["one"].kill()
        failures = []
        while True:
            began, said = client.stdout.readline().split()
            if float(began) > killed + 3:
                break
            if said != "ok":
                failures.append(float(began) - killed)
        assert failures, "some met the dead container first"
        assert max(failures) <= 1.0
        assert whole.state("one") == "down"
    whole.close()
    assert outer_name(DPID) not in whole.ovs.vsctl("list-ports", BRIDGE)
    assert "Traceback" not in whole.log.read_text()


def test_without_open_vswitch_it_says_why_there_is_no_agent() -> None:
    with short_directory() as directory:
        settings = load(state_dir=directory, switch_db="", **free_ports())
        process = subprocess.Popen(
            commands.command("up"),
            env=commands.environment(settings.environment | {"PREWIRE_NIB": ""}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("No node agent"):
                break
        process.terminate()
        process.communicate(timeout=60)
        assert line == (
            "No node agent, so no health checks: "
            "this machine runs no Open vSwitch; start it, or set switch_db\n"
        )


def test_it_ends_when_the_agent_does(whole: Whole) -> None:
    children = Path(f"/proc/{whole.up.pid}/task/{whole.up.pid}/children").read_text().split()
    commanded = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
    (agent,) = [pid for pid, text in commanded.items() if text.endswith("prewire\0node\0")]
    os.kill(int(agent), signal.SIGKILL)
    assert whole.up.wait(60) == 1
    assert "node ended with status -9" in whole.log.read_text()
