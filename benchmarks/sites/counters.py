"""Counters that the kernel keeps: TCP in a host of the network, processor time of the switch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from topologies.mininet_net import RunningNetwork

SWITCH_PID: Final = Path("/run/openvswitch/ovs-vswitchd.pid")
_TIMES: Final = slice(11, 15)  # after the command in /proc/PID/stat: proc(5) fields 14 to 17


@dataclass(frozen=True, slots=True)
class TcpCounters:
    """Since the namespace was made. active_opens: connections begun (RFC 4022, tcpActiveOpens)."""

    active_opens: int
    syn_retransmissions: int

    def since(self, earlier: TcpCounters) -> TcpCounters:
        """The difference."""
        return TcpCounters(
            self.active_opens - earlier.active_opens,
            self.syn_retransmissions - earlier.syn_retransmissions,
        )


def tcp_counters(net: RunningNetwork, host: str) -> TcpCounters:
    """The counters now."""
    directory = Path(f"/proc/{net.pid(host)}/net")
    tcp = _row(directory / "snmp", "Tcp:")
    extended = _row(directory / "netstat", "TcpExt:")
    return TcpCounters(tcp["ActiveOpens"], extended["TCPSynRetrans"])


def switch_seconds() -> float:
    """Processor time that ovs-vswitchd has taken.

    The system's part includes what the kernel does to hand packets over veth, TCP at the far end
    among it.
    """
    return processor_seconds(int(SWITCH_PID.read_text()))


def processor_seconds(pid: int) -> float:
    """User and system time of all threads of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(each) for each in fields[_TIMES]) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """What a process has resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchmarkFailed(f"process {pid} has ended")


def metric(page: str, name: str) -> float:
    """The sum of a metric's samples on a page of metrics; 0 where there is none."""
    samples = (line.rpartition(" ") for line in page.splitlines())
    return sum(float(value) for series, _, value in samples if series.partition("{")[0] == name)


def _row(file: Path, prefix: str) -> dict[str, int]:
    """A pair of lines, names and values, that begin with the prefix."""
    names, values = (
        line.split()[1:] for line in file.read_text().splitlines() if line.startswith(prefix)
    )
    return {name: int(value) for name, value in zip(names, values, strict=True)}
