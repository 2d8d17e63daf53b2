"""The one place that knows which controller framework runs the apps.

A framework that is already imported wins (`ryu-manager` imports Ryu before it loads our apps); else
the environment variable PREWIRE_FRAMEWORK, `os_ken` or `ryu`; else os-ken. Everything else in this
room imports these names and nothing of either framework.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

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
ofp_event: Final[Any] = _part("controller.ofp_event")
handler: Final[Any] = _part("controller.handler")
ofproto: Final[Any] = _part("ofproto.ofproto_v1_3")
parser: Final[Any] = _part("ofproto.ofproto_v1_3_parser")
nicira_ext: Final[Any] = _part("ofproto.nicira_ext")
ofproto_protocol: Final[Any] = _part("ofproto.ofproto_protocol")

App: Any = app_manager.OSKenApp if NAME == "os_ken" else app_manager.RyuApp
on: Final[Any] = handler.set_ev_cls

# Phases of a connection to a switch.
CONFIG: Final = handler.CONFIG_DISPATCHER
MAIN: Final = handler.MAIN_DISPATCHER
DEAD: Final = handler.DEAD_DISPATCHER
EVERY_PHASE: Final = [handler.HANDSHAKE_DISPATCHER, CONFIG, MAIN]
