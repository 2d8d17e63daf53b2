"""Changes that forget: a switch that is gone for good, a host that was heard.

Must not know: HTTP, who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from nib.draft import Draft
from nib.errors import Conflict, NotFound
from nib.mirror import Lookups
from nib.observed import Connections
from nib.qos import PolicyConnections, PolicyShare, PortQos
from nib.records import Audit, LocalSlots
from nib.topology import Host, Link, Switch
from ryu_apps.stations import all_stations

Change = Callable[[Draft], None]

_AboutSwitch: TypeAlias = Connections | LocalSlots | PortQos | PolicyShare | PolicyConnections

# Rows of which there are several about a switch, but for those of the fabric.
_ABOUT_SWITCH: Final[tuple[type[_AboutSwitch], ...]] = (
    Connections,
    LocalSlots,
    PortQos,
    PolicyShare,
    PolicyConnections,
)


def switch_forgotten(dpid: str) -> Change:
    """Delete a switch and what was known of it; Conflict while it is connected.

    Containers registered at it are intent and stay, without a place until their switch comes back
    or they are registered elsewhere.
    """

    def change(draft: Draft) -> None:
        if draft.need(Switch, dpid).connected:
            raise Conflict("dpid", f"switch {dpid} is connected", "take its controller away first")
        for row in list(_known_of(dpid, draft)):
            draft.delete(type(row), row.key)

    return change


def host_forgotten(mac: str) -> Change:
    """Delete a host that was heard; it is learned anew when it speaks.

    Conflict where the station is known by other means only, which a deletion here would not change.
    """

    def change(draft: Draft) -> None:
        if draft.get(Host, mac) is not None:
            draft.delete(Host, mac)
        elif mac in all_stations(draft):
            raise _said_otherwise(mac, draft)
        else:
            raise NotFound("Host", mac)

    return change


def _said_otherwise(mac: str, view: Lookups) -> Conflict:
    containers = ", ".join(sorted("/".join(each.key) for each in view.containers_with_mac(mac)))
    if containers:
        return Conflict("mac", f"{mac} is registered: {containers}", "delete the container")
    ports = ", ".join(f"{port.name} of {port.switch}" for port in view.ports_with_mac(mac))
    remedy = "remove attached-mac from the interface's external_ids"
    return Conflict("mac", f"{mac} is the attached-mac of port {ports}", remedy)


def _known_of(dpid: str, view: Lookups) -> Iterator[Any]:
    """The rows about a switch, its own last."""
    ports = view.ports_of(dpid)
    yield from (link for link in view.all(Link) if dpid in (link.switch, link.peer))
    yield from (host for host in view.all(Host) if host.switch == dpid)
    for kind in _ABOUT_SWITCH:
        yield from (row for row in view.all(kind) if row.switch == dpid)
    yield from ports
    yield from (row for row in (view.get(Audit, dpid),) if row is not None)
    yield from (row for row in (view.get(Switch, dpid),) if row is not None)
