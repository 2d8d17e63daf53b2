"""`prewire-ryu-manager`: classic Ryu's manager, made to start on a current eventlet and end well.

Takes the arguments of `ryu-manager` and hands them on, with all of prewire's apps unless some of
them are named. Ryu 4.34 looks for a name that eventlet has since dropped; it is put back before Ryu
is loaded. SIGTERM ends the apps in order, as SIGINT does. This file is for classic Ryu alone: under
os-ken the controller has its own start (`ryu_apps.run`), and nothing here is imported.
"""

import argparse
import importlib
import importlib.util
import signal
import socket
import sys
import warnings
from collections.abc import Sequence

from nib.errors import NibError, NibUnavailable
from ryu_apps.apps import APPS
from ryu_apps.errors import ControllerFailed

_MISSING = "classic Ryu is not installed here; make ryu, or use os-ken instead"


def main(argv: Sequence[str] | None = None) -> int:
    """Run Ryu's manager until it ends.

    Returns 0 after SIGINT or SIGTERM, 1 with one line of reason where it cannot start, 2 where Ryu
    is absent.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not set(APPS) & set(arguments):
        arguments += APPS
    if any(importlib.util.find_spec(name) is None for name in ("ryu", "eventlet")):
        return _complain(_MISSING, 2)
    try:
        _mend_eventlet()
        _end_by_signals()
        manager = importlib.import_module("ryu.cmd.manager")
        _check_free(arguments)
        manager.main(args=arguments, prog="prewire-ryu-manager")
    except NibUnavailable as error:
        return _complain(f"{error}; {error.remedy}", 1)
    except (NibError, ControllerFailed) as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:  # before Ryu's manager waits for it
        return 0
    return 0


def _end_by_signals() -> None:
    """Have SIGINT and SIGTERM interrupt this green thread, in which Ryu's manager waits.

    Python alone would interrupt the one that happens to run, and the manager would wait on.
    """
    greenlet = importlib.import_module("greenlet")
    hubs = importlib.import_module("eventlet.hubs")
    waiting = greenlet.getcurrent()

    def interrupt(_number: int, _frame: object) -> None:
        if greenlet.getcurrent() is waiting:
            raise KeyboardInterrupt
        hubs.get_hub().schedule_call_global(0, waiting.throw, KeyboardInterrupt)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _mend_eventlet() -> None:
    """Make blocking calls cooperative before locks are made, and put back the name Ryu needs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eventlet announces its own end at every start
        importlib.import_module("eventlet").monkey_patch()
        wsgi = importlib.import_module("eventlet.wsgi")
    if not hasattr(wsgi, "ALREADY_HANDLED"):
        wsgi.ALREADY_HANDLED = object()  # type: ignore[attr-defined]


def _check_free(arguments: Sequence[str]) -> None:
    """ControllerFailed where switches could not connect: Ryu would only end one green thread."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--ofp-listen-host", default="")
    parser.add_argument("--ofp-tcp-listen-port", type=int, default=6653)
    given, _ = parser.parse_known_args(arguments)
    host, port = given.ofp_listen_host, given.ofp_tcp_listen_port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ControllerFailed(
                f"--ofp-tcp-listen-port: cannot listen on {host}:{port} ({error.strerror}); "
                "end what uses it, or choose another port"
            ) from None


def _complain(text: str, status: int) -> int:
    print(f"prewire-ryu-manager: {text}", file=sys.stderr)  # noqa: T201
    return status
