"""A network value as a running Mininet network on the machine's Open vSwitch.

Owns building, and the complete removal at the end; meanwhile `topologies.hosts` has the hosts in
hand, and `topologies.fabric` the switches. Switches are plain bridges with
`fail_mode=secure`; without a controller they forward nothing.

It uses the emulator for namespaces and veth pairs only: no `mn -c`, no traffic control links, no
Mininet controller. It programs no flows and does not know what prewire does with the network.
"""

import importlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from topologies import host_settings, ledger, openvswitch, signals
from topologies.errors import NetworkError
from topologies.fabric import Fabric
from topologies.hosts import Hosts
from topologies.ledger import DEFAULT_STATE_DIR, Ledger, Leftovers
from topologies.spec import NetworkSpec, interface_name

Datapath = Literal["user", "kernel"]
"""`user` is Open vSwitch's netdev datapath, which needs no kernel module."""

_DATAPATH_TYPES: Final[dict[Datapath, str]] = {"user": "netdev", "kernel": "system"}
_HOSTS = "hosts"  # the directory of the web servers' files
_log = logging.getLogger(__name__)


class RunningNetwork(Hosts):
    """A network that is up.

    fabric: its switches and the links between them, to be cut, lost and restarted.
    """

    def __init__(self, spec: NetworkSpec, fabric: Fabric, journal: Ledger, directory: Path) -> None:
        super().__init__(spec, directory)
        self.fabric = fabric
        self._journal = journal

    def await_controllers(self, timeout_s: int = 15) -> None:
        """As `Fabric.await_controllers`."""
        self.fabric.await_controllers(timeout_s)

    def _note(self, pid: int) -> None:
        self._journal.process(pid)


@contextmanager
def running(
    spec: NetworkSpec,
    controllers: Sequence[str] = (),
    datapath: Datapath = "user",
    state_dir: Path = DEFAULT_STATE_DIR,
) -> Iterator[RunningNetwork]:
    """The network is up inside the body and gone after it, however the body ends.

    `controllers` are Open vSwitch targets such as "tcp:127.0.0.1:6653". What an earlier, killed run
    left is removed first. In the body SIGTERM raises SystemExit and SIGINT KeyboardInterrupt.

    Raises NetworkError: not root, a package is missing, Open vSwitch does not run, a name is taken
    by somebody else, or another network of ours is running.
    """
    emulator = _emulator()
    _check_machine(spec)
    with signals.gated() as gate, ledger.locked(state_dir):
        found = ledger.remove_all(state_dir)
        if found:
            _log.info("removed what an interrupted run left: %s", found)
        _check_names_are_free(spec)
        journal = Ledger(state_dir)
        fabric = Fabric(spec, _DATAPATH_TYPES[datapath], {ledger.TAG: str(state_dir)})
        network = RunningNetwork(spec, fabric, journal, state_dir / _HOSTS)
        mininet = emulator.Mininet(build=False, controller=None)
        try:
            _build(network, journal, mininet, datapath)
            network.fabric.label()
            network.fabric.connect(controllers)
            gate.open()
            yield network
        finally:
            gate.close()
            _remove(network, mininet, state_dir)


def clean_leftovers(state_dir: Path = DEFAULT_STATE_DIR) -> Leftovers:
    """Remove what an interrupted run left and say what it was. Raises NetworkError as `running`."""
    with ledger.locked(state_dir):
        return ledger.remove_all(state_dir)


def _emulator() -> Any:
    """The `mininet.net` module, quiet, and told to leave this machine's global sysctls alone."""
    try:
        module = importlib.import_module("mininet.net")
    except ImportError as error:
        raise NetworkError(
            f"Mininet cannot be imported ({error}): pip install 'prewire[net]'"
        ) from error
    importlib.import_module("mininet.log").setLogLevel("critical")
    module.Mininet.inited = True
    return module


def _check_machine(spec: NetworkSpec) -> None:
    if os.geteuid() != 0:
        raise NetworkError("building a network needs root")
    needed = {"mnexec": "mininet", "ip": "iproute2", "ifconfig": "net-tools", "ethtool": "ethtool"}
    needed |= {"sysctl": "procps"}
    needed |= {"nginx": "nginx-light"} if spec.containers else {}
    for command, package in needed.items():
        if shutil.which(command) is None:
            raise NetworkError(f"{command} is not installed: apt-get install {package}")
    if not openvswitch.is_running():
        raise NetworkError("Open vSwitch does not answer; start it (ovs-ctl start) first")


def _check_names_are_free(spec: NetworkSpec) -> None:
    taken = {switch.bridge for switch in spec.switches} & set(openvswitch.bridges())
    taken |= {name for name in spec.switch_interfaces() if Path("/sys/class/net", name).exists()}
    if taken:
        raise NetworkError(
            f"{', '.join(sorted(taken))}: exists already and was not made by prewire; remove it"
        )


def _build(network: RunningNetwork, journal: Ledger, mininet: Any, datapath: Datapath) -> None:
    spec = network.spec
    for host in spec.hosts:
        node = mininet.addHost(
            host.node,
            ip=f"{host.address}/{host.prefix_len}",
            mac=host.mac,
            defaultRoute=f"dev {interface_name(host.name, 0)}",
        )
        network.adopt(host.name, node.pid)
    _add_switches(spec, journal, mininet, datapath)
    _add_links(spec, journal, mininet)
    mininet.build()
    for host in spec.hosts:
        host_settings.apply(host, network.pid(host.name))
    mininet.start()
    for container in spec.containers:
        network.add_server(container)


def _add_switches(spec: NetworkSpec, journal: Ledger, mininet: Any, datapath: Datapath) -> None:
    switch_class = importlib.import_module("mininet.node").OVSSwitch
    for switch in spec.switches:
        journal.bridge(switch.bridge)
        node = mininet.addSwitch(
            switch.bridge,
            cls=switch_class,
            dpid=switch.dpid_hex16,
            datapath=datapath,
            failMode="secure",
            protocols="OpenFlow13",
        )
        journal.process(node.pid)


def _add_links(spec: NetworkSpec, journal: Ledger, mininet: Any) -> None:
    nodes = {host.name: host.node for host in spec.hosts}
    nodes |= {switch.name: switch.bridge for switch in spec.switches}
    macs = {host.name: host.mac for host in spec.hosts}
    for name in spec.switch_interfaces():
        journal.interface(name)
    for link in spec.links:
        addresses = {"addr1": macs.get(link.a), "addr2": macs.get(link.b)}
        mininet.addLink(
            nodes[link.a],
            nodes[link.b],
            port1=link.a_port,
            port2=link.b_port,
            intfName1=link.a_interface,
            intfName2=link.b_interface,
            **{end: mac for end, mac in addresses.items() if mac is not None},
        )
    for name in spec.switch_interfaces():
        Path("/proc/sys/net/ipv6/conf", name, "disable_ipv6").write_text("1")


def _remove(network: RunningNetwork, mininet: Any, state_dir: Path) -> None:
    try:
        network.stop_everything()
    finally:
        ledger.remove_all(state_dir)
        for node in (*mininet.hosts, *mininet.switches):
            node.waitExited = True  # its shell has ended; collect it
            node.cleanup()
        if (state_dir / _HOSTS).exists():
            shutil.rmtree(state_dir / _HOSTS)
