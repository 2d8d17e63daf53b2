"""Runs the controller's apps on os-ken, which no longer has a manager of its own.

Under classic Ryu `ryu-manager` does this (`ryu_apps.manager`).
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from typing import Final

from nib.settling import settle
from ryu_apps import framework
from ryu_apps.apps import APPS

_HANDLER: Final = f"{framework.NAME}.controller.ofp_handler"

# A change passes several threads on its way; with Python's 5 ms one that computes (parsing
# statistics) would hold each of them up that long.
_SWITCH_SECONDS: Final = 0.0005


def run(host: str, port: int, ending: threading.Event) -> None:
    """Listen for switches and control them until `ending` is set, then end the process's work.

    Raises NibError where the database cannot be used. That the port is free is the caller's care:
    os-ken would end a thread without a word.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    # It tells of every app twice before anything is known to work, and at debug of every message.
    logging.getLogger(framework.NAME).setLevel(logging.INFO)
    logging.getLogger(f"{framework.NAME}.base.app_manager").setLevel(logging.WARNING)
    cfg = importlib.import_module(f"{framework.NAME}.cfg")
    cfg.CONF(args=[], project="prewire")
    cfg.CONF.set_override("ofp_listen_host", host)
    cfg.CONF.set_override("ofp_tcp_listen_port", port)
    manager = framework.app_manager.AppManager.get_instance()
    manager.load_apps([_HANDLER, *APPS])
    contexts = manager.create_contexts()
    settle()
    manager.instantiate_apps(**contexts)
    ending.wait()
    for name in APPS:
        framework.app_manager.lookup_service_brick(_brick(name)).close()
    contexts["controller"].close()


def leave(status: int) -> None:
    """End the process now: os-ken's threads wait in accept() and would keep it for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _brick(app: str) -> str:
    return app.rpartition(".")[2].capitalize()
