"""Requests a second and p99 through prewire's VIP, beside the same flows by hand, flows written by
hand, HAProxy, nginx and no balancer: on Mininet's veth ports."""

from __future__ import annotations

from benchmarks.balancing.gateway_outcome import outcome
from benchmarks.balancing.gateway_rounds import ROUNDS, SECONDS, loads, subjects
from benchmarks.balancing.gateway_site import GatewaySite
from benchmarks.results.report import Outcome
from benchmarks.sites.counters import switch_seconds
from benchmarks.sites.site import running_site
from benchmarks.sites.switch import MachineTools


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About `rounds` times 24 loads of `seconds` each."""
    length = seconds or SECONDS
    with running_site() as site:
        tools = MachineTools()
        whole = GatewaySite(site.net, site.api, site.children, tools, switch_seconds)
        with subjects(whole) as given:
            found, rate = loads(whole, given, rounds or ROUNDS, length)
    return outcome("gateway", found, rate, length, ())
