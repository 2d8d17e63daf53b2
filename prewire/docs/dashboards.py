"""The Grafana dashboards as files, for Grafana's provisioning.

Must not know: what they show (`panels`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from prewire.docs.panels import bandwidth, control, overview, prediction, service
from prewire.docs.panels.shapes import Dashboard, Panel

DASHBOARDS: Final = tuple(
    each.DASHBOARD for each in (overview, service, bandwidth, prediction, control)
)

_WIDTH: Final = 24
_HEIGHTS: Final = {"timeseries": 8, "stat": 4}
_WIDTHS: Final = {"timeseries": 12, "stat": 6}
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard_file(dashboard: Dashboard) -> str:
    """A dashboard in Grafana's JSON."""
    return json.dumps(_dashboard(dashboard), indent=2) + "\n"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.says,
        "tags": ["prewire"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "links": [_link()],
        "templating": {"list": [_source(), *_variables(dashboard)]},
        "annotations": {"list": []},
        "panels": list(_panels(dashboard)),
    }


def _link() -> dict[str, Any]:
    """To the other dashboards."""
    return {
        "title": "prewire",
        "type": "dashboards",
        "tags": ["prewire"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
    }


def _variables(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    for name, metric in dashboard.variables:
        query = f"label_values({metric}, {name})"
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "definition": query,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """From left to right, then below."""
    x = y = height = 0
    for number, panel in enumerate(dashboard.panels, 1):
        width = _WIDTH if panel.wide else _WIDTHS[panel.shape]
        if x + width > _WIDTH or height not in (0, _HEIGHTS[panel.shape]):
            x, y = 0, y + height
        height = _HEIGHTS[panel.shape]
        place = {"x": x, "y": y, "w": width, "h": height}
        yield {"id": number, "gridPos": place, **_panel(panel)}
        x += width


def _panel(panel: Panel) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": panel.shape,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "expr": expr,
                "legendFormat": legend,
                "datasource": _SOURCE,
                "exemplar": panel.exemplars,
            }
            for place, (expr, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
    }
    if panel.shape == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        custom = {"fillOpacity": 20 if panel.stacked else 0, "stacking": stacking, "lineWidth": 1}
        shown["fieldConfig"]["defaults"]["custom"] = custom
        shown["options"] = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        shown["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "auto"}
    return shown


# Where each is written, from the top of the repository.
FILES: Final[Mapping[str, Callable[[], str]]] = {
    f"deploy/grafana/dashboards/{each.uid}.json": partial(dashboard_file, each)
    for each in DASHBOARDS
}
