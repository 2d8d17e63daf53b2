"""Whether a policy lets new connections in: what its switches counted against its limit.

Must not know: how connections are counted, what closes a gate in a switch.
"""

from __future__ import annotations

from nib.mirror import Lookups
from nib.qos import Policy


def is_closed(policy: Policy, view: Lookups) -> bool:
    """Whether as many connections are open as the policy allows, or more."""
    most = policy.max_connections
    return most is not None and open_connections(policy.name, view) >= most


def open_connections(policy: str, view: Lookups) -> int:
    """A policy's open connections, in all switches, as they last said."""
    return sum(row.open for row in view.policy_connections(policy))
