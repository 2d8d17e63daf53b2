"""The codes of what the doctor finds: how bad each is, what causes it, what helps.

Codes are stable: a script may rely on one, and none is used again for something else.

Must not know: how anything is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. remedy: with names in braces, such as {port}, that `found` is given."""

    name: str
    severity: Severity
    meaning: str
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. subject: of which object; what: in one line."""

    code: str
    severity: Severity
    subject: str
    what: str
    remedy: str

    @property
    def is_fault(self) -> bool:
        """Whether something does not work, or will not."""
        return self.severity != "info"


def found(code: str, subject: str, what: str, **names: object) -> Finding:
    """A finding; names: those that its remedy has."""
    known = CODES[code]
    return Finding(code, known.severity, subject, what, known.remedy.format(**names))


_LISTED: Final = (
    Code(
        "QOS01",
        "error",
        "queues are wanted, and the port has none",
        "the node agent could not set them, or somebody took them away",
        "run `prewire node` on the switch's host, and see its log; it sets them anew",
    ),
    Code(
        "QOS02",
        "error",
        "Open vSwitch has queues for the port, the kernel does not",
        "the qdisc was deleted, or its modules are missing in this kernel",
        "run `prewire node` on the switch's host, and see its log; by hand: "
        "`ovs-vsctl clear Port {port} qos`, which it then sets anew",
    ),
    Code(
        "QOS03",
        "error",
        "the port has a root qdisc that is not Open vSwitch's",
        "Mininet's TCLink(bw=…), or tc by hand; it and Open vSwitch's queues replace each other",
        "`tc qdisc del dev {port} root`, and let prewire own the bandwidth: "
        "`prewire link-rate set {switch} {port} RATE`; in Mininet, use plain links",
    ),
    Code(
        "QOS04",
        "error",
        "set_queue does nothing: no tc filter leads to the port's queues",
        "in the userspace datapath the kernel never hears of set_queue; filters by DSCP do its "
        "work, and Open vSwitch drops them whenever it builds the qdisc anew",
        "run `prewire node` on the switch's host: it keeps them",
    ),
    Code(
        "QOS05",
        "error",
        "set_queue does nothing: the DPDK port has no trtcm-policer",
        "linux-htb and the like do not exist at DPDK ports",
        "`ovs-vsctl clear Port {port} qos`, and run `prewire node` on the switch's host",
    ),
    Code(
        "QOS06",
        "error",
        "flows set a queue that the port does not have",
        "a class was added or its queue changed, and the port's queues were not",
        "run `prewire node` on the switch's host, or give the class a queue that is there",
    ),
    Code(
        "QOS07",
        "error",
        "the port has queues, but no queue 0",
        "what no class speaks of then gets 12 kb/s of linux-htb, and nothing of a trtcm-policer",
        "`ovs-vsctl clear Port {port} qos`; the node agent then sets it anew, with queue 0",
    ),
    Code(
        "QOS08",
        "error",
        "a rate is no whole number",
        'Open vSwitch reads "250000000.0" as nothing at all',
        "write whole bits a second; `ovs-vsctl clear Port {port} qos` has the node agent do so",
    ),
    Code(
        "QOS09",
        "error",
        "a queue's rates are not those wanted",
        "somebody changed them, or the node agent does not run",
        "run `prewire node` on the switch's host; `prewire bandwidth` shows what is wanted",
    ),
    Code(
        "QOS10",
        "error",
        "queues are wanted at a switch that no node agent serves",
        "`prewire node` does not run on its host, or cannot reach the database",
        "run `prewire node` as root on the host of switch {switch}",
    ),
    Code(
        "QOS11",
        "error",
        "the node agent could not enforce a port's queues",
        "the text is what Open vSwitch or the kernel said",
        "do what the text says; the agent tries again every five seconds",
    ),
    Code(
        "QOS12",
        "error",
        "a tc filter leads a class's DSCP to another queue",
        "a class's DSCP or queue changed, or somebody added the filter",
        "`tc filter del dev {port} parent 1:`, and run `prewire node` on the switch's host",
    ),
    Code(
        "MTR01",
        "error",
        "a policy's meter is missing, so nothing limits its traffic there",
        "somebody deleted it, which deletes the flows that use it too, or the switch refused it",
        "`prewire diff --switch {switch}` has the controller put it back; see its log",
    ),
    Code(
        "MTR02",
        "info",
        "a policy's meter has counted nothing for ten minutes",
        "the traffic does not come in at this switch, or the policy names the wrong services",
        "`prewire explain PACKET` shows which policy governs a packet",
    ),
    Code(
        "MTR03",
        "warning",
        "a policy's meter drops a tenth or more, and its burst is too short for TCP",
        "TCP sends in bursts: with less than half a second of the rate it stays far below it",
        "give policy {policy} a burst of one second, the default",
    ),
    Code(
        "POL01",
        "warning",
        "a policy is never used: another has the same source and destination",
        "both were written past the REST server",
        "`prewire policy delete {policy}`",
    ),
    Code(
        "POL02",
        "error",
        "a guarantee that was admitted cannot be kept any more",
        "a link was lost, its rate changed, or containers moved",
        "restore the link or lower a guarantee on it; `prewire bandwidth` shows what is free",
    ),
    Code(
        "POL03",
        "info",
        "a policy waits",
        "a service that it names has no container, or no container has a place yet",
        "register a container of that service",
    ),
    Code(
        "POL04",
        "error",
        "a policy names a class that is not there, so its traffic is of the class default",
        "the class was deleted past the REST server",
        "`prewire class set {qos_class}`, or give policy {policy} another class",
    ),
    Code(
        "FLW01",
        "warning",
        "a switch holds rules that nobody wants",
        "somebody added them by hand, or another controller programs the switch",
        "`ovs-ofctl -O OpenFlow13 del-flows --strict {bridge} FLOW` for each, and "
        "`ovs-vsctl get-controller {bridge}` for who else may write",
    ),
    Code(
        "FLW02",
        "warning",
        "a switch lacked rules that are wanted",
        "somebody deleted them, or the switch refused them",
        "the controller puts back what it finds missing; see its log, and `prewire diff` again",
    ),
    Code(
        "SWT01",
        "error",
        "a switch does not hold what is wanted",
        "the text is the controller's reason",
        "do what the text says",
    ),
    Code(
        "SWT02",
        "warning",
        "a switch is not connected to the controller",
        "it is down, or its bridge's controller is another",
        "`ovs-vsctl set-controller {bridge} tcp:CONTROLLER:6653`; `prewire switch forget "
        "{switch}` where it is gone for good",
    ),
    Code(
        "OVS01",
        "error",
        "Open vSwitch could not open a port",
        "its device is gone, or DPDK refused it",
        "`ovs-vsctl get Interface {port} error` has the reason; give the device back, or "
        "`ovs-vsctl del-port {bridge} {port}`",
    ),
    Code(
        "OVS02",
        "error",
        "DPDK is wanted and did not start",
        "no hugepages, or no ovs-vswitchd-dpdk",
        "reserve hugepages (`sysctl vm.nr_hugepages=512`), mount hugetlbfs, and restart "
        "ovs-vswitchd",
    ),
    Code(
        "OVS03",
        "warning",
        "a bridge's fail_mode is not secure",
        "without a controller it then forwards as a plain switch, past all policies",
        "`ovs-vsctl set-fail-mode {bridge} secure`",
    ),
    Code(
        "OVS04",
        "warning",
        "a bridge tries its controller again only every few seconds",
        "max_backoff is 8 seconds unless it is set",
        "`ovs-vsctl set Controller {bridge} max_backoff=1000`",
    ),
    Code(
        "OVS05",
        "error",
        "a DPDK port in a bridge of the kernel's datapath",
        "only the userspace datapath has DPDK ports",
        "`ovs-vsctl set Bridge {bridge} datapath_type=netdev`",
    ),
    Code(
        "NET01",
        "error",
        "a container leaves checksums to its network card, which is a veth",
        "TX checksum offload is on; a switch in user space drops such TCP at conntrack",
        "in the container's network namespace: `ethtool -K {peer} tx off`",
    ),
    Code(
        "NET02",
        "error",
        "conntrack refuses packets for wrong checksums, now",
        "a container somewhere behind this host's switches has TX checksum offload on",
        "`ethtool -K eth0 tx off` in the containers whose connections time out",
    ),
    Code(
        "NET03",
        "error",
        "a port's MTU is below that of the others",
        "large packets that others send never pass it, and nobody is told",
        "`ip link set {port} mtu {mtu}`",
    ),
)

CODES: Final[Mapping[str, Code]] = {each.name: each for each in _LISTED}
