"""The rows of bandwidth intent as frozen, checked values: classes, policies, rates of links.

Rates are bits a second of whole Ethernet frames, bursts milliseconds of the rate.

Must not know: OVSDB, how anything is enforced.
"""

from __future__ import annotations

from dataclasses import dataclass

from nib.errors import FieldError
from nib.fields import MAX_INTEGER, check_dpid, check_integer, check_name, check_text

MAX_RATE_BPS = 4_000_000_000_000  # OpenFlow 1.3 meters count kilobits in 32 bits
MIN_RATE_BPS = 1_000
MAX_POLICY_NUMBER = 16_383
MAX_QUEUE = 15


@dataclass(frozen=True, slots=True)
class QosClass:
    """Intent: a class of traffic, with the queue it has at every port.

    dscp: the mark by which switches beyond the edge know it; no two classes share one. priority: of
    what a link has to spare, 0 first; min_percent, max_percent: of a link's rate, for the class as
    a whole; weight: of a policy of this class, where policies share what is left.
    """

    name: str
    dscp: int
    queue: int
    priority: int = 4
    min_percent: int = 5
    max_percent: int = 100
    weight: int = 1
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_integer("dscp", self.dscp, 0, 63)
        check_integer("queue", self.queue, 0, MAX_QUEUE)
        check_integer("priority", self.priority, 0, 7)
        check_integer("min_percent", self.min_percent, 1, 100)
        check_integer("max_percent", self.max_percent, 1, 100)
        if self.min_percent > self.max_percent:
            raise FieldError(
                "min_percent",
                f"{self.min_percent} is above max_percent, {self.max_percent}",
                "give a minimum of at most the maximum",
            )
        check_integer("weight", self.weight, 1, 100)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The class's name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Policy:
    """Intent: the class, guarantee and limits of the traffic from one service to another.

    source, destination: service names, None = anyone; one of them at least. Replies are traffic the
    other way, of a policy of their own. `number` (0 = not allotted yet) stands for it in switches.
    max_connections: open at a time to the destination, TCP. burst_ms: how much may come at once.
    """

    name: str
    source: str | None = None
    destination: str | None = None
    qos_class: str = "default"
    guaranteed_bps: int | None = None
    max_bps: int | None = None
    max_pps: int | None = None
    max_connections: int | None = None
    burst_ms: int = 1000
    number: int = 0
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("name", self.name)
        self._check_ends()
        check_name("qos_class", self.qos_class)
        for field in ("guaranteed_bps", "max_bps"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), MIN_RATE_BPS, MAX_RATE_BPS)
        if self.max_pps is not None:
            check_integer("max_pps", self.max_pps, 1, 100_000_000)
        if self.max_connections is not None:
            check_integer("max_connections", self.max_connections, 1, 1_000_000)
        check_integer("burst_ms", self.burst_ms, 10, 10_000)
        check_integer("number", self.number, 0, MAX_POLICY_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        self._check_contradictions()

    def _check_ends(self) -> None:
        for field in ("source", "destination"):
            if getattr(self, field) is not None:
                check_name(field, getattr(self, field))
        if self.source is None and self.destination is None:
            raise FieldError(
                "destination",
                "the policy is about no service",
                "name the service that the traffic goes to, or its source, or both",
            )

    def _check_contradictions(self) -> None:
        if None not in (self.guaranteed_bps, self.max_bps) and self.guaranteed_bps > self.max_bps:  # type: ignore[operator]
            raise FieldError(
                "guaranteed_bps",
                f"{self.guaranteed_bps} is above max_bps, {self.max_bps}",
                "guarantee at most what is allowed, or leave max_bps out",
            )
        if self.max_connections is not None and self.destination is None:
            raise FieldError(
                "max_connections",
                "connections are counted at the service they go to",
                "name a destination, or leave max_connections out",
            )

    @property
    def key(self) -> str:
        """The policy's name."""
        return self.name

    @property
    def ends(self) -> tuple[str | None, str | None]:
        """(source, destination): no two policies have the same."""
        return (self.source, self.destination)


@dataclass(frozen=True, slots=True)
class LinkRate:
    """Intent: what a port can carry outward, where it is not what the port says."""

    switch: str
    port: str
    bps: int
    generation: int = 0

    def __post_init__(self) -> None:
        check_dpid("switch", self.switch)
        check_text("port", self.port, 63)
        check_integer("bps", self.bps, MIN_RATE_BPS, MAX_RATE_BPS)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(datapath id, port name)."""
        return (self.switch, self.port)


@dataclass(frozen=True, slots=True)
class PortQos:
    """Seen by the node agent: how a port's queues are enforced, and what does not work.

    method: "set_queue + linux-htb", "dscp + linux-htb", "trtcm-policer", or "none"; bps: the rate
    that its queues share; problem: "" where all is well.
    """

    switch: str
    port: str
    method: str
    bps: int = 0
    problem: str = ""

    def __post_init__(self) -> None:
        check_dpid("switch", self.switch)
        check_text("port", self.port, 63)
        check_text("method", self.method, 63)
        check_integer("bps", self.bps, 0, MAX_INTEGER)
        check_text("problem", self.problem, 500, shortest=0)

    @property
    def key(self) -> tuple[str, str]:
        """(datapath id, port name)."""
        return (self.switch, self.port)


@dataclass(frozen=True, slots=True)
class PolicyShare:
    """Decided: what one switch lets through of a policy that comes in there; None: no limit.

    The limits of a policy whose traffic comes in at several switches are divided among these.
    """

    policy: str
    switch: str
    bps: int | None = None
    pps: int | None = None

    def __post_init__(self) -> None:
        check_name("policy", self.policy)
        check_dpid("switch", self.switch)
        for field in ("bps", "pps"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), 1, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(policy name, datapath id)."""
        return (self.policy, self.switch)


@dataclass(frozen=True, slots=True)
class PolicyConnections:
    """Seen: the open connections of a policy that came in at one switch.

    Kept only of policies with max_connections, and only as exactly as a decision needs it.
    """

    policy: str
    switch: str
    open: int

    def __post_init__(self) -> None:
        check_name("policy", self.policy)
        check_dpid("switch", self.switch)
        check_integer("open", self.open, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(policy name, datapath id)."""
        return (self.policy, self.switch)
