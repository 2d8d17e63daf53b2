"""Switches and ports as people call them: a bridge's name or its datapath id, a port's name or
number.

Must not know: what is done at them.
"""

from __future__ import annotations

import re
from typing import Final

from nib.errors import FieldError
from nib.mirror import Lookups
from nib.topology import Port, Switch

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}")


def port_called(dpid: str, called: str, view: Lookups) -> Port | None:
    """A switch's port by its name, or by its OpenFlow number in decimal without leading zeros.

    There is one way to write a number, so that a port that changes finds the containers behind it
    (`ryu_apps.units.services_on`).
    """
    named = view.get(Port, (dpid, called))
    if named is not None or not _NUMBER.fullmatch(called):
        return named
    return view.port_numbered(dpid, int(called))


def dpid_called(called: str | None, view: Lookups) -> str | None:
    """The datapath id of the switch that is asked for; None where none is. FieldError as below."""
    return None if called is None else switch_called(called, view).dpid


def switch_called(called: str, view: Lookups) -> Switch:
    """A switch by its datapath id or its bridge's name. FieldError where that names none or two."""
    known = view.get(Switch, called.lower().removeprefix("0x"))
    if known is not None:
        return known
    named = [switch for switch in view.all(Switch) if switch.name == called]
    if len(named) == 1:
        return named[0]
    if named:
        raise FieldError(
            "switch",
            f"{len(named)} bridges are called {called!r}",
            f"give the datapath id: {', '.join(sorted(switch.dpid for switch in named))}",
        )
    known_names = sorted(f"{switch.name} ({switch.dpid})" for switch in view.all(Switch))
    raise FieldError(
        "switch",
        f"no switch {called!r} has connected",
        f"give one of: {', '.join(known_names)}"
        if known_names
        else "connect it first: ovs-vsctl set-controller BRIDGE tcp:CONTROLLER:6653",
    )
