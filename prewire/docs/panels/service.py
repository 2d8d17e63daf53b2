"""One service, or several: load, containers and plans."""

from __future__ import annotations

from typing import Final

from prewire.docs.panels.shapes import RATED, SERVICE, Dashboard, Panel, rate

DASHBOARD: Final = Dashboard(
    "prewire-service",
    "prewire / service",
    "Load, containers and plans of a service.",
    (
        Panel(
            "Load and forecast",
            "What the containers work at, and what the predictor has them ready for.",
            (
                (
                    "sum by (service) (max by (service, container) "
                    f"(prewire_container_inflight{SERVICE}))",
                    "{{service}} in flight",
                ),
                (
                    f"max by (service) (prewire_forecast_demand{SERVICE})",
                    "{{service}} forecast",
                ),
            ),
            wide=True,
        ),
        Panel(
            "Containers",
            "Planned, and ready.",
            (
                (
                    f"max by (service) (prewire_planned_containers{SERVICE})",
                    "{{service}} planned",
                ),
                (
                    'max by (service) (prewire_service_containers{service=~"$service", '
                    'state="ready"})',
                    "{{service}} ready",
                ),
            ),
        ),
        Panel(
            "Containers by state",
            "",
            (
                (
                    f"max by (service, state) (prewire_service_containers{SERVICE}) > 0",
                    "{{service}} {{state}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "New connections by container",
            "",
            (
                (
                    rate("prewire_container_new_connections_total", "service, container", SERVICE),
                    "{{service}}/{{container}}",
                ),
            ),
            "cps",
        ),
        Panel(
            "In flight by container",
            "",
            (
                (
                    f"max by (service, container) (prewire_container_inflight{SERVICE})",
                    "{{service}}/{{container}}",
                ),
            ),
        ),
        Panel(
            "Share that is due",
            "Part of the service's new connections that each container should have.",
            (
                (
                    f"max by (service, container) (prewire_container_weight{SERVICE})",
                    "{{service}}/{{container}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Slots moved",
            "Slots that were given to another container.",
            (
                (
                    rate("prewire_service_slot_moves_total", "service", SERVICE),
                    "{{service}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Traffic",
            "To and from the service's containers.",
            (
                (
                    rate("prewire_service_bytes_total", "service, direction", SERVICE, times=8),
                    "{{service}} {{direction}}",
                ),
            ),
            "bps",
        ),
        Panel(
            "Connections that were not served",
            "Refused by a cap; first packets that found no container; resets.",
            (
                (
                    rate("prewire_connections_refused_total", "service", SERVICE),
                    "{{service}} refused",
                ),
                (
                    rate("prewire_service_demand_packets_total", "service", SERVICE),
                    "{{service}} no container",
                ),
                (
                    rate("prewire_container_resets_total", "service", SERVICE),
                    "{{service}} resets",
                ),
            ),
            "cps",
        ),
        Panel(
            "Left out",
            "Ejected for failures; drained because their lease ended.",
            (
                (
                    f"sum by (service) (increase(prewire_ejections_total{SERVICE}{RATED}))",
                    "{{service}} ejected",
                ),
                (
                    f"sum by (service) (increase(prewire_lease_expirations_total{SERVICE}{RATED}))",
                    "{{service}} leases",
                ),
            ),
        ),
        Panel(
            "Lead time",
            "Cold start, programming and a tick: how far ahead is planned.",
            ((f"max by (service) (prewire_lead_seconds{SERVICE})", "{{service}}"),),
            "s",
        ),
    ),
    (("service", "prewire_service_containers"),),
)
