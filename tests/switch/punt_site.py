"""One real switch under one real controller, with hosts that have network namespaces of their own.

The controller lives in the switch's namespace, where the switch reaches it by the loopback address.
Sockets are made inside a host's namespace and used from the test.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

from gateway_lb.neighbours import VIP_MAC
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.records import Record
from nib.server import EmbeddedServer
from nib.topology import Port, Switch
from prewire import processes
from prewire.settings import load
from tests import commands
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.ryu import controller_command
from tests.waiting import until

T = TypeVar("T")

BRIDGE: Final = "br0"
DPID: Final = f"{1:016x}"
VIP: Final = "10.1.0.1"
VIP6: Final = "fd01::1"
_CLONE_NEWNET: Final = 0x4000_0000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Host:
    """A namespace with one interface, `eth0`, at a port of the switch."""

    def __init__(self, ovs: PrivateOvs, port: str, number: int) -> None:
        self.port = port
        self.address = f"10.0.0.{number}"
        self.address6 = f"fd00::{number:x}"
        self.mac = f"02:00:00:00:00:{number:02x}"
        self._process = subprocess.Popen(
            [*processes.tied(), "unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL
        )
        until(self._namespace, lambda own: own != os.readlink("/proc/self/ns/net"), "a namespace")
        self._inside = ThreadPoolExecutor(1, initializer=self._enter)
        peer = f"{port}-peer"
        ovs.run("ip", "link", "set", peer, "netns", str(self._process.pid))
        for words in (
            f"link set {peer} name eth0 address {self.mac}",
            "link set lo up",
            "link set eth0 up",
            f"addr add {self.address}/8 dev eth0",
            f"addr add {self.address6}/16 dev eth0 nodad",
            f"route add {VIP6}/128 dev eth0",
            f"neigh add {VIP6} lladdr {VIP_MAC} dev eth0 nud permanent",
        ):
            self.run("ip", *words.split())
        self.run("ethtool", "-K", "eth0", "tx", "off")

    def run(self, *command: str) -> str:
        """Run a command inside."""
        inside = ("nsenter", f"--net=/proc/{self._process.pid}/ns/net", "--")
        done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def do(self, work: Callable[[], T]) -> T:
        """Call something inside: sockets it makes stay there."""
        return self._inside.submit(work).result(60)

    def tcp(self, *, ipv6: bool = False, timeout_s: float = 5.0) -> socket.socket:
        """A TCP socket, bound to a port of the system's choice."""
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        made = self.do(lambda: socket.socket(family, socket.SOCK_STREAM))
        made.settimeout(timeout_s)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return made

    def udp(self, *, ipv6: bool = False, timeout_s: float = 5.0) -> socket.socket:
        """A UDP socket."""
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        made = self.do(lambda: socket.socket(family, socket.SOCK_DGRAM))
        made.settimeout(timeout_s)
        return made

    def raw(self) -> socket.socket:
        """A socket of whole Ethernet frames."""
        made = self.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        made.bind(("eth0", 0))
        made.settimeout(5)
        return made

    def listen(self, port: int, *, ipv6: bool = False) -> socket.socket:
        """A listening TCP socket that accepts at once, as the kernel does."""
        made = self.tcp(ipv6=ipv6)
        made.bind(("::" if ipv6 else "0.0.0.0", port))
        made.listen(512)
        return made

    def established(self, port: int) -> int:
        """How many connections its port has, in the kernel's view."""
        words = ("ss", "-Htn", "state", "established", f"( sport = :{port} )")
        return len(self.run(*words).splitlines())

    def close(self) -> None:
        """End the namespace."""
        self._inside.shutdown()
        self._process.kill()
        self._process.wait()

    def _namespace(self) -> str:
        return os.readlink(f"/proc/{self._process.pid}/ns/net")

    def _enter(self) -> None:
        with Path(f"/proc/{self._process.pid}/ns/net").open() as namespace:
            if _LIBC.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")


class Site:
    """The switch, its controller, three hosts and the database."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        enter = self._stack.enter_context
        database = enter(EmbeddedServer(enter(short_directory()), processes.tied()))
        self.nib = enter(Nib(database.remote, "test"))
        self.ovs = enter(PrivateOvs("netdev"))
        self.ovs.add_bridge(BRIDGE, dpid=1, ports=("p1", "p2", "p3"))
        self.ovs.run("ip", "link", "set", "lo", "up")
        self.hosts = [Host(self.ovs, f"p{number}", number) for number in (1, 2, 3)]
        for host in self.hosts:
            self._stack.callback(host.close)
        ports = free_ports("controller_port", "metrics_port")
        self.settings = load(
            state_dir=database.state_dir, nib=database.remote, switch_db="", **ports
        )
        enter(self._controller())
        self.ovs.set_controller(BRIDGE, f"tcp:127.0.0.1:{ports['controller_port']}")
        self.nib.when(lambda view: view.count(Switch) == 1 and view.count(Port) >= 3).result(60)

    @contextmanager
    def _controller(self) -> Iterator[None]:
        inside = ("nsenter", f"--net=/proc/{self.ovs.vswitchd_pid}/ns/net", "--")
        with self._log.open("wb") as output:
            process = subprocess.Popen(
                [*processes.tied(), *inside, *controller_command("os-ken", self.settings)],
                env=commands.environment(self.settings.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.controller = process
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def log(self) -> str:
        """What the controller said."""
        return self._log.read_text()

    def put(self, *records: Record) -> None:
        """Write rows, and wait until the switch holds what intent then says."""
        self._write(lambda draft: [draft.put(record) for record in records])

    def remove(self, *records: Service | Container) -> None:
        """Delete rows, and wait likewise."""
        self._write(lambda draft: [draft.delete(type(each), each.key) for each in records])

    def _write(self, change: Callable[[Draft], object]) -> None:
        generation = self.nib.write(change).result(60).generation
        self.nib.when(lambda view: view.need(Switch, DPID).applied >= generation).result(60)

    def container(self, service: Service, host: Host, port: int, **fields: object) -> Container:
        """A container of a service at a host, to be put."""
        address = host.address6 if ":" in service.vip else host.address
        given: dict[str, object] = {"switch": DPID, "switch_port": host.port} | fields
        return Container(service.name, f"c{host.port}", address, port, host.mac, **given)  # type: ignore[arg-type]

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the controller's page; 0 where there is none."""
        url = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
        page = self.ovs.run("curl", "--silent", url)
        shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
        wanted = name + (f"{{{shown}}}" if shown else "")
        found = re.search(rf"^{re.escape(wanted)} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def conntrack(self, text: str) -> list[str]:
        """Entries of the switch's connection table with a text in them."""
        entries = self.ovs.appctl("dpctl/dump-conntrack").splitlines()
        return [entry for entry in entries if text in entry]
