"""New connections from one client address for a minute: does the rate hold?

prewire's VIP, one by `ct(nat)` on the same switch, and a container itself behind a plain learning
switch, one after the other in every round, each from a client address of its own. The last shows
how much the machine itself wavers. prewire's processes are paused while the other two run. The
client's own counters say how many connections it began and how many SYNs it sent again.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.load import wrk
from benchmarks.peers import hand_written
from benchmarks.results.report import Outcome, Target
from benchmarks.sites.controlled import VIP
from benchmarks.sites.counters import TcpCounters, switch_seconds, tcp_counters
from benchmarks.sites.site import Site, running_site
from benchmarks.sites.switch import Switch

ROUNDS: Final = 1
SECONDS: Final = 60
WINDOWS: Final = 4
_NAT_SOURCE: Final = "10.0.3.1"
_DIRECT_SOURCE: Final = "10.0.3.2"
_START_SECONDS: Final = 1.0
"""wrk opens its connections and ovs-vswitchd its first datapath flows before the first window."""


@dataclass(frozen=True, slots=True)
class _Run:
    """rates: connections begun a second, by window; retransmitted: SYNs sent again in all.

    costs: processor time of ovs-vswitchd for each connection, in microseconds, by window.
    """

    rates: tuple[float, ...]
    costs: tuple[float, ...]
    retransmitted: int
    opened: int
    load: wrk.Load

    @property
    def last_to_first(self) -> float:
        return self.rates[-1] / self.rates[0] if self.rates[0] else 0.0

    @property
    def retransmitted_percent(self) -> float:
        return 100 * self.retransmitted / self.opened if self.opened else 100.0


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About 3 times `rounds` times `seconds`; each run is `seconds` in four windows."""
    window_s = (seconds or SECONDS) / WINDOWS
    runs: dict[str, list[_Run]] = {"prewire": [], "ct(nat)": [], "direct": []}
    with running_site() as site:
        site.add_web()
        direct = site.net.spec.containers[0]
        site.talk_from(_NAT_SOURCE, hand_written.NAT_VIP)
        site.talk_from(_DIRECT_SOURCE, direct.address)
        switch = Switch(site, programs={"ct(nat)": hand_written.by_nat(site.net.spec)})
        for _ in range(rounds or ROUNDS):
            runs["prewire"].append(_run(site, f"http://{VIP}/", window_s))
            switch.become("ct(nat)")
            runs["ct(nat)"].append(_run(site, f"http://{hand_written.NAT_VIP}/", window_s))
            switch.become("plain")
            url = f"http://{direct.address}:{direct.http_port}/"
            runs["direct"].append(_run(site, url, window_s))
            switch.become("prewire")
    return _outcome(runs, window_s)


def _run(site: Site, url: str, window_s: float) -> _Run:
    site.check_answer(url)
    seconds = round(window_s * WINDOWS + 2 * _START_SECONDS)
    argv = wrk.command(url, seconds, new_connections=True)
    with site.net.popen("client", argv, stdout=subprocess.PIPE) as process:
        time.sleep(_START_SECONDS)
        windows = [_window(site, window_s) for _ in range(WINDOWS)]
        out, _ = process.communicate(timeout=seconds + 30)
    if process.returncode:
        raise BenchmarkFailed(f"wrk {url}: exit code {process.returncode}")
    return _Run(
        tuple(counted.active_opens / took_s for took_s, counted, _ in windows),
        tuple(1e6 * switch_s / max(1, counted.active_opens) for _, counted, switch_s in windows),
        sum(counted.syn_retransmissions for _, counted, _ in windows),
        sum(counted.active_opens for _, counted, _ in windows),
        wrk.parse(out.decode()),
    )


def _window(site: Site, window_s: float) -> tuple[float, TcpCounters, float]:
    """Wait for a window to end: its length, what was counted, and the switch's processor time.

    Times are seconds.
    """
    began, before, switch = time.monotonic(), tcp_counters(site.net, "client"), switch_seconds()
    time.sleep(window_s)
    counted = tcp_counters(site.net, "client").since(before)
    return time.monotonic() - began, counted, switch_seconds() - switch


def _outcome(runs: Mapping[str, Sequence[_Run]], window_s: float) -> Outcome:
    rows = {f"{name} {number}": _row(run) for name in runs for number, run in enumerate(runs[name])}
    ours = runs["prewire"]
    return Outcome(
        "sustained",
        f"new connections/s from one client address, {WINDOWS} windows of {window_s:g} s",
        rows,
        (
            Target(
                "prewire, last window / first, worst round",
                min(run.last_to_first for run in ours),
                0.9,
                at_least=True,
            ),
            Target(
                "prewire, SYNs sent again, % of connections, worst round",
                max(run.retransmitted_percent for run in ours),
                0.1,
                at_least=False,
            ),
        ),
        ("µs: processor time of ovs-vswitchd a connection, in the first and the last window",),
        samples={
            f"{name} {number}": run.rates for name in runs for number, run in enumerate(runs[name])
        },
    )


def _row(run: _Run) -> dict[str, float]:
    windows = {f"window {number}": rate for number, rate in enumerate(run.rates, start=1)}
    return windows | {
        "last/first": run.last_to_first,
        "connections": run.opened,
        "SYNs again": run.retransmitted,
        "again %": run.retransmitted_percent,
        "answered/s": run.load.requests_s,
        "errors": run.load.errors,
        "first µs": run.costs[0],
        "last µs": run.costs[-1],
    }
