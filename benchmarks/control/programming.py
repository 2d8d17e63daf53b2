"""What changing one container costs as services become more, beside the same change of OVN.

Both have the same services of ten containers, each on a bridge of the userspace datapath. A change
gives one container of one service another port, and is over when the switch has confirmed it:
`PUT …?wait=applied` by a connection that stands, against `lb-add` with `--wait=hv` by an ovn-nbctl
that runs. They take turns, on the same pseudo-random services. Prewire has no processor time while
OVN is measured, and OVN is idle while prewire is.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Final

from benchmarks.peers.ovn import Ovn, running_ovn
from benchmarks.results.report import Beside, Outcome, Row, Target, quantiles, ratio
from benchmarks.sites.counters import SWITCH_PID, processor_seconds
from benchmarks.sites.many import CONTAINERS, Many, many
from benchmarks.sites.site import Site, running_site

SERVICES: Final = (10, 1000, 3000)
ROUNDS: Final = 40
SEED: Final = 8
MOST_OF_OVN: Final = (1.0, 0.2, 0.05)  # of OVN's time, at each number of services
MOST_GROWTH: Final = 1.25
"""Of the median from the fewest services to the most: what is left of noise between medians."""

_UNMEASURED: Final = 3  # changes of each before, in every size
_BY_PROCESS: Final = "OVN with a process"
_REST_SECONDS: Final = 0.2  # for what waited while prewire was paused
_FIRST_PORT: Final = 10_000

Times = dict[str, list[float]]


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` changes of each at each number of services; `seconds` has no meaning here."""
    del seconds
    times: Times = {}
    rows: dict[str, Row] = {}
    with running_site() as site, many(site) as services, running_ovn() as peer:
        turns = _Turns(site, services, peer, random.Random(SEED))
        for count in SERVICES:
            services.grow(count)
            peer.grow(count)
            found = turns.measured(count, rounds or ROUNDS)
            for name, values in found.items():
                times[_of(name, count)] = values
                rows[_of(name, count)] = {**quantiles(values), "cpu_ms": turns.cpu_ms(name)}
    title = f"milliseconds until a change of one container is confirmed, {CONTAINERS} a service"
    return Outcome("programming", title, rows, _targets(times), _NOTES, times, _compared(times))


_NOTES: Final = (
    "OVN: its running ovn-nbctl is asked by its socket, or by an ovn-nbctl that starts (a process)",
    "cpu_ms: processor time of all processes, the switch's too, in the mean of the changes",
)


def _targets(times: Times) -> tuple[Target, ...]:
    """Of OVN asked without the start of a process, which is the quicker."""
    ours = [times[_of("prewire", count)] for count in SERVICES]
    growth = statistics.median(ours[-1]) / statistics.median(ours[0])
    what = f"prewire, {SERVICES[-1]} services over {SERVICES[0]}"
    return (
        *(
            Target(f"part of OVN's time, {count} services", _part(times, count), bound, False)
            for count, bound in zip(SERVICES, MOST_OF_OVN, strict=True)
        ),
        Target(what, growth, MOST_GROWTH, at_least=False),
    )


def _compared(times: Times) -> tuple[Beside, ...]:
    return tuple(
        Beside(
            f"change of a container, {count} services, ms",
            statistics.median(times[_of("prewire", count)]),
            statistics.median(times[_of("OVN", count)]),
            "OVN",
            _part(times, count),
            bound=f"at most {bound:g}",
        )
        for count, bound in zip(SERVICES, MOST_OF_OVN, strict=True)
    )


def _of(name: str, count: int) -> str:
    return f"{name}, {count} services"


def _part(times: Times, count: int) -> float:
    return ratio(times[_of("prewire", count)], times[_of("OVN", count)])


class _Turns:
    """Changes in turn, each with a port that was never used."""

    def __init__(self, site: Site, services: Many, peer: Ovn, drawn: random.Random) -> None:
        self._site = site
        self._services = services
        self._peer = peer
        self._drawn = drawn
        self._port = _FIRST_PORT
        self._cpu: dict[str, float] = {}
        self._rounds = 0

    def measured(self, count: int, rounds: int) -> Times:
        """Milliseconds of each subject, in the order of the rounds."""
        times: Times = {"prewire": [], "OVN": [], _BY_PROCESS: []}
        for turn in range(-_UNMEASURED, rounds):
            if turn == 0:
                self._cpu, self._rounds = {}, rounds
            service = self._drawn.randrange(count)
            self._port += 1
            found = self._turn(service)
            if turn >= 0:
                for name, took in found.items():
                    times[name].append(took)
        return times

    def cpu_ms(self, name: str) -> float:
        """Processor time of a change, in the mean of the rounds."""
        return self._cpu[name] * 1000 / self._rounds

    def _turn(self, service: int) -> dict[str, float]:
        peer, port = self._peer, self._port
        path, body = self._services.container(service, 0, port)
        path += "?wait=applied"
        return {
            "prewire": self._timed("prewire", lambda: self._site.api.call("PUT", path, body)),
            "OVN": self._alone("OVN", lambda: peer.change(service, port)),
            _BY_PROCESS: self._alone(
                _BY_PROCESS, lambda: peer.change_by_process(service, port + 30_000)
            ),
        }

    def _alone(self, name: str, change: Callable[[], object]) -> float:
        """Milliseconds of a change of OVN, while prewire is paused."""
        self._site.pause()
        try:
            return self._timed(name, change)
        finally:
            self._site.resume()
            time.sleep(_REST_SECONDS)

    def _timed(self, name: str, change: Callable[[], object]) -> float:
        """Milliseconds; the processor time of whose change it is adds to the subject's."""
        pids = self._peer.pids
        if name == "prewire":
            pids = [child.process.pid for child in self._site.children]
            pids.append(int(SWITCH_PID.read_text()))
        before = sum(map(processor_seconds, pids))
        began = time.perf_counter()
        change()
        took = (time.perf_counter() - began) * 1000
        spent = sum(map(processor_seconds, pids)) - before
        self._cpu[name] = self._cpu.get(name, 0.0) + spent
        return took
