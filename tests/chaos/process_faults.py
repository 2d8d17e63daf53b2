"""Processes that are killed, that hang, and whose clocks jump."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.chaos import clocks
from tests.chaos.fault import Dies, Fault, Since
from tests.chaos.world import World, start_switches
from tests.waiting import until

Chosen = Callable[[World, Random], Any]
"""What has kill and start, or stop and go_on, or pause and resume."""

_STOPPED: Final = (3.0, 6.0)
_HOUR: Final = 3600
_OPENVSWITCH: Final = Path("/run/openvswitch")


def _leading(world: World, _: Random) -> Any:
    return world.up.leader


def _standby(world: World, _: Random) -> Any:
    return world.up.standby


def _api(world: World, random: Random) -> Any:
    return random.choice(world.up.apis)


def _predictor(world: World, _: Random) -> Any:
    return world.up.others["predictor"]


def _node(world: World, _: Random) -> Any:
    return world.up.others["node"]


def _server(world: World, _: Random) -> Any:
    return world.up.cluster.leader()


def _follower(world: World, random: Random) -> Any:
    return random.choice(world.up.cluster.followers())


_PROCESSES: Final[dict[str, Chosen]] = {
    "leading controller": _leading,
    "standby controller": _standby,
    "REST server": _api,
    "predictor": _predictor,
    "node agent": _node,
    "database leader": _server,
    "database follower": _follower,
}
_WITH_CLOCKS: Final = ("leading controller", "REST server", "predictor", "database leader")


def _killed(choose: Chosen) -> Callable[[World, Random], Any]:
    @contextmanager
    def cause(world: World, random: Random) -> Iterator[None]:
        choose(world, random).kill()
        yield

    return cause


def _stopped(choose: Chosen) -> Callable[[World, Random], Any]:
    @contextmanager
    def cause(world: World, random: Random) -> Iterator[None]:
        process = choose(world, random)
        is_server = hasattr(process, "pause")
        (process.pause if is_server else process.stop)()
        try:
            yield
        finally:
            (process.resume if is_server else process.go_on)()

    return cause


def _clock_jumps(choose: Chosen, direction: int) -> Callable[[World, Random], Any]:
    @contextmanager
    def cause(world: World, random: Random) -> Iterator[None]:
        process = choose(world, random)
        is_server = hasattr(process, "files")
        clock = process.files.directory / "clock" if is_server else world.up.clock_of(process)
        clocks.set_off(clock, direction * random.randrange(60, 48 * _HOUR))
        try:
            yield
        finally:
            clocks.set_right(clock)

    return cause


@contextmanager
def _daemon_killed(name: str) -> Iterator[None]:
    os.kill(int((_OPENVSWITCH / f"{name}.pid").read_text()), signal.SIGKILL)
    yield
    start_switches()


def process_faults() -> list[Fault]:
    """All of them."""
    faults = [Fault(f"kill {name}", _killed(choose)) for name, choose in _PROCESSES.items()]
    for name, choose in _PROCESSES.items():
        faults.append(Fault(f"stop {name}", _stopped(choose), _STOPPED))
    for name in _WITH_CLOCKS:
        for told, direction in (("forward", 1), ("back", -1)):
            cause = _clock_jumps(_PROCESSES[name], direction)
            faults.append(Fault(f"clock {told}, {name}", cause, (3.0, 5.0)))
    for name, dies in (("ovs-vswitchd", Dies.DATA_PATH), ("ovsdb-server", Dies.NOBODY)):
        faults.append(
            Fault(
                f"kill {name} of the switches",
                lambda _world, _random, name=name: _daemon_killed(name),  # type: ignore[misc]
                (0.5, 1.0),
                Since.END,
                dies,
            )
        )
    faults.append(Fault("kill a container", _container_killed, (2.0, 4.0), dies=Dies.CONTAINER))
    return faults


@contextmanager
def _container_killed(world: World, random: Random) -> Iterator[None]:
    name = random.choice(sorted(world.traffic.servers))
    world.traffic.kill_server(name)
    until(
        lambda: world.site.of_container(name, "held")["healthy"],
        lambda healthy: healthy is False,
        f"{name} is known to be dead",
    )
    yield
    world.traffic.serve(name)
