"""Asking this machine's Open vSwitch what it would do with a packet: ofproto/trace.

Must not know: what its answer says.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from prewire.host.ovs import Bridge, OpenVSwitch, OvsFailed

_TIMEOUT_S: Final = 10


def bridge_called(switch: OpenVSwitch, name: str | None) -> Bridge:
    """The bridge of this name or datapath id; None: the only one. OvsFailed where unclear."""
    bridges = switch.bridges()
    meant = [each for each in bridges if name in (None, each.name, each.dpid)]
    if len(meant) == 1:
        return meant[0]
    names = ", ".join(sorted(each.name for each in bridges)) or "none"
    if name is None:
        raise OvsFailed(f"switch: this machine has {len(bridges)}; give one with --switch: {names}")
    raise OvsFailed(f"switch: this machine has no bridge {name}; it has {names}")


def trace(switch: OpenVSwitch, bridge: str, packet: str, ct_next: Sequence[str] = ()) -> str:
    """What ofproto/trace says of a packet. ct_next: what conntrack finds each time it is asked, as
    in "trk,est". OvsFailed where it is no packet, or the switch does not answer."""
    try:
        control = str(switch.control())
    except OSError as error:
        raise OvsFailed(f"ovs-vswitchd: {error.strerror or error}; start it") from None
    following = [word for state in ct_next for word in ("--ct-next", state)]
    command = ["ovs-appctl", f"--timeout={_TIMEOUT_S}", "-t", control, "ofproto/trace"]
    try:
        done = subprocess.run(
            [*command, bridge, packet, *following],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise OvsFailed("ovs-appctl: not found; install Open vSwitch") from None
    if done.returncode:
        first, *_ = (done.stderr or done.stdout).strip().splitlines() or ["it timed out"]
        raise OvsFailed(f"packet: {first}; write it as in in_port=1,tcp,nw_dst=10.0.0.100")
    return done.stdout
