"""The table of `gateway` and `gateway-dpdk`, and prewire beside each of its peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from benchmarks.balancing.gateway_rounds import KEEP_ALIVE, NEW, PACED, Found, Loads
from benchmarks.load import wrk
from benchmarks.results.report import Beside, Outcome, Row, Target, ratio, spread

_BOUNDS: Final = (
    ("haproxy tcp", KEEP_ALIVE, 2.0),
    ("haproxy tcp", NEW, 1.5),
    ("by hand", KEEP_ALIVE, 0.95),
    ("by hand", NEW, 0.95),
)
_PEERS: Final = ("haproxy tcp", "haproxy http", "nginx stream", "by hand")
_SHOWN: Final = (
    (f"requests/s, {KEEP_ALIVE}", KEEP_ALIVE),
    (f"requests/s, {NEW}", NEW),
    ("p99 ms at one rate for all", f"{PACED}, p99 ms"),
)
_LIMIT: Final = "direct"


def outcome(part: str, loads: Loads, rate: float, seconds: int, notes: Sequence[str]) -> Outcome:
    """rate: of the open loop, in requests a second."""
    samples = {
        f"{name}, {kind}": [each.load.requests_s for each in found]
        for (name, kind), found in loads.items()
        if kind != PACED  # is as offered
    }
    samples |= {
        f"{name}, {kind}, p99 ms": [each.load.p99_ms for each in found]
        for (name, kind), found in loads.items()
    }
    rounds = len(next(iter(loads.values())))
    return Outcome(
        part,
        f"requests/s, {rounds} interleaved rounds of {seconds} s, {wrk.CONNECTIONS} connections;"
        f" paced: {rate:.0f} requests/s offered by an open loop",
        {f"{name}, {kind}": _row(found) for (name, kind), found in loads.items()},
        tuple(
            Target(f"prewire / {other}, {kind}", _ratio(samples, other, kind), bound, at_least=True)
            for other, kind, bound in _BOUNDS
        ),
        (
            "ovs-ofctl copy: prewire's own flows, without prewire; by hand: as few flows as one"
            " service needs; haproxy: one thread; nginx: one worker",
            "switch µs: processor time of the switch a request; prewire %: of one core, that its"
            " processes took; ratios are medians over rounds",
            "p99 of wrk's closed loops is at each subject's own greatest rate; the paced one is at"
            " one rate for all, from when a request was due",
            *notes,
        ),
        samples,
        tuple(_beside(samples, other, *shown) for shown in _SHOWN for other in _PEERS),
    )


def _row(found: Sequence[Found]) -> Row:
    p99 = [each.load.p99_ms for each in found]
    return {
        **spread([each.load.requests_s for each in found]),
        "p99 ms": median(p99),
        "p99 least": min(p99),
        "p99 greatest": max(p99),
        "switch µs": median(each.load.switch_us for each in found),
        "prewire %": median(each.prewire_percent for each in found),
        "errors": sum(each.load.errors for each in found),
    }


def _ratio(samples: Mapping[str, Sequence[float]], other: str, kind: str) -> float:
    return ratio(samples[f"prewire, {kind}"], samples[f"{other}, {kind}"])


def _beside(samples: Mapping[str, Sequence[float]], other: str, what: str, load: str) -> Beside:
    ours, theirs = samples[f"prewire, {load}"], samples[f"{other}, {load}"]
    bound = [f"≥ {least:g}" for name, of, least in _BOUNDS if (name, of) == (other, load)]
    return Beside(
        what,
        median(ours),
        median(theirs),
        other,
        ratio(ours, theirs),
        median(samples[f"{_LIMIT}, {load}"]),
        "a container directly",
        "".join(bound),
    )
