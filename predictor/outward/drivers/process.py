"""Containers that are processes of this machine: for trying things out, and for Mininet.

Each container has a place with its commands. Scaling to n keeps those that run, starts others in
the order of their places, and stops the last first. What runs ends with this process.

Must not know: what the processes do, services, plans.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from predictor.outward.drivers.contract import DriverError, Target

LOG = logging.getLogger(__name__)

_SAID: Final = 300  # characters of what a command said


@dataclass(frozen=True, slots=True)
class Command:
    """One container's place. start: runs as long as the container does. after_start: is run once
    that runs, such as what registers it; before_stop: likewise, such as what drains it."""

    id: str
    start: Sequence[str]
    after_start: Sequence[str] = ()
    before_stop: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: for after_start and before_stop each, and from SIGTERM to SIGKILL."""

    hook_s: float = 20.0
    grace_s: float = 5.0


class ProcessDriver:
    """Containers by the name in the target, each with places in order."""

    def __init__(
        self, commands: Mapping[str, Sequence[Command]], waits: Waits | None = None
    ) -> None:
        used = waits or Waits()
        self._places = {
            name: [_Place(command, used) for command in of] for name, of in commands.items()
        }
        self._stopping: set[asyncio.Task[None]] = set()

    async def scale(self, target: Target, containers: int) -> None:
        """Run so many; returns when they are started. Stopping goes on by itself."""
        places = self._of(target)
        ordered = sorted(places, key=lambda place: place.preference)  # stable: by place
        for place in reversed(ordered[containers:]):
            if place.is_running:
                self._stop(place)
        started = await asyncio.gather(
            *(place.start() for place in ordered[:containers]), return_exceptions=True
        )
        for error in started:
            if isinstance(error, BaseException):
                raise error
        if containers > len(places):
            raise DriverError(
                f"{target} has places for {len(places)} containers, not {containers}",
                "give it more, or lower max_containers",
                passing=False,
            )

    async def release(self, target: Target) -> None:
        """Leave what runs as it is: nobody else minds it."""
        self._of(target)

    async def close(self) -> None:
        """Stop everything."""
        for places in self._places.values():
            for place in reversed(places):
                if place.is_running:
                    self._stop(place)
        await asyncio.gather(*self._stopping)

    def running(self, name: str) -> tuple[str, ...]:
        """The ids of those that run under a name."""
        return tuple(p.command.id for p in self._places.get(name, ()) if p.is_running)

    def _of(self, target: Target) -> list[_Place]:
        places = self._places.get(target.path[0])
        if places is None:
            known = ", ".join(sorted(self._places)) or "none"
            raise DriverError(f"{target} has no commands", f"there are: {known}", passing=False)
        return places

    def _stop(self, place: _Place) -> None:
        place.is_stopping = True
        task = asyncio.create_task(place.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


class _Place:
    def __init__(self, command: Command, waits: Waits) -> None:
        self.command = command
        self._waits = waits
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self.is_stopping = False

    @property
    def is_running(self) -> bool:
        return self._lives() and not self.is_stopping

    @property
    def preference(self) -> int:
        """What to have run first: what runs, then what is free at once, then what still stops."""
        return 0 if self.is_running else 2 if self.is_stopping else 1

    async def start(self) -> None:
        """Run it; DriverError where it cannot be, or what is to be run after it fails."""
        async with self._lock:
            if self._lives():
                return
            if self._process is not None:
                LOG.warning("%s ended with %s", self.command.id, self._process.returncode)
            self._process = await self._spawn(self.command.start)
            if self.command.after_start:
                try:
                    await self._run(self.command.after_start)
                except BaseException:
                    await self._end(self._process)
                    raise

    async def stop(self) -> None:
        """End it: first gently, then not. What is to be run before may fail, and is logged.

        `is_stopping` is set before, at once: it counts as running no more.
        """
        try:
            async with self._lock:
                if self._process is None or not self._lives():
                    return
                if self.command.before_stop:
                    try:
                        await self._run(self.command.before_stop)
                    except DriverError as error:
                        LOG.warning("%s", error)
                await self._end(self._process)
        finally:
            self.is_stopping = False

    def _lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _spawn(
        self, argv: Sequence[str], output: int = asyncio.subprocess.DEVNULL
    ) -> asyncio.subprocess.Process:
        environment = os.environ | dict(self.command.environment)
        if shutil.which(argv[0], path=environment.get("PATH")) is None:
            raise self._wrong(argv, "not found, or not executable")
        try:
            return await asyncio.create_subprocess_exec(
                *_tied(),
                *argv,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT if output == asyncio.subprocess.PIPE else None,
                start_new_session=True,
            )
        except OSError as error:
            raise self._wrong(argv, error.strerror or str(error)) from None

    def _wrong(self, argv: Sequence[str], why: str) -> DriverError:
        said = f"container {self.command.id}: {argv[0]}: {why}"
        return DriverError(said, "correct its commands", passing=False)

    async def _run(self, argv: Sequence[str]) -> None:
        process = await self._spawn(argv, asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(self._waits.hook_s):
                said, _ = await process.communicate()
        except TimeoutError:
            raise DriverError(
                f"container {self.command.id}: {' '.join(argv)} took longer than "
                f"{self._waits.hook_s:g} s",
                "it is tried again",
                passing=True,
            ) from None
        finally:
            await self._end(process)
        if process.returncode:
            text = said.decode("utf-8", "replace").strip()[-_SAID:]
            raise DriverError(
                f"container {self.command.id}: {' '.join(argv)} ended with "
                f"{process.returncode}: {text}",
                "it is tried again",
                passing=True,
            )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End a process and its children."""
        if process.returncode is None:
            _signal(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._waits.grace_s):
                    await process.wait()
        _signal(process.pid, signal.SIGKILL)  # and what of its group is left
        await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _tied() -> list[str]:
    """What to put before a command so that it ends with this process (util-linux's setpriv)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
