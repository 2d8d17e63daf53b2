"""Small disks that can be filled: a tmpfs each. Needs root."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from topologies.processes import run

SIZE: Final = "64m"  # an hour of writes, and what compaction needs beside
_BALLAST: Final = "ballast"
_PIECE: Final = 1 << 16


@contextmanager
def small_disks(directories: Sequence[Path]) -> Iterator[None]:
    """Each directory is made, and is a disk of its own inside the body."""
    with ExitStack() as stack:
        for directory in directories:
            directory.mkdir(parents=True)
            run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "prewire-test", str(directory)])
            stack.callback(run, ["umount", "--lazy", str(directory)])
        yield


def fill(directory: Path) -> None:
    """Not one byte more."""
    with (directory / _BALLAST).open("wb", buffering=0) as ballast:
        size = _PIECE
        while size:
            try:
                ballast.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


def free(directory: Path) -> None:
    """There is space again."""
    (directory / _BALLAST).unlink(missing_ok=True)
