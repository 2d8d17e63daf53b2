"""Has drivers do what plans say: the last word of each service, tried until it is done.

Owns: one task a service, retries with growing pauses, renewing what was done, and telling outcomes.
Must not know: any platform, plans, the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from nib.errors import FieldError
from predictor.outward.drivers.contract import Driver, DriverError, Target, parse_target

LOG = logging.getLogger(__name__)

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between tries: doubled from first_s to most_s. renew_s: after which what was done, or
    cannot be done, is tried again. patience_s: how long one try may take."""

    first_s: float = 0.5
    most_s: float = 30.0
    renew_s: float = 15.0
    patience_s: float = 30.0

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row."""
        return float(min(self.most_s, self.first_s * 2 ** min(failures - 1, 30)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a wish. containers: None = control was to be given back; error: None = done;
    tries: how many there were so far."""

    service: str
    target: str
    containers: int | None
    error: str | None
    tries: int


@dataclass(eq=False, slots=True)
class _Wish:
    target: Target
    containers: int | None


@dataclass(eq=False, slots=True)
class _Minded:
    wish: _Wish
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Dispatcher:
    """Used from the event loop that it was made in.

    drivers: by kind of target. done: told of each failure, and of each success that is news.
    carried_out: how many containers were asked for last, by service whose control was not given
    back since.
    """

    def __init__(
        self,
        drivers: Mapping[str, Driver],
        done: Callable[[Outcome], object],
        pauses: Pauses | None = None,
    ) -> None:
        self._failing: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self.carried_out: dict[str, int] = {}
        self._drivers = drivers
        self._done = done
        self._pauses = pauses or Pauses()
        self._minded: dict[str, _Minded] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)

    def want(self, service: str, target: str, containers: int) -> None:
        """Have so many containers from now on. Free where that is the last word already.

        A target that is none, or that this process has no driver for, is a problem of the service.
        """
        try:
            parsed = self._driven(target)
        except FieldError as error:
            self._give_back(service)
            self._refuse(Outcome(service, target, containers, str(error), 0))
            return
        self._refused.pop(service, None)
        known = self._minded.get(service)
        if known is not None and known.wish.target != parsed:
            self._wish(f"{service} at {known.wish.target}", _Wish(known.wish.target, None))
        self._wish(service, _Wish(parsed, containers))

    def release(self, service: str) -> None:
        """Give control back; nothing where it was never taken."""
        self._refused.pop(service, None)
        self._give_back(service)

    def forget(self, service: str) -> None:
        """Another predictor minds the service now: stop, and give nothing back."""
        minded = self._minded.pop(service, None)
        if minded is not None and minded.task is not None:
            minded.task.cancel()
        for known in (self._refused, self._failing, self.carried_out):
            known.pop(service, None)

    @property
    def problems(self) -> dict[str, str]:
        """What stands in the way, by service."""
        return self._failing | self._refused

    async def close(self) -> None:
        """Stop trying, and close the drivers. Control is not given back."""
        tasks = [minded.task for minded in self._minded.values() if minded.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(driver.close() for driver in self._drivers.values()))

    def _driven(self, target: str) -> Target:
        parsed = parse_target(target)
        if parsed.kind not in self._drivers:
            there = ", ".join(sorted(self._drivers)) or "none"
            said = f"there is no driver for {target}"
            raise FieldError("target", said, f"use one that the predictor has: {there}")
        return parsed

    def _give_back(self, service: str) -> None:
        known = self._minded.get(service)
        if known is not None:
            self._wish(service, _Wish(known.wish.target, None))

    def _refuse(self, outcome: Outcome) -> None:
        text = outcome.error or ""
        if self._refused.get(outcome.service) != text:
            self._refused[outcome.service] = text
            self._report(outcome)

    def _wish(self, service: str, wish: _Wish) -> None:
        minded = self._minded.get(service)
        if minded is None:
            minded = self._minded[service] = _Minded(wish)
            minded.task = asyncio.create_task(self._mind(service, minded))
        elif (minded.wish.target, minded.wish.containers) != (wish.target, wish.containers):
            minded.wish = wish
            minded.changed.set()

    async def _mind(self, service: str, minded: _Minded) -> None:
        told: _Wish | None = None
        failures = 0
        while True:
            minded.changed.clear()
            wish = minded.wish
            error = await self._try(wish)
            failures = 0 if error is None else failures + 1
            if error is not None or told is not wish:
                self._tell(service, wish, error, failures)
            told = wish if error is None else None
            if error is None and wish.containers is None and minded.wish is wish:
                self._minded.pop(service, None)
                return
            await self._pause(minded, error, failures)
            if minded.wish is not wish:
                failures = 0

    async def _try(self, wish: _Wish) -> DriverError | None:
        driver = self._drivers[wish.target.kind]
        try:
            async with self._places, asyncio.timeout(self._pauses.patience_s):
                if wish.containers is None:
                    await driver.release(wish.target)
                else:
                    await driver.scale(wish.target, wish.containers)
        except DriverError as error:
            return error
        except TimeoutError:
            said = f"{wish.target} took longer than {self._pauses.patience_s:g} s"
            return DriverError(said, "it is tried again", passing=True)
        except Exception as error:
            LOG.exception("the driver of %s failed", wish.target)
            return DriverError(f"{wish.target}: {error!r}", "report this", passing=True)
        return None

    def _tell(self, service: str, wish: _Wish, error: DriverError | None, failures: int) -> None:
        text = None if error is None else str(error)
        tries = failures if error is not None else failures + 1
        self._report(Outcome(service, str(wish.target), wish.containers, text, tries))

    def _report(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self._failing.pop(outcome.service, None)
            if outcome.containers is None:
                self.carried_out.pop(outcome.service, None)
            else:
                self.carried_out[outcome.service] = outcome.containers
        else:
            if outcome.service not in self._refused:
                self._failing[outcome.service] = outcome.error
            LOG.warning("service %s: %s", outcome.service, outcome.error)
        try:
            self._done(outcome)
        except Exception:  # the caller's failure is not the service's
            LOG.exception("the outcome for service %s was not taken", outcome.service)

    async def _pause(self, minded: _Minded, error: DriverError | None, failures: int) -> None:
        passing = error is not None and error.passing
        seconds = self._pauses.after(failures) if passing else self._pauses.renew_s
        try:
            async with asyncio.timeout(seconds):
                await minded.changed.wait()
        except TimeoutError:
            return
