"""How much the userspace datapath of this host may have waiting in the kernel's queues, all ports
together.

ovs-vswitchd sends to every device through one packet socket (AF_PACKET). A packet that waits in a
queue counts against that socket's send buffer; once it is full, packets of every class and port are
dropped before any queue sees them. The usual 208 KiB are some ninety packets: one class that
overloads one port takes all of it. ovs-vswitchd has no setting for it, so that it is enlarged from
outside (pidfd_getfd(2), Linux 5.6, root), or by net.core.wmem_default before ovs-vswitchd starts.

Must not know: queues, ports.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PACKET_BYTES: Final = 2304  # that a full frame counts for
ENOUGH_BYTES: Final = 16 << 20
USUAL_BYTES: Final = 212_992

_PIDFD_GETFD: Final = 438  # the same number on every architecture
_SO_SNDBUFFORCE: Final = 32


def enlarge(pid: int) -> int | None:
    """The send buffer of that ovs-vswitchd in bytes, ENOUGH_BYTES where it could be enlarged.

    None: it has no such socket, for it has sent nothing yet. Raises OSError: it cannot be reached.
    """
    sizes = []
    for descriptor in _descriptors(pid):
        try:
            with _borrowed(pid, descriptor) as theirs:
                # the others receive, each from a device that it is bound to
                if theirs.family == socket.AF_PACKET and not theirs.getsockname()[0]:
                    sizes.append(_enlarged(theirs))
        except OSError as error:
            if error.errno != errno.EBADF:  # closed since
                raise
    return min(sizes, default=None)


def _enlarged(theirs: socket.socket) -> int:
    if _size(theirs) < ENOUGH_BYTES:
        # the kernel doubles what it is given
        theirs.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, ENOUGH_BYTES // 2)
    return _size(theirs)


def _size(theirs: socket.socket) -> int:
    return theirs.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def _descriptors(pid: int) -> list[int]:
    """Its sockets."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith("socket:"):
                found.append(int(link.name))
        except FileNotFoundError:  # closed since
            continue
    return found


@contextmanager
def _borrowed(pid: int, descriptor: int) -> Iterator[socket.socket]:
    """A socket of another process, as long as it is used here."""
    process = os.pidfd_open(pid)
    try:
        ours = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, descriptor, 0)
        if ours < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(process)
    with socket.socket(fileno=ours) as borrowed:
        yield borrowed
