"""Ends the server of a cluster's member that has failed for good, or is about to, so that it is
started anew.

A member whose disk is full cannot write its log. It then is out of its cluster until it is started
again, also when there is room again, or, worse, goes on with a gap in its file, which it refuses to
read when it is started (Open vSwitch 3.1). Whoever keeps it running (systemd, Kubernetes) sees
nothing of that. So `prewire db serve` begins only where there is room, and has this beside it:
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
from nib.errors import NibError, ServerError

LEAST_ROOM: Final = 8 << 20
"""Bytes that a member's disk has to have left."""

PACE_SECONDS: Final = 5.0
ROOM_PACE_SECONDS: Final = 0.2  # a disk may fill up quickly, and every write counts then
_FAILED: Final = "failed"
_LEAVING: Final = frozenset({"leaving cluster", "left cluster"})
_LOG: Final = logging.getLogger(__name__)


def check_room(directory: Path) -> None:
    """ServerError where less than LEAST_ROOM is left for a member's file."""
    disk = os.statvfs(directory)
    left = disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)
    if left < LEAST_ROOM:
        raise ServerError(
            f"the disk of {directory} has {left >> 10} KiB left, and a member that cannot write "
            "breaks its file",
            f"make room there: {LEAST_ROOM >> 20} MiB at least",
        )


def watched(control: Path, pace_s: float = PACE_SECONDS) -> Iterator[bool]:
    """Whether the member has failed, every so often; ends when it leaves its cluster or is gone.

    A server that does not answer may be busy: that is no failure. One that was a member and knows
    of no cluster any more has failed, unless it was leaving. Raises ServerError when its disk has
    hardly any room left.
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
        _rest(control, pace_s)


def _rest(control: Path, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while control.exists() and time.monotonic() < until_s:
        check_room(control.parent)
        time.sleep(min(seconds, ROOM_PACE_SECONDS))


def main(argv: list[str]) -> int:
    """The command."""
    control, pid = Path(argv[0]), int(argv[1])
    while not control.exists() and os.getppid() == pid:  # it has just begun
        time.sleep(ROOM_PACE_SECONDS)
    try:
        why = "it could not write and is out of its cluster" if any(watched(control)) else ""
    except ServerError as error:
        why = str(error)
    if not why or os.getppid() != pid:  # it has ended: its number may be another's by now
        return 0
    _LOG.error(
        "ending the member of %s, to be started anew: %s; look at its log and its disk",
        control.parent,
        why,
    )
    os.kill(pid, signal.SIGTERM)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
