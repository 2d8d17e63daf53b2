"""A way out of a switch, as people call it.

Must not know: what it can carry.
"""

from __future__ import annotations

from nib.mirror import Lookups
from nib.places import port_called, switch_called
from nib.qos import LinkRate
from qos.provision import LinkKey


def link_called(switch: str, port: str, view: Lookups) -> LinkKey:
    """The key of a port by its switch's name or datapath id and its own name or number.

    A port that is not there is taken by the name given. FieldError where no switch is called so;
    one that was forgotten is found by its datapath id while a rate is stated for it.
    """
    if view.get(LinkRate, (switch, port)) is not None:
        return switch, port
    dpid = switch_called(switch, view).dpid
    known = port_called(dpid, port, view)
    return dpid, port if known is None else known.name
