"""What panels and dashboards are, and the pieces of PromQL that they share.

Several controllers tell the same of the database, so its gauges are taken with `max by`; counters
of switches come from the one that leads alone, and are summed.

Must not know: Grafana's JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["short", "cps", "pps", "bps", "percentunit", "s", "ops", "none"]
Shape = Literal["timeseries", "stat"]


@dataclass(frozen=True, slots=True)
class Panel:
    """queries: PromQL -> legend. wide: over the whole page."""

    title: str
    says: str
    queries: tuple[tuple[str, str], ...]
    unit: Unit = "short"
    shape: Shape = "timeseries"
    stacked: bool = False
    wide: bool = False
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """variables: name -> the metric whose label of that name has its values."""

    uid: str
    title: str
    says: str
    panels: tuple[Panel, ...]
    variables: tuple[tuple[str, str], ...] = ()


RATED: Final = "[$__rate_interval]"
SERVICE: Final = '{service=~"$service"}'
POLICY: Final = '{policy=~"$policy"}'
SWITCH: Final = '{switch=~"$switch"}'


def quantile(share: float, metric: str, by: str = "", on: str = "") -> str:
    """PromQL of a quantile of a histogram, by labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({metric}_bucket{on}{RATED})))"


def rate(metric: str, by: str, on: str = "", *, times: int = 1) -> str:
    """PromQL of what a counter grows by a second, by labels."""
    factor = "" if times == 1 else f"{times} * "
    return f"{factor}sum by ({by}) (rate({metric}{on}{RATED}))"
