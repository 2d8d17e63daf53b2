"""The flows written by hand are ones that Open vSwitch takes, for every container."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.peers.hand_written import by_hand, by_nat
from benchmarks.sites.switch import Program
from tests.needs import need
from topologies.processes import run
from topologies.spec import single_switch

SPEC = single_switch(3)


@pytest.mark.parametrize("program", [by_hand(SPEC), by_nat(SPEC)], ids=["by hand", "ct(nat)"])
def test_ovs_ofctl_takes_the_flows(program: Program, tmp_path: Path) -> None:
    need(shutil.which("ovs-ofctl") is not None, "ovs-ofctl is not installed")
    file = tmp_path / "flows"
    file.write_text("".join(f"{flow}\n" for flow in program.flows))
    taken = run(["ovs-ofctl", "-O", "OpenFlow13", "parse-flows", str(file)])
    assert taken.count("FLOW_MOD (OF1.3)") == len(program.flows)


@pytest.mark.parametrize("program", [by_hand(SPEC), by_nat(SPEC)], ids=["by hand", "ct(nat)"])
def test_every_container_has_a_bucket_and_a_way_to_its_port(program: Program) -> None:
    assert program.groups[0].count("bucket=") == len(SPEC.containers)
    for host in SPEC.containers:
        port = SPEC.switch_port(host.name)[1]
        to_it = [flow for flow in program.flows if f"{host.mac}->eth_dst" in flow]
        assert len(to_it) == 1
        assert to_it[0].endswith(f"output:{port}")
        assert any(f"nw_src={host.address},tp_src={host.http_port}," in f for f in program.flows)
