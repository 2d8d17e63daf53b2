"""How well and how fast predictors work."""

from __future__ import annotations

from typing import Final

from prewire.docs.panels.shapes import RATED, Dashboard, Panel, quantile, rate

DASHBOARD: Final = Dashboard(
    "prewire-prediction",
    "prewire / prediction",
    "How well and how fast predictors work.",
    (
        Panel(
            "Error of the median forecast",
            "A minute ahead, over the sum of loads; of about the last hour.",
            (("max by (instance) (prewire_forecast_error_ratio)", "{{instance}}"),),
            "percentunit",
        ),
        Panel(
            "Coverage",
            "Part of the loads that were at most the forecast quantile: it should be the quantile.",
            (
                (
                    "max by (instance, forecast_quantile) (prewire_forecast_coverage_ratio)",
                    "{{forecast_quantile}} {{instance}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Ready in time",
            "Part of the last 100 prewarm requests.",
            (("max by (instance) (prewire_prewarm_ready_in_time_ratio)", "{{instance}}"),),
            "percentunit",
        ),
        Panel(
            "Prewarm requests",
            "By what became of them.",
            ((rate("prewire_prewarm_requests_total", "state"), "{{state}}"),),
            "ops",
        ),
        Panel(
            "Time until containers are ready",
            "From the prewarm request: half, and 9 of 10.",
            (
                (quantile(0.5, "prewire_prewarm_readiness_seconds"), "p50"),
                (quantile(0.9, "prewire_prewarm_readiness_seconds"), "p90"),
            ),
            "s",
        ),
        Panel(
            "Plans",
            "Made or changed, by what decided.",
            (
                (
                    rate("prewire_plan_changes_total", "kind, source"),
                    "{{kind}} {{source}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Stale plans",
            "They stay as they were, because metrics are missing.",
            (("sum by (kind) (prewire_predictor_stale_plans)", "{{kind}}"),),
        ),
        Panel(
            "Age of samples and of the model",
            "",
            (
                (
                    "max by (instance) (prewire_predictor_sample_age_seconds)",
                    "samples {{instance}}",
                ),
                ("max by (instance) (prewire_predictor_model_age_seconds)", "model {{instance}}"),
            ),
            "s",
        ),
        Panel(
            "Time of a tick",
            "9 of 10, by part.",
            ((quantile(0.9, "prewire_predictor_tick_seconds", "part"), "{{part}}"),),
            "s",
        ),
        Panel(
            "Failures",
            "Ticks, scrapes and refits.",
            (
                (f"sum(rate(prewire_predictor_tick_failures_total{RATED}))", "ticks"),
                (
                    rate("prewire_predictor_scrapes_total", "outcome"),
                    "scrapes {{outcome}}",
                ),
                (
                    rate("prewire_predictor_refits_total", "outcome"),
                    "refits {{outcome}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "What is minded",
            "Services and policies with samples, dependencies, shards, subscribers.",
            (
                ("sum by (kind) (prewire_predictor_series)", "{{kind}}"),
                ("max by (source) (prewire_dependencies)", "dependencies {{source}}"),
                ("sum by (instance) (prewire_predictor_shards)", "shards {{instance}}"),
                ("sum by (instance) (prewire_predictor_subscribers)", "subscribers {{instance}}"),
            ),
        ),
        Panel(
            "Forecast and plan",
            "Concurrent requests to be ready for, and containers.",
            (
                ("max by (service) (prewire_forecast_demand)", "{{service}} requests"),
                ("max by (service) (prewire_planned_containers)", "{{service}} containers"),
            ),
        ),
    ),
)
