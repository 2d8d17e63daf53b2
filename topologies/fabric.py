"""The switches of a running network: how bridges are set up, and what can befall them.

Owns a bridge's settings, from the first start to a restart; cut links; lost and restarted switches.
Everything here is undone by the network's removal, whatever state it is in.

It programs no flows, and does not know what runs in the hosts.
"""

from collections.abc import Iterable, Mapping, Sequence

from topologies import openvswitch, processes
from topologies.errors import NetworkError
from topologies.openvswitch import vsctl
from topologies.spec import NetworkSpec, SwitchSpec, interface_name

_OPENFLOW = "OpenFlow13"


class Fabric:
    """The bridges of a network that is up, and the veth pairs between them, by the spec's names.

    Every method raises KeyError for a name that is not in the spec, NetworkError where Open vSwitch
    or the kernel refuses.
    """

    def __init__(self, spec: NetworkSpec, datapath_type: str, labels: Mapping[str, str]) -> None:
        """labels: external_ids of every bridge."""
        self._spec = spec
        self._datapath_type = datapath_type
        self._labels = labels
        self._controllers: tuple[str, ...] = ()

    def label(self) -> None:
        """For the builder: label the bridges, and name the containers' ports for registration."""
        for switch in self._spec.switches:
            vsctl("set", "Bridge", switch.bridge, *self._bridge_labels())
            for command in self._port_labels(switch):
                vsctl(*command)

    def connect(self, controllers: Sequence[str]) -> None:
        """Connect all bridges to all of these controllers, such as "tcp:127.0.0.1:6653".

        A lost connection is retried every second.
        """
        self._controllers = tuple(controllers)
        for switch in self._spec.switches:
            self._connect(switch)

    def await_controllers(self, timeout_s: int = 15) -> None:
        """Return when every switch is connected to all its controllers, else NetworkError.

        Open vSwitch reports a connection up to 5 seconds late; a controller itself knows sooner.
        """
        for switch in self._spec.switches:
            try:
                openvswitch.await_controllers(switch.bridge, timeout_s)
            except NetworkError as error:
                raise NetworkError(
                    f"switch {switch.bridge} reached no controller within {timeout_s} s"
                ) from error

    def cut(self, a: str, b: str) -> None:
        """Take every link between two switches out of order: both ends go down."""
        self._set_ends(a, b, "down")

    def mend(self, a: str, b: str) -> None:
        """Put every link between two switches in order again."""
        self._set_ends(a, b, "up")

    def lose(self, name: str) -> None:
        """A switch loses its power: no carrier at any port, no controller, no flows any more.

        What it knows of connections stays: conntrack is one for all bridges of a datapath.
        """
        switch = self._spec.switch(name)
        vsctl("del-controller", switch.bridge)
        _set_interfaces(self._interfaces(switch).values(), "down")
        for what in ("del-flows", "del-groups", "del-meters"):
            processes.run(["ovs-ofctl", "-O", _OPENFLOW, what, switch.bridge])

    def restore(self, name: str) -> None:
        """A lost switch has power again: it comes up empty and looks for its controllers."""
        switch = self._spec.switch(name)
        _set_interfaces(self._interfaces(switch).values(), "up")
        self._connect(switch)

    def restart(self, name: str) -> None:
        """A bridge is removed and made anew, empty, with the same ports, numbers and controllers.

        The other ends of its links see nothing of it: the carrier stays.
        """
        switch = self._spec.switch(name)
        bridge = switch.bridge
        vsctl("del-br", bridge)
        settings = [f"datapath_type={self._datapath_type}", "fail_mode=secure"]
        settings += [f"protocols={_OPENFLOW}", "other_config:disable-in-band=true"]
        settings += [f"other_config:datapath-id={switch.dpid_hex16}", *self._bridge_labels()]
        command = ["add-br", bridge, "--", "set", "Bridge", bridge, *settings]
        for number, port in self._interfaces(switch).items():
            command += ["--", "add-port", bridge, port]
            command += ["--", "set", "Interface", port, f"ofport_request={number}"]
        for labels in self._port_labels(switch):
            command += ["--", *labels]
        vsctl(*command)
        self._connect(switch)

    def _connect(self, switch: SwitchSpec) -> None:
        openvswitch.set_controllers(switch.bridge, self._controllers)

    def _bridge_labels(self) -> list[str]:
        return [f'external_ids:{key}="{value}"' for key, value in self._labels.items()]

    def _port_labels(self, switch: SwitchSpec) -> list[list[str]]:
        """One ovs-vsctl command for each container behind the switch."""
        commands = []
        for host in self._spec.containers:
            dpid, port = self._spec.port_of(host.name)
            if dpid == switch.dpid_hex16:
                ids = [f"external_ids:iface-id={host.name}"]
                ids.append(f'external_ids:attached-mac="{host.mac}"')
                commands.append(["set", "Interface", port, *ids])
        return commands

    def _interfaces(self, switch: SwitchSpec) -> dict[int, str]:
        """Its interfaces by port number."""
        ends = [end for link in self._spec.links for end in link.ends()]
        ports = sorted(port for name, port in ends if name == switch.name)
        return {port: interface_name(switch.name, port) for port in ports}

    def _set_ends(self, a: str, b: str, state: str) -> None:
        trunks = self._spec.trunks_between(a, b)
        ends = [name for link in trunks for name in (link.a_interface, link.b_interface)]
        _set_interfaces(ends, state)


def _set_interfaces(names: Iterable[str], state: str) -> None:
    """All as good as at once: each is down a fraction of a millisecond after the one before."""
    commands = "".join(f"link set dev {name} {state}\n" for name in names)
    processes.run(["ip", "-batch", "-"], given=commands)
