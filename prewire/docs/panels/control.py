"""REST servers, controllers and their switches."""

from __future__ import annotations

from typing import Final

from prewire.docs.panels.shapes import RATED, SWITCH, Dashboard, Panel, quantile, rate

DASHBOARD: Final = Dashboard(
    "prewire-control",
    "prewire / control plane",
    "REST servers, controllers and their switches.",
    (
        Panel(
            "REST: time of requests",
            "99 of 100, by route. The points are single requests: their request_id is in the log.",
            ((quantile(0.99, "prewire_http_request_duration_seconds", "route"), "{{route}}"),),
            "s",
            wide=True,
            exemplars=True,
        ),
        Panel(
            "REST: requests",
            "By route and class of status.",
            (
                (
                    rate("prewire_http_request_duration_seconds_count", "route, status"),
                    "{{route}} {{status}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "REST: reports of containers",
            "By what became of them.",
            ((rate("prewire_reports_total", "result"), "{{result}}"),),
            "ops",
        ),
        Panel(
            "REST: watchers",
            "Open, dropped because they did not read, and what they were told.",
            (
                ("sum by (instance) (prewire_watchers)", "{{instance}} open"),
                ("sum(rate(prewire_watchers_dropped_total[$__rate_interval]))", "dropped"),
                (rate("prewire_watch_events_total", "kind"), "{{kind}}"),
            ),
        ),
        Panel(
            "Programming",
            "Half and 99 of 100, by stage.",
            (
                (quantile(0.5, "prewire_programming_seconds", "stage"), "{{stage}} p50"),
                (quantile(0.99, "prewire_programming_seconds", "stage"), "{{stage}} p99"),
            ),
            "s",
        ),
        Panel(
            "Generations that a switch is behind",
            "Behind the switch that is farthest.",
            (
                (
                    "scalar(max(prewire_switch_applied_generation)) - "
                    f"max by (switch) (prewire_switch_applied_generation{SWITCH})",
                    "{{switch}}",
                ),
            ),
        ),
        Panel(
            "Rule messages",
            "Sent to switches.",
            (
                (
                    rate("prewire_switch_rule_messages_total", "switch", SWITCH),
                    "{{switch}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Errors and repairs",
            "OpenFlow errors; rules that a read-back put right.",
            (
                (
                    rate("prewire_switch_errors_total", "switch", SWITCH),
                    "{{switch}} errors",
                ),
                (
                    rate("prewire_repaired_rules_total", "switch, kind", SWITCH),
                    "{{switch}} {{kind}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Age of counters",
            "Since each switch was last read; and how long the last taking over took.",
            (
                (
                    f"time() - max by (switch) (prewire_switch_read_timestamp_seconds{SWITCH})",
                    "{{switch}} read",
                ),
                (
                    f"max by (switch) (prewire_switch_ready_seconds{SWITCH})",
                    "{{switch}} taken over in",
                ),
            ),
            "s",
        ),
        Panel(
            "Packets to the controller",
            "By what became of them.",
            (
                (rate("prewire_punted_packets_total", "reason"), "{{reason}}"),
                (
                    rate("prewire_station_packets_total", "result"),
                    "station {{result}}",
                ),
            ),
            "pps",
        ),
        Panel(
            "Packets that were not told",
            "Too many at once; and refused probes.",
            (
                (
                    rate("prewire_told_dropped_packets_total", "switch, reason", SWITCH),
                    "{{switch}} {{reason}}",
                ),
                (
                    rate("prewire_lldp_rejected_total", "switch, reason", SWITCH),
                    "{{switch}} LLDP {{reason}}",
                ),
            ),
            "pps",
        ),
        Panel(
            "Held packets, links lost",
            "",
            (
                ("sum(prewire_held_packets)", "held"),
                (f"sum(increase(prewire_links_lost_total{RATED}))", "links lost"),
            ),
        ),
        Panel(
            "Versions",
            "What runs.",
            (("count by (version) (prewire_build_info)", "{{version}}"),),
            shape="stat",
        ),
    ),
    (("switch", "prewire_switch_connected"),),
)
