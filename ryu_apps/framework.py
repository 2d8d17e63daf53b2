"""The one place that knows which controller framework runs the apps.

A framework that is already imported wins (`ryu-manager` imports Ryu before it loads our apps); else
the environment variable PREWIRE_FRAMEWORK, `os_ken` or `ryu`; else os-ken. Everything else in this
room imports these names and nothing of either framework.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

LOG = logging.getLogger(__name__)

Handler = Callable[[Any, Any], None]

_KNOWN: Final = ("os_ken", "ryu")


def _chosen() -> str:
    for package in _KNOWN:
        if f"{package}.base.app_manager" in sys.modules:
            return package
    asked = os.environ.get("PREWIRE_FRAMEWORK", _KNOWN[0])
    if asked not in _KNOWN:
        raise ValueError(f"PREWIRE_FRAMEWORK={asked!r}: set it to {' or '.join(_KNOWN)}")
    return asked


def _part(path: str) -> Any:
    return importlib.import_module(f"{NAME}.{path}")


NAME: Final = _chosen()

# os-ken needs app_manager imported before controller.controller.
app_manager: Final[Any] = _part("base.app_manager")
controller: Final[Any] = _part("controller.controller")
ofp_event: Final[Any] = _part("controller.ofp_event")
handler: Final[Any] = _part("controller.handler")
ofproto: Final[Any] = _part("ofproto.ofproto_v1_3")
parser: Final[Any] = _part("ofproto.ofproto_v1_3_parser")
nicira_ext: Final[Any] = _part("ofproto.nicira_ext")
ofproto_protocol: Final[Any] = _part("ofproto.ofproto_protocol")
oxm_fields: Final[Any] = _part("ofproto.oxm_fields")
type_desc: Final[Any] = _part("lib.type_desc")

App: Any = app_manager.OSKenApp if NAME == "os_ken" else app_manager.RyuApp

# Phases of a connection to a switch.
CONFIG: Final = handler.CONFIG_DISPATCHER
MAIN: Final = handler.MAIN_DISPATCHER
DEAD: Final = handler.DEAD_DISPATCHER
EVERY_PHASE: Final = [handler.HANDSHAKE_DISPATCHER, CONFIG, MAIN]


def on(event: Any, phases: Any) -> Callable[[Handler], Handler]:
    """Decorates an app's handler of an event in some phases of a connection.

    An exception in it is logged: under os-ken's native threads it would end the app in silence.
    """

    is_message = issubclass(event, ofp_event.EventOFPMsgBase)

    def decorated(handle: Handler) -> Handler:
        @functools.wraps(handle)
        def guarded(app: Any, happened: Any) -> None:
            if is_message:
                happened.msg.datapath.prewire_heard = time.monotonic()
            try:
                handle(app, happened)
            except Exception:
                LOG.exception("%s failed", handle.__qualname__)

        marked: Handler = handler.set_ev_cls(event, phases)(guarded)
        return marked

    return decorated


_set_state: Final[Any] = controller.Datapath.set_state


def admit_by(decide: Callable[[Any], bool]) -> None:
    """Have `decide(datapath)` say whether a switch is told to the apps; else it is disconnected.

    It is called when the switch's id is known, in the thread of its connection, and may wait.
    Neither framework minds two switches with one id.
    """

    def set_state(datapath: Any, state: str) -> None:
        if state == MAIN and datapath.state != MAIN and not decide(datapath):
            datapath.close()
        else:
            _set_state(datapath, state)

    controller.Datapath.set_state = set_state


def last_heard(datapath: Any) -> float:
    """When the switch last sent anything that an app handles, in monotonic seconds; 0.0: never."""
    return float(getattr(datapath, "prewire_heard", 0.0))


def is_open(datapath: Any) -> bool:
    """Whether the connection still stands; os-ken closes the socket before it says so."""
    return bool(datapath.state != DEAD and datapath.socket.fileno() >= 0)


def send(datapath: Any, messages: bytes) -> None:
    """Queue encoded messages, unless the connection is gone: os-ken can block for ever there."""
    if is_open(datapath):
        datapath.send(messages)


def end(datapath: Any) -> None:
    """Give up a connection whose socket is closed.

    os-ken's sending thread waits on its queue for ever then; an empty message wakes it, and it sees
    that the connection is dead.
    """
    datapath.close()
    datapath.send(b"")


_receive: Final[Any] = controller.Datapath._recv_loop


def _receive_and_end(datapath: Any) -> None:
    """Read until the peer is gone, whoever it was: else two threads of os-ken would stay."""
    try:
        _receive(datapath)
    finally:
        end(datapath)


if NAME == "os_ken":
    controller.Datapath._recv_loop = _receive_and_end


def dpid_of(datapath: Any) -> str:
    """The datapath id as the database writes it; of zeros while the switch has not said it."""
    return f"{datapath.id or 0:016x}"


def bridge_name(datapath: Any) -> str:
    """The name of the switch's local port, which in Open vSwitch is the bridge's; "" if unknown."""
    local = (datapath.ports or {}).get(ofproto.OFPP_LOCAL)
    return "" if local is None else port_name(local)


def port_name(port: Any) -> str:
    """The name in a port description."""
    raw: bytes = port.name
    return raw.rstrip(b"\0").decode(errors="replace")


def log_in_lines() -> None:
    """Have the framework log what a switch sent malformed as a line, without a traceback."""

    def without_traceback(record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True

    logging.getLogger(f"{NAME}.ofproto.ofproto_parser").addFilter(without_traceback)


class _EricssonOxm(oxm_fields._OxmClass):  # type: ignore[misc]
    """Fields of neighbour discovery that Open vSwitch has and the frameworks leave out.

    ERICOXM_OF_ICMPV6_ND_RESERVED and _ND_OPTIONS_TYPE of its include/openvswitch/meta-flow.h.
    """

    _class = 0x1000


if all(field.name != "nd_reserved" for field in ofproto.oxm_types):
    ofproto.oxm_types += [
        _EricssonOxm("nd_reserved", 1, type_desc.Int4),
        _EricssonOxm("nd_options_type", 2, type_desc.Int1),
    ]
    oxm_fields.generate(ofproto.__name__)
