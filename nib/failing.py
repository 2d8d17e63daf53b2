"""Ends the server of a cluster's member that has failed for good, so that it is started anew.

A member that could not write its log (its disk was full) is out of its cluster until it is started
again, also when there is room again: ovsdb-server goes on running and answers nobody. Whoever keeps
it running (systemd, Kubernetes) sees nothing of that. So `prewire db serve` has this beside it:
`python -m nib.failing CONTROL PID`, the server's child, which ends with it.

Must not know: who starts it again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nib import raft
from nib.errors import NibError

PACE_SECONDS: Final = 5.0
_FAILED: Final = "failed"
_LEAVING: Final = frozenset({"leaving cluster", "left cluster"})
_LOG: Final = logging.getLogger(__name__)


def watched(control: Path, pace_s: float = PACE_SECONDS) -> Iterator[bool]:
    """Whether the member has failed, every so often; ends when it leaves its cluster or is gone.

    A server that does not answer may be busy: that is no failure. One that was a member and knows
    of no cluster any more has failed, unless it was leaving.
    """
    was_member = False
    while control.exists():
        try:
            state = raft.status(control).state
        except raft.NoMember:
            yield was_member
        except NibError as error:
            _LOG.debug("%s", error)
        else:
            if state in _LEAVING:
                return
            was_member = True
            yield state == _FAILED
        time.sleep(pace_s)


def main(argv: list[str]) -> int:
    """The command."""
    control, pid = Path(argv[0]), int(argv[1])
    while not control.exists() and os.getppid() == pid:  # it has just begun
        time.sleep(PACE_SECONDS / 10)
    for failed in watched(control):
        if os.getppid() != pid:  # it has ended: its number may be another's by now
            return 0
        if failed:
            _LOG.error(
                "the member of %s could not write and is out of its cluster: ending it, to be "
                "started anew; see its log, and whether its disk is full",
                control.parent,
            )
            os.kill(pid, signal.SIGTERM)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
