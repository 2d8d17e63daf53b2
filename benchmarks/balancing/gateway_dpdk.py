"""As `gateway`, on DPDK ports: OVS-DPDK without a network card, its ports the ends of veth pairs.

One thread of the switch polls all ports (DPDK's af_packet driver, which copies every frame through
the kernel) and rests for at most 100 microseconds where little comes in, since everybody shares
the processors. Every subject runs there: hosts are namespaces with ordinary sockets, so the proxies
do too.
"""

from __future__ import annotations

from benchmarks.balancing.gateway_outcome import outcome
from benchmarks.balancing.gateway_rounds import ROUNDS, SECONDS, loads, subjects
from benchmarks.balancing.gateway_site import GatewaySite
from benchmarks.results.report import Outcome
from benchmarks.sites.counters import processor_seconds
from benchmarks.sites.dpdk_site import running_dpdk_site
from topologies.dpdk_switch import SLEEP_US

_NOTES = (
    f"one polling thread, which rests for up to {SLEEP_US} µs; switch µs has its polling too",
)


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About `rounds` times 24 loads of `seconds` each."""
    length = seconds or SECONDS
    with running_dpdk_site() as site:
        switch = site.net.switch

        def switch_seconds() -> float:
            return processor_seconds(switch.pid)

        whole = GatewaySite(site.net, site.api, site.children, switch, switch_seconds)
        with subjects(whole) as given:
            found, rate = loads(whole, given, rounds or ROUNDS, length)
    return outcome("gateway-dpdk", found, rate, length, _NOTES)
