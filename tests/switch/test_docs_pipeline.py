"""docs/pipeline.md against a real switch: it takes the example and dumps what the page shows."""

from __future__ import annotations

from openflow.text import flow_text, group_text, meter_text
from prewire.docs import example as docs_example
from prewire.docs import pipeline as docs_pipeline
from prewire.docs import writing as docs
from tests.ovs import PrivateOvs

BRIDGE = "br0"


def test_the_switch_dumps_what_the_page_shows(private_ovs: PrivateOvs) -> None:
    rules = docs_example.rules()
    groups, flows = private_ovs.directory / "groups.txt", private_ovs.directory / "flows.txt"
    groups.write_text("".join(f"{group_text(group, 'ovs')}\n" for group in rules.groups))
    flows.write_text("".join(f"{flow_text(flow, 'ovs')}\n" for flow in rules.flows))
    private_ovs.add_bridge(BRIDGE, dpid=0xA1, ports=docs_example.PORTS)
    for meter in rules.meters:
        private_ovs.ofctl("add-meter", BRIDGE, meter_text(meter, "ovs"))
    private_ovs.ofctl("add-groups", BRIDGE, str(groups))
    private_ovs.ofctl("add-flows", BRIDGE, str(flows))

    dump = private_ovs.ofctl("--no-stats", "dump-flows", BRIDGE).splitlines()
    printed = {line.strip() for line in dump if "actions=" in line}

    assert printed == set(docs_pipeline.dump_lines())
    page = (docs.FOLDER / "pipeline.md").read_text(encoding="utf-8").splitlines()
    assert printed <= set(page)
