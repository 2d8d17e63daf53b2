"""What the kernel is told in a host's network namespace: offloads, limits, IPv6.

It knows nothing of how a namespace was made or of what runs in it.
"""

from collections.abc import Sequence

from topologies import processes
from topologies.spec import HostSpec, interface_name

_OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro")
_SYSCTLS = (
    "net.ipv6.conf.all.disable_ipv6=1",  # enabled anew, and set up, where a host has an address
    "net.ipv4.tcp_max_tw_buckets=1024",  # thousands of connections a second from one address
    "net.ipv4.ip_local_port_range=10240 65535",
    "net.core.somaxconn=4096",
)


def apply(host: HostSpec, pid: int) -> None:
    """Settle the host whose namespace this process holds. Raises NetworkError.

    No offloads: TCP through a rewritten address fails with TX checksums left out.
    """
    inside = ["mnexec", "-a", str(pid)]
    interface = interface_name(host.name, 0)
    switches = [word for offload in _OFFLOADS for word in (offload, "off")]
    processes.run([*inside, "ethtool", "-K", interface, *switches])
    processes.run([*inside, "sysctl", "-q", "-w", *_SYSCTLS])
    if host.address6 is not None:
        _enable_ipv6(inside, interface, f"{host.address6}/{host.prefix_len6}")


def _enable_ipv6(inside: Sequence[str], interface: str, address: str) -> None:
    """Link-local and the given address, usable at once: no duplicate detection, no routers."""
    prefix = f"net.ipv6.conf.{interface}"
    quiet = (f"{prefix}.accept_dad=0", f"{prefix}.accept_ra=0", f"{prefix}.autoconf=0")
    enabled = ("net.ipv6.conf.all.disable_ipv6=0", f"{prefix}.disable_ipv6=0")
    processes.run([*inside, "sysctl", "-q", "-w", *quiet, *enabled])
    ip6 = [*inside, "ip", "-6"]
    processes.run([*ip6, "address", "add", address, "dev", interface, "nodad"])
    processes.run([*ip6, "route", "add", "default", "dev", interface])
