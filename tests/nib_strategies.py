"""Hypothesis strategies for what the state database may hold, and a database without a server.

An *edit* is a change as REST and the controller make it: it goes through the same functions and
the same draft, so that whatever these strategies reach, prewire can reach. Edits that the database
would refuse are among them; they change nothing. Names, addresses and ports are few, so that edits
meet each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st

from gateway_lb.intent import (
    Registration,
    delete_service,
    drain_container,
    put_container,
    put_service,
)
from nib.draft import Draft
from nib.errors import NibError
from nib.intent import BALANCE_POLICIES, ON_EMPTY, Service
from nib.mirror import Mirror, RowChange
from nib.plans import (
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
)
from nib.policy import Canary, Ejection, ExtraPort
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import LinkRate, Policy, PolicyConnections, QosClass
from nib.records import RECORD_CLASSES, Global, LocalSlots, Record, SlotTable
from nib.topology import Host, Link, Port, Switch

# The switch that tests look at, and another one.
HERE: Final = "0000000000000001"
THERE: Final = "0000000000000002"
SWITCHES: Final = {HERE: Switch(HERE, 1, "s1"), THERE: Switch(THERE, 2, "s2")}

STATIONS: Final = range(1, 7)
_NAMES: Final = ("web", "api", "dns")
_IDS: Final = ("c1", "c2", "c3", "c4")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the database, which an example that fails shows with its argument."""

    make: Callable[[Any], Callable[[Draft], object]]
    given: Any

    def __call__(self, draft: Draft) -> object:
        return self.make(self.given)(draft)

    def __repr__(self) -> str:
        return f"{self.make.__name__}({self.given!r})"


class Database:
    """Drafts over a mirror, as `Nib.write` makes them, without a server."""

    def __init__(self, edits: Iterable[Edit] = ()) -> None:
        self.mirror = Mirror()
        rows: tuple[Record, ...] = (Global(), *SWITCHES.values())
        for record in rows:
            self.mirror.apply(RowChange(None, record))
        for edit in edits:
            self.write(edit)

    def write(self, change: Callable[[Draft], object]) -> tuple[RowChange, ...]:
        """The changes that came of it: none where it was refused, and then nothing is written."""
        draft = Draft(self.mirror)
        try:
            change(draft)
        except NibError:
            assert draft.net_changes() == (), "refused, and half written"
            draft.roll_back(0)
            return ()
        return draft.net_changes()

    def everything(self) -> tuple[RowChange, ...]:
        """All rows, as a watch reports them at first."""
        rows = (row for kind in RECORD_CLASSES for row in self.mirror.all(kind))
        return tuple(RowChange(None, row) for row in rows)


def address_of(station: int) -> str:
    return f"10.0.1.{station}"


def mac_of(station: int) -> str:
    return f"02:00:00:00:01:{station:02x}"


def port_of_station(station: int, switch: str = HERE, number: int | None = None) -> Port:
    """The port that a station is behind by name, number and iface-id."""
    iface = f"pod-{station}"
    return Port(switch, f"v{station}", number or station, mac_of(100 + station), iface_id=iface)


def registration(service: str, name: str, station: int, port: int = 8080) -> Registration:
    """A container at a station, placed by its iface-id."""
    address, mac = address_of(station), mac_of(station)
    return Registration(service, name, address, port, mac, iface_id=f"pod-{station}")


# ------------------------------------------------------------------------------ what edits make


def put_port(port: Port) -> Callable[[Draft], object]:
    return lambda draft: draft.put(port)


def delete_port(key: tuple[str, str]) -> Callable[[Draft], object]:
    return lambda draft: draft.delete(Port, key)


def drain(given: tuple[tuple[str, str], float]) -> Callable[[Draft], object]:
    """given: key and seconds; with 0 seconds the container is deleted."""
    return drain_container(given[0], 1_000_000, given[1])


def put_switch(switch: Switch) -> Callable[[Draft], object]:
    return lambda draft: draft.put(switch)


def save_table(table: SlotTable) -> Callable[[Draft], object]:
    return lambda draft: draft.put(table) if draft.get(Service, table.service) else None


def save_local_table(table: LocalSlots) -> Callable[[Draft], object]:
    return lambda draft: draft.put(table) if draft.get(Service, table.service) else None


def put_link(link: Link) -> Callable[[Draft], object]:
    return lambda draft: draft.put(link)


def delete_link(key: tuple[str, str]) -> Callable[[Draft], object]:
    return lambda draft: draft.delete(Link, key)


def put_host(host: Host) -> Callable[[Draft], object]:
    return lambda draft: draft.put(host)


def delete_host(mac: str) -> Callable[[Draft], object]:
    return lambda draft: draft.delete(Host, mac)


def change_nothing(_given: None) -> Callable[[Draft], object]:
    return lambda _draft: None


# ---------------------------------------------------------------------------------- strategies

stations = st.sampled_from(STATIONS)
_keys = st.tuples(st.sampled_from(_NAMES), st.sampled_from(_IDS))

services = st.builds(
    Service,
    name=st.sampled_from(_NAMES),
    vip=st.sampled_from(("10.0.0.100", "10.0.0.101")),
    port=st.sampled_from((80, 81)),
    protocol=st.sampled_from(("tcp", "udp")),
)


@st.composite
def ports(draw: st.DrawFn) -> Port:
    """A station's port, mostly here; its number and its iface-id may change."""
    station = draw(stations)
    port = port_of_station(
        station,
        draw(st.sampled_from((HERE, HERE, THERE))),
        station + draw(st.sampled_from((0, 10))),
    )
    if draw(st.booleans()):
        return port
    return Port(port.switch, port.name, port.number, port.mac)


@st.composite
def registrations(draw: st.DrawFn) -> Registration:
    """A container at a station, placed in any way that there is."""
    service, name = draw(_keys)
    station, port = draw(stations), draw(st.sampled_from((8080, 8081)))
    by_iface = registration(service, name, station, port)
    switch = draw(st.sampled_from((HERE, "s1", THERE)))
    where = draw(st.sampled_from((f"v{station}", str(station), str(station + 10), f"0{station}")))
    if draw(st.integers(0, 2)):
        return by_iface
    address, mac = by_iface.address, by_iface.mac
    return Registration(service, name, address, port, mac, switch=switch, switch_port=where)


def _edits(make: Callable[[Any], Any], given: st.SearchStrategy[Any]) -> st.SearchStrategy[Edit]:
    return st.builds(Edit, st.just(make), given)


switches = st.builds(
    Switch,
    dpid=st.just(HERE),
    ct_zone=st.just(SWITCHES[HERE].ct_zone),
    name=st.just("s1"),
    connected=st.booleans(),
    applied=st.integers(0, 3),
)

service_edits = _edits(put_service, services)
container_edits = _edits(put_container, registrations())
edits = st.one_of(
    service_edits,
    container_edits,
    container_edits,
    _edits(drain, st.tuples(_keys, st.sampled_from((0.0, 60.0)))),
    _edits(put_port, ports()),
    _edits(delete_service, st.sampled_from(_NAMES)),
    _edits(delete_port, st.tuples(st.just(HERE), st.sampled_from([f"v{n}" for n in STATIONS]))),
    _edits(put_switch, switches),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Edit]:
    """Edits that lead to a database with ports, services and containers in every state."""
    placed = [Edit(put_port, port_of_station(station)) for station in STATIONS]
    moved = draw(st.lists(_edits(put_port, ports()), max_size=3))
    offered = draw(st.lists(service_edits, min_size=1, max_size=3))
    registered = draw(st.lists(container_edits, min_size=1, max_size=8))
    after = draw(st.lists(edits, max_size=4))
    return [*placed, *moved, *offered, *registered, *after]


# -------------------------------------------------------------- links, learned hosts, local slots

# The ports that join the two switches: as many at each.
TRUNKS: Final = ("t1", "t2")
_HOSTS: Final = range(1, 4)


def trunk_port(switch: str, name: str) -> Port:
    """A port that leads to the other switch, up, with a number that no station's port has."""
    number = 100 + TRUNKS.index(name)
    mac = f"02:00:00:00:{int(switch, 16):02x}:{number:02x}"
    return Port(switch, name, number, mac, up=True)


def link_of(switch: str, name: str) -> Link:
    """What leaves a switch by one of the trunks arrives at the other switch's port of that name."""
    return Link(switch, name, THERE if switch == HERE else HERE, name)


_trunks = st.tuples(st.sampled_from((HERE, THERE)), st.sampled_from(TRUNKS))
_host_macs = st.integers(1, len(_HOSTS)).map(lambda n: f"02:00:00:00:02:{n:02x}")
hosts = st.builds(
    Host,
    mac=_host_macs,
    switch=st.sampled_from((HERE, THERE)),
    port=stations.map(lambda station: f"v{station}"),
    addresses=st.frozensets(
        st.sampled_from(("10.0.2.1", "10.0.2.2", "fe80::2", "fd00::2")), max_size=3
    ),
)
local_tables = st.builds(
    LocalSlots,
    service=st.sampled_from(_NAMES),
    switch=st.sampled_from((HERE, THERE)),
    slots=st.sampled_from(((), (1,) * 64, (1, 2) * 32)),
)

# What discovery learns of a fabric; for tests of more than one switch, beside `edits`.
fabric_edits = st.one_of(
    _edits(put_link, _trunks.map(lambda trunk: link_of(*trunk))),
    _edits(delete_link, _trunks),
    _edits(put_port, st.builds(replace, _trunks.map(lambda t: trunk_port(*t)), up=st.booleans())),
    _edits(put_host, hosts),
    _edits(delete_host, _host_macs),
)


@st.composite
def fabric_histories(draw: st.DrawFn) -> list[Edit]:
    """As `histories`, with two switches that are linked, and hosts that nobody registered."""
    trunks = [(switch, name) for switch in (HERE, THERE) for name in TRUNKS]
    return [
        *[Edit(put_port, trunk_port(*trunk)) for trunk in trunks],
        *[Edit(put_link, link_of(*trunk)) for trunk in trunks],
        *draw(histories()),
        *draw(st.lists(fabric_edits, max_size=6)),
    ]


# ------------------------------------------------------------------------ policies of bandwidth


def put_row(row: Record) -> Callable[[Draft], object]:
    return lambda draft: draft.put(row)


def put_policy(policy: Policy) -> Callable[[Draft], object]:
    """Two policies with the same ends are refused."""

    def change(draft: Draft) -> object:
        known = draft.policy_between(*policy.ends)
        return draft.put(policy) if known is None or known.name == policy.name else None

    return change


def delete_policy(name: str) -> Callable[[Draft], object]:
    return lambda draft: draft.delete(Policy, name)


_ends = st.sampled_from(("web", "api", None))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Of any ends and class, some with a guarantee or limits."""
    source, destination = draw(_ends), draw(_ends)
    if source is None and destination is None:
        destination = "web"
    chosen = draw(st.sampled_from(("interactive", "bulk", "default", "gold")))
    may_guarantee = destination is not None and chosen != "default"
    return Policy(
        draw(st.sampled_from(("p1", "p2", "p3", "p4"))),
        source,
        destination,
        chosen,
        guaranteed_bps=draw(st.sampled_from((None, 5_000_000))) if may_guarantee else None,
        max_bps=draw(st.sampled_from((None, 10_000_000, 40_000_000))),
        max_pps=draw(st.sampled_from((None, 1000))),
    )


link_rates = st.builds(
    LinkRate,
    switch=st.sampled_from((HERE, THERE)),
    port=st.sampled_from((*TRUNKS, "v1", "v2")),
    bps=st.sampled_from((20_000_000, 1_000_000_000)),
)
policy_edits = _edits(put_policy, policies())
bandwidth_edits = st.one_of(
    policy_edits,
    policy_edits,
    _edits(delete_policy, st.sampled_from(("p1", "p2", "p3", "p4"))),
    _edits(
        put_row, st.sampled_from((QosClass("gold", 34, 5, 0, 10, 90, 8), QosClass("gold", 36, 5)))
    ),
    _edits(put_row, link_rates),
    _edits(
        put_row, st.builds(PolicyConnections, st.just("p1"), st.just(HERE), st.sampled_from((0, 9)))
    ),
)


# ------------------------------------------------------------------------- plans and overrides

# Rows of capacity, which no switch has anything to do with.
CAPACITY_ROWS: Final[tuple[Record, ...]] = (
    Scaling("web", concurrency=4),
    Provisioning("p1"),
    Schedule("nightly", "0 3 * * *", 600, service="web", containers=3),
    Override("service", "web", 2_000_000, containers=5),
    DependencyRule("web", "api", "pin"),
    ContainerPlan("web", 3, 0, 2_000_000, "forecast"),
    PrewarmRequest("r1", "web", 3, 1, 0, 10, 20),
    Dependency("web", "api", 1000),
    Predictor("one", "127.0.0.1:1"),
    Shard(3, "one"),
)

# Plans and overrides begin and end about this time, which tests begin at.
PLANNED_MS: Final = 1_000_000

_planned_rates = st.sampled_from(
    (
        {"max_bps": 30_000_000},
        {"max_bps": 2_000_000},
        {"guaranteed_bps": 15_000_000},
        {"max_bps": 30_000_000, "guaranteed_bps": 900_000_000},
        {"max_bps": 30_000_000, "guaranteed_bps": 3_000_000},
    )
)
_policy_names = st.sampled_from(("p1", "p2", "p3", "p4"))


@st.composite
def rate_plans(draw: st.DrawFn) -> RatePlan:
    """Valid already or soon, for a moment or for long; some of policies that are not there."""
    begins = draw(st.sampled_from((0, PLANNED_MS + 400)))
    lasts = draw(st.sampled_from((5_000_000, 5_000_000, 700, 0)))
    until_ms = max(begins, PLANNED_MS) + lasts
    rates = draw(_planned_rates)
    most, sure = rates.get("max_bps"), rates.get("guaranteed_bps")
    return RatePlan(draw(_policy_names), begins, until_ms, "forecast", most, sure)


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    """Of policies, over already or for a while."""
    until_ms = PLANNED_MS + draw(st.sampled_from((5_000_000, 600, 0)))
    rates = draw(_planned_rates)
    if rates.get("guaranteed_bps", 0) > rates.get("max_bps", 4_000_000_000):
        rates = {"max_bps": rates["max_bps"]}
    most, sure = rates.get("max_bps"), rates.get("guaranteed_bps")
    return Override("policy", draw(_policy_names), until_ms, None, most, sure)


def delete_row(given: tuple[type[Any], Any]) -> Callable[[Draft], object]:
    """given: a class and a key."""
    return lambda draft: draft.delete(*given)


def save_rate(rate: PolicyRate) -> Callable[[Draft], object]:
    """As another controller may have left it."""
    return lambda draft: draft.put(rate) if draft.get(Policy, rate.policy) else None


rate_edits = _edits(put_row, rate_plans())
plan_edits = st.one_of(
    rate_edits,
    rate_edits,
    _edits(put_row, overrides()),
    _edits(delete_row, _policy_names.map(lambda name: (RatePlan, name))),
    _edits(delete_row, _policy_names.map(lambda name: (Override, ("policy", name)))),
    _edits(put_row, st.sampled_from(CAPACITY_ROWS)),
    _edits(
        save_rate,
        st.builds(
            PolicyRate, _policy_names, st.just("plan"), st.just(PLANNED_MS), st.just(7_000_000)
        ),
    ),
)


# ------------------------------------------------------- services with every field, either family

_EXTRA_PORTS: Final = ((), (ExtraPort(443, 8443),), (ExtraPort(90, 8080), ExtraPort(53, 53, "udp")))


@st.composite
def rich_services(draw: st.DrawFn) -> Service:
    """As `services`, with further ports, policies and IPv6; some of them refused."""
    plain = draw(services)
    tcp = plain.protocol == "tcp"
    policy = draw(st.sampled_from(sorted(BALANCE_POLICIES)))
    return replace(
        plain,
        vip=draw(st.sampled_from((plain.vip, "fd00::100"))),
        extra_ports=draw(st.sampled_from(_EXTRA_PORTS)),
        mode=draw(st.sampled_from(("stateful", "stateful", "stateless"))),
        policy=policy,
        affinity_seconds=60 if policy == "source_affinity" else 0,
        on_empty=draw(st.sampled_from(sorted(ON_EMPTY))),
        slow_start_seconds=draw(st.sampled_from((0, 10))),
        ejection=draw(st.sampled_from((None, Ejection()))) if tcp else None,
        canary=draw(st.sampled_from((None, Canary("v2", 20)))),
    )


@st.composite
def rich_registrations(draw: st.DrawFn) -> Registration:
    """As `registrations`, with weights, versions, limits, leases and IPv6. Stations are so few that
    services share them."""
    service, name = draw(_keys)
    station = draw(st.integers(1, 3))
    plain = registration(service, name, station)
    return replace(
        plain,
        address=draw(st.sampled_from((plain.address, plain.address, f"fd00::1:{station}"))),
        weight=draw(st.sampled_from((1, 1, 0, 3, 256))),
        version=draw(st.sampled_from((None, "v1", "v2"))),
        max_inflight=draw(st.sampled_from((None, 4))),
        lease_seconds=draw(st.sampled_from((None, 30))),
    )


@st.composite
def rich_histories(draw: st.DrawFn) -> list[Edit]:
    """As `histories`, of services and containers with every field."""
    placed = [Edit(put_port, port_of_station(station)) for station in STATIONS]
    offered = draw(st.lists(_edits(put_service, rich_services()), min_size=3, max_size=6))
    registered = _edits(put_container, rich_registrations())
    return [
        *placed,
        *offered,
        *draw(st.lists(registered, min_size=3, max_size=12)),
        *draw(st.lists(edits, max_size=4)),
    ]


def examples(share: float) -> settings:
    """`share` times as many as usual: fewer where each of them costs a lot."""
    return settings(max_examples=max(1, round(settings().max_examples * share)))
