"""Containers of differing speed, and the reports of what they have in hand.

Owns starting `in_host/worker.py` in the containers, and posting the numbers that they print to
prewire: a container's namespace does not reach the REST server, so this process does it for them.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.load.in_host.worker import REPORT_SECONDS
from benchmarks.sites.api import Api
from benchmarks.sites.site import Site
from benchmarks.sites.whole import api_of

PORT: Final = 9090
_PROGRAM: Final = Path(__file__).parent / "in_host" / "worker.py"


class Workers:
    """What runs; inflight: the last number that each container printed."""

    def __init__(self, names: Mapping[str, float]) -> None:
        self.inflight = dict.fromkeys(names, 0)
        self.reports = 0
        self.failure: BenchmarkFailed | None = None
        self._stopped = threading.Event()

    def listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """For the starter: take this container's numbers until it ends."""
        assert process.stdout is not None  # noqa: S101 - asked for by the starter
        for line in process.stdout:
            self.inflight[name] = int(line)

    def report(self, api: Api) -> None:
        """For the starter: post the numbers every 50 ms until stopped, or until one is refused."""
        while not self._stopped.wait(REPORT_SECONDS):
            reports = [
                {"service": "web", "container": name, "inflight": number}
                for name, number in self.inflight.items()
            ]
            try:
                api.report(reports)
            except BenchmarkFailed as failure:
                self.failure = failure
                return
            self.reports += len(reports)

    def stop(self) -> None:
        """End the reports."""
        self._stopped.set()


@contextmanager
def running_workers(site: Site, service_ms: Mapping[str, float], limit: int) -> Iterator[Workers]:
    """A worker in each of these containers, by service time, and reports of all of them.

    Raises BenchmarkFailed at the end where a report was refused.
    """
    workers = Workers(service_ms)
    api = api_of(site.settings)
    with ExitStack() as stack:
        stack.callback(api.close)
        for name, milliseconds in service_ms.items():
            process = _start(site, name, milliseconds, limit)
            reader = threading.Thread(target=workers.listen, args=(name, process))
            reader.start()
            stack.callback(reader.join)
            stack.callback(process.kill)
        reporter = threading.Thread(target=workers.report, args=(api,))
        reporter.start()
        stack.callback(reporter.join)
        stack.callback(workers.stop)
        yield workers
    if workers.failure is not None:
        raise workers.failure


def _start(site: Site, name: str, service_ms: float, limit: int) -> subprocess.Popen[bytes]:
    address = site.net.spec.host(name).address
    argv = [sys.executable, str(_PROGRAM), address, str(PORT), str(service_ms), str(limit)]
    process = site.net.popen(name, argv, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - asked for above
    if not process.stdout.readline():
        raise BenchmarkFailed(f"the worker of {name} does not start")
    return process
