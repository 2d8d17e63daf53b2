"""What is seen while the surges come and go, and what that amounts to.

Must not know: how anything is set up or drawn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from prewire.commands.client import Client
from prewire.rehearsal.scene import AHEAD, BEHIND, Loads, vip_of
from topologies.hosts import Hosts

_LOOK_S: Final = 0.25
_GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. ready: containers by service; rate_bps: in force for the planned service."""

    at: float
    ready: Mapping[str, int]
    rate_bps: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the load. took: seconds until its answer; status: 0 = none."""

    at: float
    took: float
    status: int


@dataclass(frozen=True, slots=True)
class Course:
    """All of a run; times are seconds from the beginning of the load. verdicts: of the prewarm
    requests since it was learned, whether ready in time."""

    loads: Loads
    samples: tuple[Sample, ...]
    requests: Mapping[str, tuple[Request, ...]]
    verdicts: tuple[bool, ...]

    def starts(self) -> list[float]:
        """When each surge that counts begins."""
        return self.loads.starts()[self.loads.learned :]

    def p99(self, service: str) -> float:
        """Of the latency of requests in surges that count, in seconds."""
        took = sorted(each.took for each in self.requests[service] if self._counts(each.at))
        return took[min(len(took) - 1, int(0.99 * len(took)))]

    def failures(self, service: str) -> list[tuple[float, float]]:
        """(when, how long it was waited) of requests without a good answer."""
        return [(each.at, each.took) for each in self.requests[service] if each.status != 200]

    def ready_at_starts(self, service: str) -> list[int]:
        """Containers ready as each surge that counts begins."""
        return [self._last_before(start).ready[service] for start in self.starts()]

    def rates_at_starts(self) -> list[int]:
        """The planned service's rate in force as each surge that counts begins."""
        return [self._last_before(start).rate_bps for start in self.starts()]

    def ready_in_time(self) -> float:
        """The part of prewarm requests that were ready when the forecast needed them."""
        return sum(self.verdicts) / len(self.verdicts) if self.verdicts else float("nan")

    def as_json(self) -> dict[str, Any]:
        """Figures, for a file."""
        return {
            "loads": asdict(self.loads),
            "p99_seconds": {name: self.p99(name) for name in (AHEAD, BEHIND)},
            "failures": {name: self.failures(name) for name in (AHEAD, BEHIND)},
            "ready_at_starts": {name: self.ready_at_starts(name) for name in (AHEAD, BEHIND)},
            "rates_at_starts_bps": self.rates_at_starts(),
            "ready_in_time_ratio": self.ready_in_time(),
            "prewarm_requests": len(self.verdicts),
        }

    def _counts(self, at: float) -> bool:
        return any(0 <= at - start < self.loads.length for start in self.starts())

    def _last_before(self, at: float) -> Sample:
        return max((each for each in self.samples if each.at <= at), key=lambda each: each.at)


def observe(
    client: Client,
    hosts: Hosts,
    loads: Loads,
    progress: Callable[[float, Sample], None],
) -> Course:
    """Send the surges to both services, and look on; progress: seconds, and what is seen."""
    plan = {
        "seconds": loads.seconds,
        "base": loads.base,
        "surge": loads.surge,
        "period": loads.period,
        "first": loads.starts()[0],
        "length": loads.length,
        "padding": loads.padding,
    }
    senders = {name: _sender(hosts, name, plan) for name in (AHEAD, BEHIND)}
    began, began_ms = time.monotonic(), time.time() * 1000
    samples = []
    try:
        while (now := time.monotonic() - began) < loads.seconds:
            samples.append(_look(client, now))
            progress(now, samples[-1])
            time.sleep(_LOOK_S)
        told = {name: sender.communicate(timeout=_GRACE_S)[0] for name, sender in senders.items()}
    finally:
        for sender in senders.values():
            sender.kill()
            sender.wait()
    requests = {name: tuple(_requests(text.splitlines())) for name, text in told.items()}
    from_ms = began_ms + 1000 * (loads.starts()[loads.learned] - loads.period / 2)
    verdicts = tuple(_verdicts(client, from_ms))
    return Course(loads, tuple(samples), requests, verdicts)


def ready_now(client: Client) -> dict[str, int]:
    """Containers that take requests, by service with a plan."""
    services = client.call("GET", "/v1/plans")["services"]
    return {each["service"]: int(each["ready"]) for each in services}


def _sender(hosts: Hosts, service: str, plan: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "topologies.surges", vip_of(service), "80"]
    sender = hosts.popen("client", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert sender.stdin is not None  # noqa: S101 - asked for above
    sender.stdin.write(json.dumps(plan).encode())
    sender.stdin.close()
    sender.stdin = None  # communicate would flush it
    return sender


def _look(client: Client, at: float) -> Sample:
    plans = client.call("GET", "/v1/plans")
    ready = {each["service"]: int(each["ready"]) for each in plans["services"]}
    rates = {each["policy"]: each["in_force"]["max_bps"] for each in plans["policies"]}
    return Sample(
        at, {name: ready.get(name, 0) for name in (AHEAD, BEHIND)}, int(rates.get(AHEAD) or 0)
    )


def _requests(lines: Iterable[bytes]) -> Iterable[Request]:
    for line in lines:
        said = json.loads(line)
        yield Request(said["at"], said["took"], said["status"])


def _verdicts(client: Client, from_ms: float) -> Iterable[bool]:
    """Of requests for the planned service that were not withdrawn."""
    for each in client.call("GET", "/v1/prewarm-requests", params={"service": AHEAD})["items"]:
        if each["requested_ms"] >= from_ms and each["in_time"] is not None:
            yield bool(each["in_time"])
