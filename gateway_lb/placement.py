"""Where a container is: the port of the switch it is behind.

A container says where it is by switch and port, or by the iface-id of its interface; the database's
ports, which controllers keep as the switches have them, give the rest.
"""

from __future__ import annotations

from nib.intent import Container
from nib.mirror import Lookups
from nib.places import port_called
from nib.topology import Port


def port_of(container: Container, view: Lookups) -> Port | None:
    """The port that the container is behind; None while no switch reports such a port."""
    if container.iface_id is not None:
        return view.port_with_iface(container.iface_id)
    if container.switch is None or container.switch_port is None:
        return None
    return port_called(container.switch, container.switch_port, view)
