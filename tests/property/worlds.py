"""Random fabrics with services and policies, changes in them, and what their links cannot carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Final

import networkx as nx
from hypothesis import strategies as st

from nib.draft import Draft
from nib.errors import FieldError, NibError
from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror
from nib.qos import LinkRate, Policy, QosClass
from nib.records import Global, Record
from nib.topology import Link, Port
from qos.classes import classes_of
from qos.contradictions import check_class
from qos.provision import LinkKey
from tests.fabric_model import fabrics, infrastructure, mirror_of
from topologies.spec import NetworkSpec

M: Final = 1_000_000
SERVICES: Final = ("a", "b", "c")
CLASSES: Final = ("interactive", "realtime")
_RATES: Final = (100 * M, 40 * M, 200 * M)
_UNKNOWN_ONE_IN: Final = 15  # ports


@dataclass(frozen=True)
class World:
    """A fabric with services' containers somewhere, and changes to make in it."""

    spec: NetworkSpec
    rows: tuple[Record, ...]
    changes: tuple[tuple[Any, ...], ...]


# ------------------------------------------------------------------------------ strategies


@st.composite
def worlds(draw: st.DrawFn, *, with_topology: bool) -> World:
    spec = draw(fabrics(5, containers=2))
    rows: list[Record] = [Global()]
    rate = draw(st.sampled_from(_RATES))
    for row in infrastructure(spec):
        if isinstance(row, Port):
            is_known = draw(st.integers(1, _UNKNOWN_ONE_IN)) < _UNKNOWN_ONE_IN
            rows.append(replace(row, speed_bps=rate if is_known else 0))
        else:
            rows.append(row)
    for number, name in enumerate(SERVICES, start=1):
        rows.append(Service(name, f"10.9.0.{number}", 80, number=number))
    for number, host in enumerate(spec.containers, start=100):
        place = SERVICES[number % 3], host.name, host.address, 8080, host.mac
        if draw(st.booleans()):
            rows.append(Container(*place, iface_id=host.name, number=number))
    first = draw(st.lists(_change("policy"), min_size=2, max_size=4))
    kinds = [*_INTENT, *(_TOPOLOGY if with_topology else ())]
    more = draw(st.lists(st.sampled_from(kinds).flatmap(_change), max_size=8))
    return World(spec, tuple(rows), (*first, *more))


_INTENT: Final = ("policy", "policy", "no policy", "rate", "no rate", "class", "no class")
_TOPOLOGY: Final = ("move", "move", "link", "container", "port")


def _change(kind: str) -> st.SearchStrategy[tuple[Any, ...]]:
    end = st.sampled_from((*SERVICES, None))
    name = st.sampled_from(("p1", "p2", "p3", "p4"))
    index = st.integers(0, 99)
    given: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
        "policy": (st.builds(_policy, name, end, st.sampled_from(SERVICES), _limits()),),
        "no policy": (name,),
        "rate": (index, st.sampled_from((60 * M, 20 * M, 200 * M))),
        "no rate": (index,),
        "class": (
            st.sampled_from(CLASSES),
            st.sampled_from((10, 20, 30)),
            st.sampled_from((30, 100, 50)),
        ),
        "no class": (st.sampled_from(CLASSES),),
        "move": (index, index),
        "link": (index,),
        "container": (index,),
        "port": (index, st.booleans()),
    }
    return st.tuples(st.just(kind), *given[kind])


def _limits() -> st.SearchStrategy[dict[str, Any]]:
    guarantees = st.sampled_from((10 * M, None, 2 * M, 30 * M, 60 * M))
    return st.fixed_dictionaries(
        {
            "qos_class": st.sampled_from(CLASSES),
            "guaranteed_bps": guarantees,
            "max_bps": st.sampled_from((None, 60 * M, 90 * M)),
        }
    )


def _policy(name: str, source: str | None, destination: str, limits: dict[str, Any]) -> Policy:
    return Policy(name, source, destination, **limits)


# ------------------------------------------------------------------------------ making changes


def intent(given: tuple[Any, ...], draft: Draft) -> Policy | QosClass | LinkRate:
    """Make a change of intent as REST does but for admission; the row that changed."""
    changed: Policy | QosClass | LinkRate
    match given:
        case ("policy", policy):
            taken = draft.policy_between(*policy.ends)
            changed = draft.put(replace(policy, name=taken.name) if taken else policy)
        case ("no policy", name):
            changed = draft.delete(Policy, name)
        case ("rate", index, bps):
            switch, port = _nth(Port, index, draft).key
            changed = draft.put(LinkRate(switch, port, bps))
        case ("no rate", index):
            changed = draft.delete(LinkRate, _nth(LinkRate, index, draft).key)
        case ("class", name, least, most):
            wanted = replace(classes_of(draft)[name], min_percent=least, max_percent=most)
            check_class(wanted, draft)
            changed = draft.put(wanted)
        case ("no class", name):
            changed = draft.delete(QosClass, name)
        case _:
            raise AssertionError(given)
    return changed


def _nth(kind: type[Any], index: int, view: Lookups) -> Any:
    """One of the rows; FieldError where there is none."""
    rows = sorted(view.all(kind), key=lambda row: row.key)
    if not rows:
        raise FieldError("nothing", "there is none", "try another")
    return rows[index % len(rows)]


def topology(given: tuple[Any, ...], draft: Draft) -> None:
    """Make a change that nobody admits."""
    match given:
        case ("move", index, to):
            ifaces = sorted(port.iface_id for port in draft.all(Port) if port.iface_id)
            container = _nth(Container, index, draft)
            draft.put(replace(container, iface_id=ifaces[to % len(ifaces)]))
        case ("link", index):
            draft.delete(Link, _nth(Link, index, draft).key)
        case ("container", index):
            draft.delete(Container, _nth(Container, index, draft).key)
        case ("port", index, up):
            draft.put(replace(_nth(Port, index, draft), up=up))


def made(view: Mirror, change: Callable[[Draft], object]) -> bool:
    """Make a change unless it is refused; whether it was not."""
    draft = Draft(view)
    try:
        change(draft)
    except NibError:
        draft.roll_back(0)
        return False
    return True


def happened(world: World) -> Iterator[Mirror]:
    """The database after each change, whether links can carry what it promises or not."""
    view = mirror_of(world.rows, is_dealt=False)
    for given_change in world.changes:
        make = topology if given_change[0] in _TOPOLOGY else intent
        made(view, partial(make, given_change))
        yield view


# ------------------------------------------------------------------------------ what must hold


def paths_of(policy: Policy, world: World, view: Lookups) -> set[LinkKey]:
    """The links that a policy's traffic may take, by another way of finding them."""
    graph = nx.Graph((link.switch, link.peer) for link in view.all(Link))
    places = {
        each.service: {
            world.spec.port_of(other.id) for other in view.all(Container) if _serves(other, each)
        }
        for each in view.all(Container)
    }
    if policy.source is None:
        sources = {world.spec.port_of(host.name)[0] for host in world.spec.hosts}
    else:
        sources = {switch for switch, _ in places.get(policy.source, ())}
    found = set()
    for switch, port in places.get(str(policy.destination), ()) if sources else ():
        found.add((switch, port))
        for source in sources:
            for path in nx.all_shortest_paths(graph, source, switch) if source != switch else ():
                found |= set(_leaving(path, view))
    return found


def _serves(one: Container, other: Container) -> bool:
    return one.service == other.service


def _leaving(path: list[str], view: Lookups) -> Iterator[LinkKey]:
    for here, there in pairwise(path):
        yield from (
            each.key for each in view.all(Link) if (each.switch, each.peer) == (here, there)
        )


def overfull(world: World, view: Lookups) -> list[LinkKey]:
    """The links that cannot carry what is guaranteed beside the minima of classes."""
    classes = classes_of(view)
    sums: dict[LinkKey, dict[str, int]] = {}
    for policy in view.all(Policy):
        for key in paths_of(policy, world, view) if policy.guaranteed_bps else ():
            on_link = sums.setdefault(key, dict.fromkeys(classes, 0))
            on_link[policy.qos_class] += policy.guaranteed_bps or 0
    found = []
    for key, guaranteed in sums.items():
        stated = view.get(LinkRate, key)
        rate = stated.bps if stated else view.need(Port, key).speed_bps
        kept = [max(rate * c.min_percent / 100, guaranteed[c.name]) for c in classes.values()]
        high = [c for c in classes.values() if guaranteed[c.name] > rate * c.max_percent / 100]
        if sum(kept) > rate or high:
            found.append(key)
    return found
