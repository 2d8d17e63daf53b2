"""One function over many items in parallel: in local processes, or on a Dask cluster.

Refits, back-tests and replays are such functions: they get all they need as arguments and give
back values, so it does not matter where they run.

Must not know: what is computed.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class PoolError(Exception):
    """Nothing can be computed there; the text says why and what to do."""


class Pool(Protocol):
    """Where functions run."""

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> list[B]:
        """What the function gives for each item, in their order.

        The function has a name in a module, items and results can be pickled; an exception of the
        function comes out. Raises PoolError where workers are lost.
        """
        ...


@contextmanager
def pool(
    address: str | None = None, workers: int | None = None, *, reach_s: float = 10.0
) -> Iterator[Pool]:
    """Local processes (workers: how many, None: one a core, 0: none, but this process), or the Dask
    cluster whose scheduler has this address, as in tcp://10.0.0.5:8786, and is reached within
    reach_s. Raises PoolError."""
    if address:
        with _cluster(address, reach_s) as cluster:
            yield cluster
    elif workers == 0:
        yield _Here()
    else:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context)
        try:
            yield _Local(executor)
        finally:
            executor.shutdown(cancel_futures=True)


class _Here:
    def map(self, function: Callable[[A], B], items: Iterable[A]) -> list[B]:
        return [function(item) for item in items]


class _Local:
    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> list[B]:
        try:
            return list(self._executor.map(function, items))
        except BrokenProcessPool:
            raise PoolError(
                "a local process died (killed, or out of memory); use fewer workers, or less data"
            ) from None


class _Dask:
    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> list[B]:
        from distributed import KilledWorker  # noqa: PLC0415 - optional
        from distributed.client import FutureCancelledError  # noqa: PLC0415

        if not self._client.scheduler_info()["workers"]:
            raise PoolError(f"{self._address} has no workers; start `dask worker {self._address}`")
        try:
            futures = self._client.map(function, list(items), pure=False)
            results: list[B] = self._client.gather(futures)
        except (KilledWorker, FutureCancelledError, OSError, TimeoutError) as error:
            raise PoolError(
                f"{self._address} lost the work ({type(error).__name__}); see its workers' logs"
            ) from None
        return results


@contextmanager
def _cluster(address: str, reach_s: float) -> Iterator[Pool]:
    """The cluster of a scheduler."""
    try:
        from distributed import Client  # noqa: PLC0415 - optional
    except ImportError:
        raise PoolError(
            "Dask is not installed: pip install 'prewire[cluster]', or give no address"
        ) from None
    try:
        client = Client(address, timeout=reach_s, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise PoolError(
            f"{address} cannot be reached ({error}); start `dask scheduler`, or correct the address"
        ) from None
    try:
        yield _Dask(client, address)
    finally:
        client.close()
