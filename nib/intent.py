"""The rows of intent as frozen, checked values: services and their containers, written by REST.

Must not know: OVSDB, row references, or what anyone does with a record. A `Container` names its
service; turning that name into a row reference is the writer's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from nib.errors import FieldError
from nib.fields import (
    MAX_INTEGER,
    MAX_NUMBER,
    check_address,
    check_choice,
    check_dpid,
    check_integer,
    check_name,
    check_text,
    check_unicast_mac,
)
from nib.policy import (
    MAX_EXTRA_PORTS,
    PROTOCOLS,
    Canary,
    Ejection,
    ExtraPort,
    HealthCheck,
)

CONTAINER_STATES = frozenset({"ready", "draining"})
MODES = frozenset({"stateful", "stateless"})
BALANCE_POLICIES = frozenset({"weighted", "least_inflight", "source_affinity"})
ON_EMPTY = frozenset({"reject", "hold"})
LOCALITIES = frozenset({"none", "prefer"})
MAX_WEIGHT = 256
MAX_SWITCHES = 1000  # that a service names


@dataclass(frozen=True, slots=True)
class Service:
    """Intent: a VIP, port and protocol that containers stand behind.

    `number` (0 = not allotted yet) stands for the service in flows; `generation` is the
    transaction that changed it last. `port` leads to each container's own port, every one of
    `extra_ports` to the same port of all containers.

    policy: how slots are shared; affinity_seconds: how long a client's slot stays where it is
    (source_affinity). on_empty: what a new connection finds where no container takes it.
    max_connections: connections at a time, None = no cap. panic_percent: with fewer containers
    usable, all are used. slow_start_seconds: in which a new container's share grows. locality:
    prefer = a client's switch chooses among its own containers, while one of them can take more.
    switches: datapath ids of those that clients enter by, in order; empty = every switch.
    """

    name: str
    vip: str
    port: int
    protocol: str = "tcp"
    number: int = 0
    generation: int = 0
    extra_ports: tuple[ExtraPort, ...] = ()
    mode: str = "stateful"
    policy: str = "weighted"
    affinity_seconds: int = 0
    on_empty: str = "reject"
    max_connections: int | None = None
    slow_start_seconds: int = 0
    panic_percent: int = 0
    health: HealthCheck | None = None
    ejection: Ejection | None = None
    canary: Canary | None = None
    locality: str = "none"
    switches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_address("vip", self.vip)
        check_integer("port", self.port, 1, 65535)
        check_choice("protocol", self.protocol, PROTOCOLS)
        check_integer("number", self.number, 0, MAX_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        self._check_ports()
        check_choice("mode", self.mode, MODES)
        check_choice("policy", self.policy, BALANCE_POLICIES)
        check_integer("affinity_seconds", self.affinity_seconds, 0, 86_400)
        check_choice("on_empty", self.on_empty, ON_EMPTY)
        if self.max_connections is not None:
            check_integer("max_connections", self.max_connections, 1, 1_000_000)
        check_integer("slow_start_seconds", self.slow_start_seconds, 0, 86_400)
        check_integer("panic_percent", self.panic_percent, 0, 100)
        check_choice("locality", self.locality, LOCALITIES)
        self._check_switches()
        self._check_contradictions()

    def _check_ports(self) -> None:
        if len(self.extra_ports) > MAX_EXTRA_PORTS:
            raise FieldError(
                "extra_ports",
                f"there are {len(self.extra_ports)}",
                f"give at most {MAX_EXTRA_PORTS}, or make a second service",
            )
        fronts = self.fronts
        if len(set(fronts)) != len(fronts):
            raise FieldError("extra_ports", "a port is given twice", "give each port once")

    def _check_switches(self) -> None:
        if len(self.switches) > MAX_SWITCHES:
            raise FieldError(
                "switches",
                f"there are {len(self.switches)}",
                f"name at most {MAX_SWITCHES}, or none: then it is every switch",
            )
        for switch in self.switches:
            check_text("switches", switch)

    def _check_contradictions(self) -> None:
        """What one field asks for and another forbids."""
        if self.affinity_seconds and self.policy != "source_affinity":
            raise FieldError(
                "affinity_seconds",
                f"policy {self.policy} keeps no client with its container",
                "set policy to source_affinity, or leave affinity_seconds out",
            )
        if self.mode == "stateless" and self.max_connections is not None:
            raise FieldError(
                "max_connections",
                "connections are not known in stateless mode",
                "set mode to stateful, or leave max_connections out",
            )
        if self.protocol == "udp" and (self.max_connections is not None or self.ejection):
            field = "ejection" if self.ejection else "max_connections"
            raise FieldError(
                field,
                "it counts the beginning and end of TCP connections",
                f"set protocol to tcp, or leave {field} out",
            )
        if self.protocol == "udp" and self.health and self.health.port is None:
            raise FieldError(
                "health.port",
                f"a {self.health.kind} check cannot ask a UDP port",
                "give the TCP port that the check asks",
            )

    @property
    def key(self) -> str:
        """The service's name."""
        return self.name

    def enters(self, dpid: str) -> bool:
        """Whether clients may enter by this switch."""
        return not self.switches or dpid in self.switches

    @property
    def fronts(self) -> tuple[tuple[str, int, str], ...]:
        """(VIP, port, protocol) of all its ports, its own first."""
        own = (self.vip, self.port, self.protocol)
        return (own, *((self.vip, extra.port, extra.protocol) for extra in self.extra_ports))

    def targets(self, container: Container) -> tuple[tuple[int, str, int], ...]:
        """(port, protocol, the container's port) of all its ports, its own first."""
        own = (self.port, self.protocol, container.port)
        return (own, *((each.port, each.protocol, each.target) for each in self.extra_ports))


@dataclass(frozen=True, slots=True)
class Container:
    """Intent: one resident container of a service.

    Where it is attached is said in one of two ways: `switch` and `switch_port`, or `iface_id`
    (the `external_ids:iface-id` of its interface). `..._ms` are milliseconds since 1970; `since_ms`
    is when it became ready. weight: its share relative to its siblings'; max_inflight: what it
    works at in parallel; max_connections: what it may ever be connected to.
    """

    service: str
    id: str
    address: str
    port: int
    mac: str
    switch: str | None = None
    switch_port: str | None = None
    iface_id: str | None = None
    state: str = "ready"
    drain_until_ms: int | None = None
    number: int = 0
    generation: int = 0
    weight: int = 1
    version: str | None = None
    max_inflight: int | None = None
    max_connections: int | None = None
    lease_seconds: int | None = None
    lease_until_ms: int | None = None
    since_ms: int = 0

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_name("id", self.id)
        check_address("address", self.address)
        check_integer("port", self.port, 1, 65535)
        check_unicast_mac("mac", self.mac)
        self._check_place()
        check_choice("state", self.state, CONTAINER_STATES)
        check_integer("number", self.number, 0, MAX_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        check_integer("weight", self.weight, 0, MAX_WEIGHT)
        if self.version is not None:
            check_name("version", self.version)
        for field in ("max_inflight", "max_connections"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), 1, 1_000_000)
        if self.lease_seconds is not None:
            check_integer("lease_seconds", self.lease_seconds, 1, 86_400)
        for field in ("drain_until_ms", "lease_until_ms"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), 0, MAX_INTEGER)
        check_integer("since_ms", self.since_ms, 0, MAX_INTEGER)

    def _check_place(self) -> None:
        remedy = "give either switch and switch_port, or iface_id"
        if self.iface_id is not None:
            check_text("iface_id", self.iface_id)
            if self.switch is not None or self.switch_port is not None:
                raise FieldError("iface_id", "the container's place is given twice", remedy)
            return
        if self.switch is None:
            raise FieldError("switch", "nothing says where the container is attached", remedy)
        check_dpid("switch", self.switch)
        if self.switch_port is None:
            raise FieldError("switch_port", "the port on the switch is missing", remedy)
        check_text("switch_port", self.switch_port, 63)

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return (self.service, self.id)
