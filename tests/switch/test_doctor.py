"""The doctor on a real switch: sound, it finds nothing; each thing that is broken it finds.

The test plays the controller and the node agent; `prewire doctor` runs as its own process on the
switch's host.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from nib.intent import Service
from nib.qos import LinkRate, Policy, PolicyShare, PortQos
from nib.topology import Port, Switch
from prewire.doctor.host import meters_in
from prewire.explaining.meter import explain_meter
from prewire.host.queues import COLUMNS, changes, htb_columns, known
from qos.pipeline import bit_meter
from qos.queues import port_queues
from ryu_apps.provision import provision
from tests import commands
from tests.switch.node_site import BRIDGE, CLIENT, DPID, TIED, VIP, Host, Site, site
from tests.waiting import until

pytestmark = pytest.mark.root

PORT: Final = "p-web"
OTHER: Final = "p-client"
METER: Final = bit_meter(1)
WEB: Final = Service("web", VIP, 80, number=1)
BUY: Final = Policy("buy", None, "web", "realtime", max_bps=10_000_000, number=1)
SHARE: Final = PolicyShare("buy", DPID, 10_000_000)
RATE: Final = LinkRate(DPID, PORT, 100_000_000)
AGENT: Final = "dscp + linux-htb"
PRIO: Final = {"ip": "10", "ipv6": "11"}


@dataclass
class Patient:
    """A switch with queues, a meter and two hosts, and what to do to it."""

    site: Site
    web: Host
    client: Host

    def doctor(self, *options: str) -> subprocess.CompletedProcess[str]:
        """`prewire doctor` on the switch's host."""
        argv = [*self.here(), *commands.command("doctor", *options)]
        return subprocess.run(
            argv,
            env=self.site.agent_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def read(self) -> dict[str, Any]:
        """What it finds, as JSON; with the exit code."""
        done = self.doctor("-o", "json")
        assert done.returncode in (0, 3), done
        return {**json.loads(done.stdout), "code": done.returncode}

    def codes(self) -> dict[str, str]:
        """What it finds: code -> where."""
        return {each["code"]: each["subject"] for each in self.read()["items"]}

    def told(self) -> PortQos | None:
        """What the node agent says of the port."""
        with self.site.nib.view() as view:
            return view.get(PortQos, (DPID, PORT))

    def here(self) -> list[str]:
        return [*TIED, "nsenter", f"--net=/proc/{self.site.ovs.vswitchd_pid}/ns/net"]

    def marks(self) -> dict[int, int]:
        """Queue by DSCP, of the queues that the port should have."""
        return {plan.dscp: plan.queue for plan in self.plan().queues}

    def plan(self) -> Any:
        with self.site.nib.view() as view:
            plan = port_queues(view, provision(view), view.need(Port, (DPID, PORT)))
        assert plan is not None
        return plan

    def steer(self, marks: dict[int, int]) -> None:
        """Have just these filters, from DSCP to queue, in the kernel."""
        ovs = self.site.ovs
        ovs.run("tc", "filter", "del", "dev", PORT, "parent", "1:")
        for dscp, queue in marks.items():
            for family, field in (("ip", "ip dsfield"), ("ipv6", "ip6 priority")):
                add = f"tc filter add dev {PORT} parent 1: protocol {family} prio {PRIO[family]} "
                add += f"u32 match {field} {dscp << 2:#04x} 0xfc flowid 1:{queue + 1:x}"
                ovs.run(*add.split())

    def set_queues(self) -> None:
        """As the node agent would: rows, filters, and the word that they are there."""
        rows = {
            table: json.loads(
                self.site.ovs.vsctl("--format=json", f"--columns={','.join(names)}", "list", table)
            )
            for table, names in COLUMNS.items()
        }
        tables = {
            table: [
                [row[found["headings"].index(name)] for name in COLUMNS[table]]
                for row in found["data"]
            ]
            for table, found in rows.items()
        }
        done = changes({PORT: htb_columns(self.plan())}, frozenset(), known(tables))
        self.site.ovs.vsctl(*(word for command in done for word in ("--", *command)))
        until(lambda: self.tc("qdisc"), lambda text: "htb 1:" in text, "the kernel has the queues")
        self.steer(self.marks())
        said = PortQos(DPID, PORT, AGENT, RATE.bps)
        self.site.write(lambda draft: draft.put(said))

    def tc(self, what: str) -> str:
        return self.site.ovs.run("tc", what, "show", "dev", PORT)


@pytest.fixture
def untreated() -> Iterator[Patient]:
    """Sound but for its queues, which nobody has set."""
    with site() as here:
        web = here.host("web", "10.0.0.11")
        client = here.host("client", CLIENT)
        here.write(lambda draft: [draft.put(row) for row in (BUY, SHARE, RATE)])
        here.register(WEB, c1=web)
        yield Patient(here, web, client)


@pytest.fixture
def patient(untreated: Patient) -> Patient:
    """Sound in every way."""
    untreated.set_queues()
    return untreated


def test_a_sound_switch_has_nothing(patient: Patient) -> None:
    found = patient.read()
    assert (found["items"], found["code"]) == ([], 0)
    assert found["not_looked_at"] == ["no controller leads: rules were not read back"]
    shown = patient.doctor().stdout.splitlines()
    assert shown == ["nothing found", f"not looked at: {found['not_looked_at'][0]}"]


def _foreign_qdisc(patient: Patient) -> None:
    tbf = ("tbf", "rate", "10mbit", "burst", "100kb", "latency", "50ms")
    patient.site.ovs.run("tc", "qdisc", "replace", "dev", OTHER, "root", *tbf)


def _foreign_qdisc_over_queues(patient: Patient) -> None:
    patient.site.ovs.run("tc", "qdisc", "replace", "dev", PORT, "root", "handle", "5:", "htb")


def _no_qdisc(patient: Patient) -> None:
    patient.site.ovs.run("tc", "qdisc", "del", "dev", PORT, "root")


def _no_queues(patient: Patient) -> None:
    patient.site.ovs.vsctl("clear", "Port", PORT, "qos")
    until(lambda: patient.tc("qdisc"), lambda text: "htb" not in text, "the queues are gone")


def _no_filters(patient: Patient) -> None:
    patient.site.ovs.run("tc", "filter", "del", "dev", PORT, "parent", "1:")


def _filter_to_another_queue(patient: Patient) -> None:
    patient.steer({**patient.marks(), 46: 1})


def _flow_with_another_queue(patient: Patient) -> None:
    flow = f"cookie=0x70{0:014x},table=100,priority=1,actions=set_queue:9"
    patient.site.ovs.ofctl("add-flow", BRIDGE, flow)


def _no_queue_0(patient: Patient) -> None:
    qos = patient.site.ovs.vsctl("get", "Port", PORT, "qos").strip()
    patient.site.ovs.vsctl("remove", "QoS", qos, "queues", "0")


def _a_fraction(patient: Patient) -> None:
    qos = patient.site.ovs.vsctl("get", "Port", PORT, "qos").strip()
    patient.site.ovs.vsctl("set", "QoS", qos, 'other_config:max-rate="1e8"')


def _no_agent(patient: Patient) -> None:
    patient.site.write(lambda draft: draft.delete(PortQos, (DPID, PORT)))


def _agent_in_trouble(patient: Patient) -> None:
    said = PortQos(DPID, PORT, AGENT, RATE.bps, "the kernel lacks u32")
    patient.site.write(lambda draft: draft.put(said))


def _no_meter(patient: Patient) -> None:
    patient.site.ovs.ofctl("del-meter", BRIDGE, f"meter={METER}")


def _alien_flow(patient: Patient) -> None:
    patient.site.ovs.ofctl("add-flow", BRIDGE, "cookie=0x5,table=0,priority=7,actions=drop")


def _checksum_offload(patient: Patient) -> None:
    patient.web.run("ethtool", "-K", "eth0", "tx", "on")


def _small_mtu(patient: Patient) -> None:
    patient.site.ovs.run("ip", "link", "set", OTHER, "mtu", "1400")


def _not_secure(patient: Patient) -> None:
    patient.site.ovs.vsctl("set-fail-mode", BRIDGE, "standalone")
    patient.site.program()  # changing the mode flushed every flow


def _patient_controller(patient: Patient) -> None:
    patient.site.ovs.vsctl("set-controller", BRIDGE, "tcp:127.0.0.1:1")
    patient.site.program()  # the first controller begins with nothing


def _lost_device(patient: Patient) -> None:
    patient.site.ovs.vsctl("--no-wait", "add-port", BRIDGE, "nothing")
    column = ("get", "Interface", "nothing", "error")
    until(lambda: patient.site.ovs.vsctl(*column), lambda text: "No such" in text, "it fails")


def _not_connected(patient: Patient) -> None:
    gone = Switch(f"{9:016x}", 9, "br9")
    patient.site.write(lambda draft: draft.put(gone))


def _without_class(patient: Patient) -> None:
    gold = replace(BUY, name="gold", source="web", qos_class="gold", number=3)
    patient.site.write(lambda draft: draft.put(gold))


def _waiting(patient: Patient) -> None:
    late = replace(BUY, name="late", destination="none", number=2)
    patient.site.write(lambda draft: draft.put(late))


def _at(port: str) -> str:
    return f"bridge {BRIDGE} port {port}"


Break = Callable[[Patient], None]

# Things that break side by side: what is done, and the findings' codes and places.
BROKEN: Final[dict[str, tuple[tuple[Break, ...], set[tuple[str, str]]]]] = {
    "the switch and its rules": (
        (
            *(_not_secure, _patient_controller, _alien_flow, _no_meter),
            *(_not_connected, _without_class, _waiting),
        ),
        {
            *(("OVS03", f"bridge {BRIDGE}"), ("OVS04", f"bridge {BRIDGE}")),
            *(("FLW01", f"switch {BRIDGE}"), ("MTR01", f"bridge {BRIDGE}")),
            *(("SWT02", "switch br9"), ("POL04", "policy gold"), ("POL03", "policy late")),
        },
    ),
    "ports": (
        (_lost_device, _foreign_qdisc, _small_mtu, _checksum_offload),
        {
            *(("OVS01", _at("nothing")), ("QOS03", _at(OTHER)), ("NET03", _at(OTHER))),
            ("NET01", _at(PORT)),
        },
    ),
    "no queues": ((_no_queues,), {("QOS01", _at(PORT))}),
    "no qdisc": ((_no_qdisc,), {("QOS02", _at(PORT))}),
    "the agent says what is wrong": (
        (_no_queues, _agent_in_trouble),
        {("QOS11", f"switch {DPID} port {PORT}")},
    ),
    "another's qdisc over the queues": ((_foreign_qdisc_over_queues,), {("QOS03", _at(PORT))}),
    "no filters, nobody sets them, and a queue that is not there": (
        (_no_filters, _no_agent, _flow_with_another_queue),
        {("QOS04", _at(PORT)), ("QOS10", f"switch {DPID}"), ("QOS06", _at(PORT))},
    ),
    "filters astray, and a fraction": (
        (_filter_to_another_queue, _a_fraction),
        {("QOS12", _at(PORT)), ("QOS08", _at(PORT))},
    ),
    "no queue 0": ((_no_queue_0,), {("QOS07", _at(PORT))}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found_and_nothing_else(patient: Patient, what: str) -> None:
    breaks, expected = BROKEN[what]
    for broken in breaks:
        broken(patient)
    found = patient.read()
    listed = [(each["code"], each["subject"]) for each in found["items"]]
    assert sorted(listed) == sorted(expected)
    assert found["code"] == 3


def test_what_the_node_agent_sets_is_sound(untreated: Patient) -> None:
    assert untreated.codes() == {"QOS10": f"switch {DPID}"}
    with untreated.site.agent():
        until(untreated.told, lambda row: row and not row.problem, "the queues are set")
        assert untreated.codes() == {}
        _foreign_qdisc_over_queues(untreated)
        until(untreated.told, lambda row: row and row.problem, "the agent sees it")
        assert untreated.codes() == {"QOS03": _at(PORT)}


def test_checksum_errors_are_found_while_they_rise(patient: Patient) -> None:
    """A reply whose checksum nobody filled in never reaches the client through a VIP."""
    _checksum_offload(patient)
    patient.site.serve(patient.web, "tcp")
    connect = f"import socket; socket.create_connection(('{VIP}', 80), 15)"
    calling = patient.client.popen(sys.executable, "-c", connect)
    try:
        until(patient.codes, lambda found: "NET02" in found, "packets are refused", 40)
    finally:
        calling.kill()
        calling.communicate()


def test_what_cannot_be_seen_is_said(patient: Patient) -> None:
    """A container's network namespace that has neither a process nor a name; bridges that do not
    speak OpenFlow 1.3, or that the database does not know."""
    ovs = patient.site.ovs
    nameless = ovs.directory / "nameless"
    nameless.touch()
    subprocess.run(["unshare", f"--net={nameless}", "true"], check=True)
    try:
        ovs.run("ip", "link", "add", "p-far", "type", "veth", "peer", "name", "far")
        ovs.run("ip", "link", "set", "far", "netns", str(nameless))
        ovs.vsctl("add-port", BRIDGE, "p-far")
        for number, name in ((8, "br8"), (9, "unknown")):
            ovs.add_bridge(name, dpid=number, protocols="OpenFlow10")
        silent = Switch(f"{8:016x}", 8, "br8", connected=True)
        patient.site.write(lambda draft: draft.put(silent))
        found = patient.read()
    finally:
        subprocess.run(["umount", str(nameless)], check=True)
    assert found["items"] == []
    unseen = "\n".join(found["not_looked_at"])
    assert f"bridge {BRIDGE}: the other ends of p-far, in network namespaces" in unseen
    assert "bridge br8: ovs-ofctl dump-flows br8: " in unseen
    assert "bridge unknown: the database knows no switch of its datapath id" in unseen


def test_every_meter_of_the_switch_is_explained(patient: Patient) -> None:
    dump = patient.site.ovs.ofctl("dump-meters", BRIDGE)
    there = meters_in(dump, patient.site.ovs.ofctl("meter-stats", BRIDGE))
    assert METER in there
    with patient.site.nib.view() as view:
        for number, meter in there.items():
            (wanted,) = explain_meter(number, view).switches
            assert (wanted.rate, wanted.burst) == (meter.rate, meter.burst)
        assert explain_meter(METER, view).policy == "buy"


def test_without_open_vswitch_or_root_it_says_what_it_did_not_see(patient: Patient) -> None:
    env = {"PREWIRE_NIB": patient.site.nib.remote, "PREWIRE_SWITCH_DB": ""}
    done = commands.run_here("doctor", env=env)
    assert done.returncode == 0, done
    assert "this machine runs no Open vSwitch" in done.stdout
