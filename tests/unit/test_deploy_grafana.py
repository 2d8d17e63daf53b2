"""The dashboards that are delivered: made from `prewire.docs`, whole, and of metrics there are."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from prewire.docs import interfaces
from prewire.docs.dashboards import FILES

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "grafana"
PAGE: Final = ROOT / "docs" / "observability.md"
_SUFFIXES: Final = ("_bucket", "_sum", "_count")


def exported() -> set[str]:
    tables = "".join(
        (
            interfaces.metrics_table(),
            interfaces.api_metrics_table(),
            interfaces.predictor_metrics_table(),
        )
    )
    return set(re.findall(r"^\| `(\w+)`", tables, re.MULTILINE))


@pytest.fixture(scope="module", params=FILES, ids=lambda name: Path(name).stem)
def dashboard(request: pytest.FixtureRequest) -> Any:
    return json.loads((ROOT / request.param).read_text())


def test_the_files_are_those_that_make_docs_writes() -> None:
    there = {str(path.relative_to(ROOT)) for path in FOLDER.glob("dashboards/*")}
    assert there == set(FILES)
    for name, write in FILES.items():
        assert (ROOT / name).read_text() == write(), f"{name}: run `make docs`"


def test_every_metric_that_is_asked_for_is_exported(dashboard: Any) -> None:
    asked = {n for each in _strings(dashboard) for n in re.findall(r"\bprewire_\w+", each)}
    known = exported()
    known |= {name + suffix for name in known for suffix in _SUFFIXES}
    assert asked
    assert asked <= known


def test_panels_lie_side_by_side_and_say_what_they_show(dashboard: Any) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    for panel in panels:
        assert panel["title"]
        assert panel["targets"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_variables_that_queries_name_are_there(dashboard: Any) -> None:
    there = {each["name"] for each in dashboard["templating"]["list"]} | {"__rate_interval"}
    named = {n for each in _strings(dashboard) for n in re.findall(r"\$\{?(\w+)", each)}
    assert named - {"__all"} <= there


def test_every_dashboard_is_documented() -> None:
    assert set(re.findall(r"`(prewire-\w+)`", PAGE.read_text())) == {
        Path(name).stem for name in FILES
    }


def test_provisioning_files_name_a_provider_and_a_source() -> None:
    providers = yaml.safe_load((FOLDER / "provisioning/dashboards/prewire.yml").read_text())
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/prewire.yml").read_text())
    assert providers["apiVersion"] == sources["apiVersion"] == 1
    path = providers["providers"][0]["options"]["path"]
    assert path in PAGE.read_text()
    assert sources["datasources"][0]["type"] == "prometheus"


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []
