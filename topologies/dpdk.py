"""A network value as running hosts on Open vSwitch with DPDK ports, of one ovs-vswitchd.

Several may run at once, and beside the machine's own Open vSwitch. Switches are bridges with
`fail_mode=secure`; without a controller they forward nothing. Bridges and ports have the names of
the spec; the veth end that a port polls is called after it.

It programs no flows and does not know what prewire does with the network.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from topologies import host_settings, processes
from topologies.dpdk_switch import SLEEP_US, DpdkSwitch, running_switch
from topologies.errors import NetworkError
from topologies.hosts import Hosts
from topologies.relay import relayed
from topologies.spec import PREFIX, HostSpec, NetworkSpec, interface_name

_NEEDED: Final = {
    "mnexec": "mininet",
    "ip": "iproute2",
    "ethtool": "ethtool",
    "sysctl": "procps",
    "unshare": "util-linux",
}

# Frames that wait while the polling thread does not run: a quarter of a second of 200 Mb/s.
_RING: Final = "framecnt=4096,blocksz=65536"


class DpdkNetwork(Hosts):
    """A network that is up. switch: the Open vSwitch that all its bridges are of."""

    def __init__(self, spec: NetworkSpec, switch: DpdkSwitch) -> None:
        super().__init__(spec, switch.directory / "hosts")
        self.switch = switch

    def await_controllers(self, timeout_s: int = 15) -> None:
        """Return when every bridge is connected to its controllers, else NetworkError.

        Open vSwitch reports a connection up to 5 seconds late; a controller itself knows sooner.
        """
        text = self.switch.vsctl("--bare", "--columns=_uuid", "list", "Controller")
        for uuid in text.split():
            until = ["wait-until", "Controller", uuid, "is_connected=true"]
            self.switch.vsctl(f"--timeout={timeout_s}", *until)


@contextmanager
def running(
    spec: NetworkSpec, controllers: Sequence[str] = (), sleep_us: int = SLEEP_US
) -> Iterator[DpdkNetwork]:
    """The network is up inside the body and gone after it.

    `controllers` are targets such as "tcp:127.0.0.1:6653", seen from here. sleep_us: how long the
    polling thread rests at most where little comes in.

    Raises NoHugepages, NetworkError: not root, a package is missing, something does not start.
    """
    _check_machine(spec)
    with ExitStack() as stack:
        switch = stack.enter_context(running_switch(sleep_us))
        network = DpdkNetwork(spec, switch)
        stack.callback(network.stop_everything)
        for host in spec.hosts:
            network.adopt(host.name, _namespace(stack))
        for name in ("all", "default"):
            processes.run(switch.command("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1"))
        _add_links(network)
        _add_bridges(network)
        _connect(switch, spec, controllers, stack)
        for host in spec.hosts:
            _settle(host, network.pid(host.name))
        for container in spec.containers:
            network.add_server(container)
        yield network


def polled(port: str) -> str:
    """What the veth end behind a DPDK port of this name is called."""
    return f"{PREFIX}v-{port.removeprefix(PREFIX).replace('-eth', '-')}"


def _check_machine(spec: NetworkSpec) -> None:
    needed = _NEEDED | ({"nginx": "nginx-light"} if spec.containers else {})
    for command, package in needed.items():
        if shutil.which(command) is None:
            raise NetworkError(f"{command} is not installed: apt-get install {package}")


def _namespace(stack: ExitStack) -> int:
    """A process that holds a network namespace of its own."""
    tied = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net"]
    holder = subprocess.Popen(
        [*tied, "sh", "-c", "echo; exec sleep infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    stack.callback(_end, holder)
    assert holder.stdout is not None  # noqa: S101 - it is a pipe
    holder.stdout.readline()
    return holder.pid


def _end(holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.communicate()


def _add_links(network: DpdkNetwork) -> None:
    for link in network.spec.links:
        ends = [_end_of(network, *end) for end in link.ends()]
        (name, mac, pid), (peer, peer_mac, peer_pid) = ends
        processes.run(
            [
                *("ip", "link", "add", name, *mac, "netns", str(pid), "type", "veth"),
                *("peer", "name", peer, *peer_mac, "netns", str(peer_pid)),
            ]
        )
        for end, _, where in ends:
            _inside(where, "ip", "link", "set", end, "up")


def _end_of(network: DpdkNetwork, node: str, port: int) -> tuple[str, list[str], int]:
    """An end's name, its MAC as words for ip-link(8), and the process in whose namespace it is."""
    name = interface_name(node, port)
    for host in network.spec.hosts:
        if host.name == node:
            return name, ["address", host.mac], network.pid(node)
    return polled(name), [], network.switch.pid


def _add_bridges(network: DpdkNetwork) -> None:
    spec = network.spec
    for switch in spec.switches:
        network.switch.vsctl(
            *("add-br", switch.bridge, "--", "set", "Bridge", switch.bridge),
            *("datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13"),
            f"other_config:datapath-id={switch.dpid_hex16}",
        )
    devices = iter(range(1, 2 * len(spec.links) + 1))
    for link in spec.links:
        for (node, port), other in zip(link.ends(), reversed(link.ends()), strict=True):
            if node in {switch.name for switch in spec.switches}:
                _add_port(network, node, port, next(devices), _labels(spec, other[0]))


def _add_port(
    network: DpdkNetwork, node: str, port: int, device: int, labels: Sequence[str]
) -> None:
    name = interface_name(node, port)
    bridge = network.spec.switch(node).bridge
    arguments = f"eth_af_packet{device},iface={polled(name)},{_RING}"
    network.switch.vsctl(
        *("add-port", bridge, name, "--", "set", "Interface", name, "type=dpdk"),
        *(f'options:dpdk-devargs="{arguments}"', f"ofport_request={port}", *labels),
    )
    said = network.switch.vsctl("--bare", "get", "Interface", name, "error").strip()
    if said not in ("", "[]"):
        raise NetworkError(f"port {name}: {said}")


def _labels(spec: NetworkSpec, node: str) -> list[str]:
    """A host's port says which host it is, as orchestrators do."""
    for host in spec.hosts:
        if host.name == node:
            return [
                f'external_ids:attached-mac="{host.mac}"',
                f'external_ids:iface-id="{host.name}"',
            ]
    return []


def _connect(
    switch: DpdkSwitch, spec: NetworkSpec, controllers: Sequence[str], stack: ExitStack
) -> None:
    targets = []
    for number, target in enumerate(controllers):
        _, host, port = target.split(":")
        socket = switch.directory / f"controller{number}.sock"
        stack.enter_context(relayed(Path(socket), host, int(port)))
        targets.append(f"unix:{socket}")
    for each in spec.switches:
        for target in targets:
            switch.vsctl(
                *("--id=@c", "create", "Controller", f'target="{target}"', "max_backoff=1000"),
                *("--", "add", "Bridge", each.bridge, "controller", "@c"),
            )


def _settle(host: HostSpec, pid: int) -> None:
    interface = interface_name(host.name, 0)
    _inside(pid, "ip", "link", "set", "lo", "up")
    address = f"{host.address}/{host.prefix_len}"
    _inside(pid, "ip", "address", "add", address, "dev", interface)
    _inside(pid, "ip", "route", "add", "default", "dev", interface)
    host_settings.apply(host, pid)


def _inside(pid: int, *argv: str) -> None:
    processes.run(["nsenter", f"--net=/proc/{pid}/ns/net", "--", *argv])
