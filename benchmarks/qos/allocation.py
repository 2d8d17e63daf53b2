"""How long it takes to share links: 1,000 policies over 280 links, from database rows to rates.

The fabric is leaf-spine, 20 leaves and 5 spines; every policy is from one service to another, two
in four are guaranteed something. Its shares are compared with those of linear programs (HiGHS).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, permutations
from random import Random
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Target, spread
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import Policy
from nib.records import Record
from nib.topology import Link, Port, Switch
from qos.allocation import Claim, allocate
from qos.provision import Provision
from ryu_apps.provision import provision, reservations
from tests.linear_programs import fair_shares

ROUNDS: Final = 9
POLICIES: Final = 1_000
LEAVES: Final = 20
SPINES: Final = 5
SERVICES: Final = 40
_CONTAINERS: Final = 2  # of each service
_LINK_BPS: Final = 10_000_000_000
_SEED: Final = 5

_LIMIT_MS: Final = 100.0
_WITHIN: Final = 0.1  # percent


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` of each kind of change, the same every time; `seconds` has no meaning here."""
    del seconds
    view = _view()
    first = _ms(lambda: provision(view))
    found = provision(view)
    count = rounds or ROUNDS
    claims, capacities = _claims(found)
    samples = {
        "shares alone": [_ms(lambda: allocate(claims, capacities)) for _ in range(count)],
        "a policy changes": [_changed(view, each, provision) for each in _policies(view, count)],
        "the same, its admission": [
            _changed(view, each, reservations) for each in _policies(view, count)
        ],
        "a container moves": [_changed(view, each, provision) for each in _moves(view, count)],
    }
    rows = {name: spread(values) for name, values in samples.items()}
    started = time.perf_counter()
    error = _error(claims, capacities)
    solved = time.perf_counter() - started
    mean = sum(len(each.links) for each in claims) / len(claims)
    return Outcome(
        "allocation",
        f"processor ms for {POLICIES} policies over {len(found.links)} links, {count} rounds",
        rows,
        (
            Target("shares alone, median ms", rows["shares alone"]["median"], _LIMIT_MS, False),
            Target("a policy changes, ms", rows["a policy changes"]["median"], _LIMIT_MS, False),
            Target("greatest difference from the LPs, percent", error, _WITHIN, at_least=False),
        ),
        (
            f"all for the first time, with every path: {first:.0f} ms",
            f"links that a policy may take: {mean:.1f}",
            f"the linear programs took {solved:.1f} s",
        ),
        samples,
    )


# ------------------------------------------------------------------------------- measuring


def _ms(work: Callable[[], object]) -> float:
    """Processor time: what else the machine does is not in it."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def _changed(view: Mirror, row: Record, work: Callable[[Mirror], object]) -> float:
    view.apply(RowChange(view.get(type(row), row.key), row))
    return _ms(lambda: work(view))


def _policies(view: Mirror, count: int) -> Iterator[Policy]:
    policies = sorted(view.all(Policy), key=lambda each: each.name)
    for policy in policies[:count]:
        yield replace(policy, max_bps=(policy.max_bps or _LINK_BPS) + 1_000_000)


def _moves(view: Mirror, count: int) -> Iterator[Container]:
    """Containers to the place of the next one."""
    containers = sorted(view.all(Container), key=lambda each: each.number)
    for here, there in pairwise(containers[: count + 1]):
        yield replace(here, iface_id=there.iface_id)


def _claims(found: Provision) -> tuple[list[Claim[tuple[str, str]]], dict[tuple[str, str], float]]:
    """Policies on whole links, in Mb/s: what solvers have tolerances for."""
    claims = []
    for state in found.policies.values():
        policy = state.policy
        limit = float("inf") if policy.max_bps is None else policy.max_bps / 1e6
        weight = float(found.links[min(state.reach.links)].classes[policy.qos_class].weight)
        floor = (policy.guaranteed_bps or 0) / 1e6
        claims.append(Claim(state.reach.links, floor, limit, weight))
    return claims, {key: link.rate_bps / 1e6 for key, link in found.links.items()}


def _error(claims: list[Claim[tuple[str, str]]], capacities: dict[tuple[str, str], float]) -> float:
    """The greatest difference of a share from the linear programs' one, in percent of it."""
    wanted = fair_shares(claims, capacities)
    if min(wanted) <= 0:
        raise BenchmarkFailed("a policy gets nothing: the network is too small for its policies")
    pairs = zip(allocate(claims, capacities), wanted, strict=True)
    return max(100 * abs(got - best) / best for got, best in pairs)


# ------------------------------------------------------------------------------- the network


def _view() -> Mirror:
    view, random = Mirror(), Random(_SEED)
    for row in (*_fabric(), *_services(random), *_wanted(random)):
        view.apply(RowChange(None, row))
    return view


def _dpid(number: int) -> str:
    return f"{number:016x}"


def _port(switch: int, name: str, number: int, iface_id: str | None = None) -> Port:
    mac = f"02:00:00:00:{switch:02x}:{number:02x}"
    return Port(_dpid(switch), name, number, mac, iface_id, up=True, speed_bps=_LINK_BPS)


def _fabric() -> Iterator[Record]:
    """Leaves from 1 on, then spines; port N leads to switch N."""
    for number in range(1, LEAVES + SPINES + 1):
        yield Switch(_dpid(number), number, f"s{number}", connected=True)
    for leaf in range(1, LEAVES + 1):
        for spine in range(LEAVES + 1, LEAVES + SPINES + 1):
            for here, there in ((leaf, spine), (spine, leaf)):
                yield _port(here, f"to{there}", there)
                yield Link(_dpid(here), f"to{there}", _dpid(there), f"to{here}")


def _services(random: Random) -> Iterator[Record]:
    for number in range(1, SERVICES + 1):
        yield Service(f"s{number}", f"10.9.0.{number}", 80, number=number)
        for each in range(1, _CONTAINERS + 1):
            at, name = 100 + number * _CONTAINERS + each, f"c{number}-{each}"
            yield _port(random.randint(1, LEAVES), name, at, name)
            place = f"10.0.0.{at}", 80, f"02:01:00:00:00:{at:02x}"
            yield Container(f"s{number}", name, *place, iface_id=name, number=1000 + at)


def _wanted(random: Random) -> Iterator[Policy]:
    names = [f"s{number}" for number in range(1, SERVICES + 1)]
    pairs = random.sample(list(permutations(names, 2)), POLICIES)
    for number, (source, destination) in enumerate(pairs, start=1):
        yield Policy(
            f"p{number}",
            source,
            destination,
            random.choice(("realtime", "interactive", "bulk")),
            guaranteed_bps=random.choice((None, None, 1_000_000, 5_000_000)),
            max_bps=random.choice((None, 50_000_000, 500_000_000)),
            number=number,
        )
