"""docs/qos.md: its file is one that `prewire apply` takes, its tables say what is built in."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prewire.documents.document import read
from prewire.documents.models import ApplyIn
from qos.classes import PRESETS, TRAFFIC
from qos.models import PolicyIn

PAGE = (Path(__file__).parents[2] / "docs" / "qos.md").read_text()


def cells(after: str) -> list[list[str]]:
    """The rows of the table that has this head."""
    _, _, rest = PAGE.partition(after)
    table, _, _ = rest.partition("\n\n")
    rows = [line.strip("|").split("|") for line in table.strip().splitlines()[2:]]
    return [[cell.strip().strip("`") for cell in row] for row in rows]


def test_the_file_is_one_that_apply_takes() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    document = ApplyIn.model_validate(read("qos.yaml", text.encode()))
    names = [policy.record(policy.name).name for policy in document.policies or ()]
    assert names == ["shop-to-db", "reports"]
    assert document.classes is not None
    (backup,) = document.classes
    assert backup.record(backup.name).dscp not in {each.dscp for each in PRESETS.values()}


def test_the_request_is_one_that_rest_takes() -> None:
    (body,) = re.findall(r"-d '(\{.*?\})'", PAGE)
    policy = PolicyIn.model_validate(json.loads(body)).record("shop-to-db")
    assert policy.guaranteed_bps == 10_000_000


def test_the_classes_are_those_that_are_built_in() -> None:
    shown = {
        row[0]: tuple(int(cell.removesuffix(" %")) for cell in row[1:7])
        for row in cells("| class | DSCP |")
    }
    assert shown == {
        each.name: (
            each.dscp,
            each.queue,
            each.priority,
            each.min_percent,
            each.max_percent,
            each.weight,
        )
        for each in PRESETS.values()
    }


def test_traffic_has_the_class_and_burst_that_are_built_in() -> None:
    shown = {row[0]: (row[1], int(row[2].removesuffix(" ms"))) for row in cells("| traffic |")}
    assert shown == dict(TRAFFIC)
