"""Counters that the kernel keeps: TCP in a host of the network, processor time of the switch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from topologies.mininet_net import RunningNetwork

_SWITCH_PID: Final = Path("/run/openvswitch/ovs-vswitchd.pid")
_USER, _SYSTEM = 11, 12  # after the command in /proc/PID/stat: proc(5) fields 14 and 15


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
    """Processor time that ovs-vswitchd has taken, all threads, user and system.

    The system's part includes what the kernel does to hand packets over veth, TCP at the far end
    among it.
    """
    stat = Path(f"/proc/{_SWITCH_PID.read_text().strip()}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")


def _row(file: Path, prefix: str) -> dict[str, int]:
    """A pair of lines, names and values, that begin with the prefix."""
    names, values = (
        line.split()[1:] for line in file.read_text().splitlines() if line.startswith(prefix)
    )
    return {name: int(value) for name, value in zip(names, values, strict=True)}
