"""Huge pages of memory for a DPDK switch, reserved for a while and given back.

Who reserved how many is in a file, so that pages of a killed run are given back by the next one.

It knows nothing of Open vSwitch.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from topologies import processes
from topologies.errors import NetworkError
from topologies.processes import ProcessId

_RESERVED: Final = Path("/proc/sys/vm/nr_hugepages")
_MEMORY: Final = Path("/proc/meminfo")
_JOURNAL: Final = Path("/run/prewire/hugepages")


class NoHugepages(NetworkError):
    """The kernel reserves no huge pages, or not enough; the text says why."""


@contextmanager
def reserved(mebibytes: int) -> Iterator[None]:
    """So much memory in huge pages is free at the beginning of the body.

    Raises NoHugepages: no root, a kernel without them, or not enough memory in one piece.
    """
    with _journal() as journal:
        _give_back(journal)
        added = _reserve(mebibytes)
        own = f"{_show(os.getpid())} {added}"
        journal.write(f"{own}\n")
    try:
        yield
    finally:
        with _journal() as journal:
            lines = journal.read().splitlines()
            lines.remove(own)
            _set(max(0, _count() - added))
            _rewrite(journal, lines)


def held() -> int:
    """How many of the kernel's huge pages are here for bodies of `reserved`, of any process."""
    with _journal() as journal:
        return sum(_pages(line) for line in journal.read().splitlines())


def _reserve(mebibytes: int) -> int:
    """How many pages were added to those that the kernel had."""
    facts = _facts()
    if not _RESERVED.exists() or not facts.get("Hugepagesize"):
        raise NoHugepages("this kernel has no huge pages, which DPDK needs")
    wanted = -(-mebibytes * 1024 // facts["Hugepagesize"])
    before = _count()
    missing = max(0, wanted - facts["HugePages_Free"])
    if not missing:
        return 0
    if missing * facts["Hugepagesize"] > facts["MemAvailable"]:
        raise NoHugepages(
            f"{mebibytes} MiB in huge pages for DPDK are more than the"
            f" {facts['MemAvailable'] // 1024} MiB of memory that are free"
        )
    _set(before + missing)
    added = _count() - before
    if added < missing:
        _set(before)
        raise NoHugepages(
            f"the kernel reserves {added} of {missing} huge pages of"
            f" {facts['Hugepagesize']} KiB, which DPDK needs: no memory in one piece;"
            f" reserve them at boot (hugepages={wanted})"
        )
    return added


def _give_back(journal: IO[str]) -> None:
    """What runs that were killed had reserved."""
    lines = journal.read().splitlines()
    left = [line for line in lines if not _is_alive(line)]
    if left:
        _set(max(0, _count() - sum(map(_pages, left))))
        _rewrite(journal, [line for line in lines if line not in left])


def _show(pid: int) -> str:
    own = processes.identity(pid)
    return f"{pid} {own.started if own else 0}"


def _is_alive(line: str) -> bool:
    pid, started, _ = map(int, line.split())
    return processes.is_alive(ProcessId(pid, started))


def _pages(line: str) -> int:
    return int(line.split()[2])


def _facts() -> dict[str, int]:
    """The kernel's figures by name, in pages or KiB: proc_meminfo(5)."""
    lines = (line.replace(":", " ").split() for line in _MEMORY.read_text().splitlines())
    return {name: int(value) for name, value, *_ in lines}


def _count() -> int:
    return int(_RESERVED.read_text())


def _set(pages: int) -> None:
    try:
        _RESERVED.write_text(f"{pages}\n")
    except OSError as error:
        raise NoHugepages(f"cannot reserve huge pages for DPDK: {error.strerror}") from None


@contextmanager
def _journal() -> Iterator[IO[str]]:
    """The file, read from its beginning and appended to; no other process has it meanwhile."""
    _JOURNAL.parent.mkdir(parents=True, exist_ok=True)
    with _JOURNAL.open("a+") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        journal.seek(0)
        yield journal


def _rewrite(journal: IO[str], lines: list[str]) -> None:
    journal.truncate(0)
    journal.writelines(f"{line}\n" for line in lines)
