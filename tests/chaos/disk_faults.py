"""Disks of the database that are full, and what is done about its members then.

A member without room ends (`nib.failing`), before it writes on with a gap in its file of which it
knows nothing until it is started again, and then refuses (Open vSwitch 3.1). All are started anew
when there is room; one that refuses is replaced, as docs/cluster.md says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from random import Random
from typing import Final

from nib import raft
from nib.cluster import ClusterServer
from nib.errors import ServerError
from prewire.api.problems import MEDIA_TYPE
from tests import disk
from tests.chaos.fault import Fault, Since
from tests.chaos.world import World
from tests.waiting import until

_SECONDS: Final = (3.0, 5.0)
_REFUSED_S: Final = 30.0
_TRIES: Final = 50


def disk_faults() -> list[Fault]:
    """All of them."""
    names = {"leader": "database leader", "follower": "database follower"}
    names["all"] = "all of the database"
    return [
        Fault(f"disk full, {name}", _full(which), _SECONDS, Since.END)
        for which, name in names.items()
    ]


def _full(which: str) -> Callable[[World, Random], AbstractContextManager[None]]:
    @contextmanager
    def cause(world: World, random: Random) -> Iterator[None]:
        servers = _chosen(world, random, which)
        for server in servers:
            disk.fill(server.files.directory)
        if which == "all":
            _refused(world)
        for server in servers:
            _await_end(server)
        yield
        for server in servers:
            disk.free(server.files.directory)
        _start_anew(world, servers)

    return cause


def _chosen(world: World, random: Random, which: str) -> list[ClusterServer]:
    cluster = world.up.cluster
    if which == "all":
        return list(cluster.servers)
    return [cluster.leader() if which == "leader" else random.choice(cluster.followers())]


def _refused(world: World) -> None:
    """Writes are refused, as what they are."""
    answers = (world.probe.written(number, _REFUSED_S) for number in range(_TRIES))
    refused = next((each for each in answers if not each.is_success), None)
    assert refused is not None, f"{_TRIES} writes were acknowledged with all disks full"
    told = f"refused with {refused.status_code} {refused.text}"
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE, told
    assert refused.headers.get("content-type") == MEDIA_TYPE, told


def _await_end(server: ClusterServer) -> None:
    assert server.process is not None
    until(server.process.poll, lambda code: code is not None, f"{server.name} ends")
    server.stop()


def _start_anew(world: World, servers: list[ClusterServer]) -> None:
    """All at once, for they may need each other."""
    for server in [each for each in servers if not _is_started(each)]:
        _replace(world, server)
    for server in servers:
        server.wait_connected()


def _is_started(server: ClusterServer) -> bool:
    try:
        server.start()
    except ServerError:
        return False
    return True


def _replace(world: World, server: ClusterServer) -> None:
    """The others forget it, and it joins them with an empty file."""
    cluster = world.up.cluster
    raft.remove(cluster.leader().files.control, server.address)
    server.files.database.unlink()
    others = [each.address for each in cluster.servers if each is not server]
    raft.join(server.files.database, server.address, others)
    server.start()
    world.replaced += 1
