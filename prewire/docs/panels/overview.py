"""Whether all is well, and how much goes on."""

from __future__ import annotations

from typing import Final

from prewire.docs.panels.shapes import RATED, Dashboard, Panel, quantile, rate

DASHBOARD: Final = Dashboard(
    "prewire-overview",
    "prewire / overview",
    "Whether all is well, and how much goes on.",
    (
        Panel(
            "Controllers that lead",
            "1; 0 while a new one is elected.",
            (("sum(prewire_leader_epoch > bool 0)", "leading"),),
            shape="stat",
        ),
        Panel(
            "Switches connected",
            "Of those that the leading controller knows.",
            (
                ("sum(max by (switch) (prewire_switch_connected))", "connected"),
                ("count(max by (switch) (prewire_switch_connected))", "known"),
            ),
            shape="stat",
        ),
        Panel(
            "Services in panic",
            "So few containers are usable that checks and ejections are not heeded.",
            (("sum(max by (service) (prewire_service_panic))", "in panic"),),
            shape="stat",
        ),
        Panel(
            "Policies that are short",
            "Their guarantees do not fit on a link of their paths any more.",
            (('sum(max by (policy) (prewire_policy_state{state="short"}))', "short"),),
            shape="stat",
        ),
        Panel(
            "New connections",
            "By service.",
            (
                (
                    rate("prewire_service_new_connections_total", "service"),
                    "{{service}}",
                ),
            ),
            "cps",
            stacked=True,
        ),
        Panel(
            "Containers",
            "By state.",
            (
                (
                    "sum by (state) (max by (service, state) (prewire_service_containers))",
                    "{{state}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Traffic",
            "What leaves by all ports of all switches.",
            (
                (
                    rate("prewire_port_transmit_bytes_total", "switch", times=8),
                    "{{switch}}",
                ),
            ),
            "bps",
            stacked=True,
        ),
        Panel(
            "Dropped",
            "By policies over their limits, by queues, and by ports.",
            (
                (f"sum(rate(prewire_policy_dropped_packets_total{RATED}))", "policies"),
                (f"sum(rate(prewire_queue_dropped_packets_total{RATED}))", "queues"),
                (f"sum(rate(prewire_port_transmit_dropped_total{RATED}))", "ports, out"),
                (f"sum(rate(prewire_port_receive_dropped_total{RATED}))", "ports, in"),
            ),
            "pps",
        ),
        Panel(
            "REST requests",
            "By class of status.",
            (
                (
                    rate("prewire_http_request_duration_seconds_count", "status"),
                    "{{status}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Time until a change is in the switches",
            "99 of 100, by stage.",
            ((quantile(0.99, "prewire_programming_seconds", "stage"), "{{stage}}"),),
            "s",
        ),
    ),
)
