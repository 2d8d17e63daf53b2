"""`prewire-ryu-manager`: classic Ryu's manager, made to start on a current eventlet.

Takes the arguments of `ryu-manager` and hands them on. Ryu 4.34 looks for a name that eventlet has
since dropped; it is put back before Ryu is loaded. This file is for classic Ryu alone: under
os-ken the controller has its own start, and nothing here is imported.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence

_MISSING = "prewire-ryu-manager: classic Ryu is not installed here; make ryu, or use os-ken instead"


def main(argv: Sequence[str] | None = None) -> int:
    """Run Ryu's manager until it ends. Returns 2, with one line of reason, when Ryu is absent."""
    if any(importlib.util.find_spec(name) is None for name in ("ryu", "eventlet")):
        print(_MISSING, file=sys.stderr)  # noqa: T201
        return 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eventlet announces its own end at every start
        wsgi = importlib.import_module("eventlet.wsgi")
    if not hasattr(wsgi, "ALREADY_HANDLED"):
        wsgi.ALREADY_HANDLED = object()  # type: ignore[attr-defined]
    manager = importlib.import_module("ryu.cmd.manager")
    manager.main(args=list(sys.argv[1:] if argv is None else argv), prog="prewire-ryu-manager")
    return 0
