"""Generated lists leave nothing out."""

from __future__ import annotations

import re

from prewire.docs import interfaces as docs_interfaces
from prewire.docs import writing as docs

METRIC = re.compile(r'"(prewire_[a-z_]+)"')


def test_every_metric_that_the_controller_exports_is_in_the_table() -> None:
    shown = docs_interfaces.metrics_table()
    sources = sorted((docs.ROOT / "ryu_apps").glob("*measures.py"))
    exported = {name for path in sources for name in METRIC.findall(path.read_text("utf-8"))}
    assert len(exported) > 20
    assert not [name for name in sorted(exported) if f"`{name}" not in shown]
