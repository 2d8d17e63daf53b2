"""Predictors as processes, and the page of metrics that they read: real ones, over loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx

from prewire.settings import Settings
from tests.places import free_ports
from tests.waiting import until

Load = Callable[[float], float]  # concurrent requests, by the time in seconds since 1970

SLOW_S: Final = 12.0  # longer than a predictor waits for a page


@dataclass
class Page:
    """What the controller says. how: "live", "away" (503), "garbage", or "slow"."""

    loads: dict[str, Load]
    how: str = "live"
    reads: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    _began: float = field(default_factory=time.time)
    _counted: dict[str, float] = field(default_factory=dict)
    _at: float = field(default_factory=time.time)

    def start_again(self) -> None:
        """The controller starts again: its counters begin at 0."""
        self._counted.clear()

    def text(self) -> str:
        """The page as it is now; connections last a second."""
        now = time.time()
        past, self._at = now - self._at, now
        lines = [f'prewire_service_panic{{service="{name}"}} 0\n' for name in self.loads]
        for name, load in self.loads.items():
            inflight = load(now)
            self._counted[name] = self._counted.get(name, 0.0) + inflight * past
            labels = f'service="{name}",container="c1"'
            lines.append(f"prewire_container_inflight{{{labels}}} {inflight}\n")
            lines.append(
                f"prewire_container_new_connections_total{{{labels}}} {int(self._counted[name])}\n"
            )
        return "".join(lines)


@contextmanager
def page_server(page: Page) -> Iterator[str]:
    """The URL of a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page.reads += 1
            if page.how == "slow":
                page.ended.wait(SLOW_S)
            body = "\x00{{{ no metrics" if page.how == "garbage" else page.text()
            with suppress(OSError):
                self.send_response(503 if page.how == "away" else 200)
                self.end_headers()
                self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/metrics"
    finally:
        page.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Running:
    """A predictor that runs."""

    name: str
    process: subprocess.Popen[bytes]
    metrics_url: str
    log: Path

    def figure(self, metric: str) -> float | None:
        """One of its metrics; None where it has none yet, or does not answer."""
        try:
            text = httpx.get(self.metrics_url, timeout=2).text
        except httpx.HTTPError:
            return None
        found = [line for line in text.splitlines() if line.startswith(metric + " ")]
        return float(found[0].rsplit(" ", 1)[1]) if found else None

    def kill(self) -> None:
        """As a crash."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def end(self) -> float:
        """In order; seconds that it took."""
        began = time.monotonic()
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log.read_text()
        return time.monotonic() - began


@contextmanager
def predictor(
    nib: str, url: str, state_dir: Path, name: str = "", **settings: Any
) -> Iterator[Running]:
    """`prewire predictor`, begun; it is killed at the end if it still runs."""
    ports = free_ports("predictor_port", "predictor_metrics_port")
    given: dict[str, Any] = {"nib": nib, "scrape": url, "state_dir": state_dir}
    given |= {"predictor_name": name, "predictor_tick_ms": 500}
    wanted = Settings(**(given | ports | settings))
    log = state_dir / f"log-{name or 'predictor'}"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "prewire", "predictor"],
            env=os.environ | wanted.environment | {"OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=out,
        )
    metrics = f"http://127.0.0.1:{wanted.predictor_metrics_port}/metrics"
    running = Running(name, process, metrics, log)
    try:
        until(lambda: running.figure("prewire_predictor_shards"), _is_known, f"{name} begins")
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(60)


def _is_known(value: float | None) -> bool:
    return value is not None
