"""Links, policies and queues."""

from __future__ import annotations

from typing import Final

from prewire.docs.panels.shapes import POLICY, SWITCH, Dashboard, Panel, rate

DASHBOARD: Final = Dashboard(
    "prewire-bandwidth",
    "prewire / bandwidth",
    "Links, policies and queues.",
    (
        Panel(
            "Use of links",
            "Part of what a port can carry that leaves by it.",
            (
                (
                    f"max by (switch, port) (prewire_link_used_bps{SWITCH}) "
                    f"/ max by (switch, port) (prewire_link_rate_bps{SWITCH})",
                    "{{switch}} {{port}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Guaranteed",
            "Part of what a port can carry that is guaranteed to policies.",
            (
                (
                    f"max by (switch, port) (prewire_link_guaranteed_bps{SWITCH}) "
                    f"/ max by (switch, port) (prewire_link_rate_bps{SWITCH})",
                    "{{switch}} {{port}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Ports, out",
            "",
            (
                (
                    rate("prewire_port_transmit_bytes_total", "switch, port", SWITCH, times=8),
                    "{{switch}} {{port}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Ports, in",
            "",
            (
                (
                    rate("prewire_port_receive_bytes_total", "switch, port", SWITCH, times=8),
                    "{{switch}} {{port}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Policies: passed",
            "",
            (
                (
                    rate("prewire_policy_passed_bytes_total", "policy", POLICY, times=8),
                    "{{policy}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Policies: dropped",
            "Over their limits.",
            (
                (
                    rate("prewire_policy_dropped_bytes_total", "policy", POLICY, times=8),
                    "{{policy}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Policies: limits and guarantees in force",
            "Their own, or those of a plan or an override.",
            (
                (f"max by (policy) (prewire_policy_max_bps{POLICY})", "{{policy}} at most"),
                (
                    f"max by (policy) (prewire_policy_guaranteed_bps{POLICY})",
                    "{{policy}} guaranteed",
                ),
            ),
            "bps",
        ),
        Panel(
            "Policies: rates planned",
            "",
            (
                (
                    f"max by (policy, rate) (prewire_planned_rate_bps{POLICY})",
                    "{{policy}} {{rate}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Policies: state",
            "Those that are not active.",
            (
                (
                    'max by (policy, state) (prewire_policy_state{policy=~"$policy", '
                    'state!="active"}) > 0',
                    "{{policy}} {{state}}",
                ),
            ),
        ),
        Panel(
            "Policies: open connections",
            "Where they are limited.",
            ((f"max by (policy) (prewire_policy_connections{POLICY})", "{{policy}}"),),
        ),
        Panel(
            "Queues, out",
            "By class.",
            (
                (
                    rate("prewire_queue_bytes_total", "switch, port, class", SWITCH, times=8),
                    "{{switch}} {{port}} {{class}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Queues: dropped",
            "By class.",
            (
                (
                    rate("prewire_queue_dropped_packets_total", "switch, port, class", SWITCH),
                    "{{switch}} {{port}} {{class}}",
                ),
            ),
            "pps",
        ),
    ),
    (("switch", "prewire_switch_connected"), ("policy", "prewire_policy_state")),
)
