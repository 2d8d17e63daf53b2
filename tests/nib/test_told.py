"""Rows kept as the server tells them: who follows every change knows what a newcomer is told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.policy import HealthCheck
from nib.records import RECORD_CLASSES, SlotTable
from nib.topology import Host, Port, Switch
from tests.waiting import until

SWITCH = "0000000000000001"
STEPS = 60


def seeded(draft: Draft) -> None:
    draft.put(Service("web", "10.0.0.100", 80))
    draft.put(Switch(SWITCH, 1, "br0", connected=True))
    draft.put(Port(SWITCH, "veth1", 1, "02:00:00:00:01:01", "web-1"))


def changed(draw: random.Random) -> Callable[[Draft], object]:
    """Some change to a row: columns come, change, and are empty again."""
    mac, name = "02:00:00:00:00:11", f"c{draw.randrange(3)}"
    container = Container("web", name, "10.0.0.11", 80, mac, iface_id="web-1")
    optional: dict[str, Any] = {
        "version": draw.choice((None, "v1")),
        "max_inflight": draw.choice((None, 1, 7)),
        "weight": draw.choice((0, 1, 9)),
    }
    host = Host("02:00:00:00:00:21", SWITCH, "veth1", frozenset())
    addresses = frozenset(draw.sample([f"10.0.0.{n}" for n in range(21, 26)], draw.randrange(5)))
    service = Service(
        "web", "10.0.0.100", 80, health=draw.choice((None, HealthCheck())),
        max_connections=draw.choice((None, 5)),
    )  # fmt: skip
    slots = tuple(draw.choices((1, 2, 3), k=64))

    def gone(draft: Draft) -> object:
        return draft.get(Container, container.key) and draft.delete(Container, container.key)

    return draw.choice(
        (
            lambda draft: draft.put(replace(container, **optional)),
            lambda draft: draft.put(replace(host, addresses=addresses)),
            lambda draft: draft.put(service),
            lambda draft: draft.put(SlotTable("web", slots)),
            gone,
        )
    )


def everything(view: Lookups) -> dict[str, frozenset[Any]]:
    return {kind.__name__: frozenset(view.all(kind)) for kind in RECORD_CLASSES}


def test_who_follows_knows_what_a_newcomer_is_told(open_nib: Callable[..., Nib]) -> None:
    draw = random.Random(1)
    follower, writer = open_nib("follower"), open_nib("writer")
    writer.write(seeded).result(10)
    for step in range(STEPS):
        writer.write(changed(draw)).result(10)
        if step % 10:
            continue
        newcomer = open_nib(f"newcomer{step}")
        with newcomer.view() as view:
            told = everything(view)
        assert any(told.values())
        until(lambda: known_to(follower), told.__eq__, "the follower knows as much")
        newcomer.close()


def known_to(nib: Nib) -> dict[str, frozenset[Any]]:
    with nib.view() as view:
        return everything(view)


def test_who_does_without_a_kind_is_not_told_of_it(
    server: Any, open_nib: Callable[..., Nib]
) -> None:
    writer = open_nib("writer")
    with Nib(server.remote, "without", without=(SlotTable,)) as nib:
        writer.write(seeded).result(10)
        done = writer.write(lambda draft: draft.put(SlotTable("web", (1,) * 64))).result(10)
        after = writer.write(lambda draft: draft.put(Service("db", "10.0.0.101", 81))).result(10)
        assert done.value
        nib.when(lambda view: view.generation >= after.generation).result(10)
        with nib.view() as view:
            assert view.get(Service, "db")
            assert not view.count(SlotTable)
