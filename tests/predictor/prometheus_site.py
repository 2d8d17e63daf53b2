"""A real Prometheus with weeks of a controller's metrics in it, and servers that misbehave."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.needs import need
from tests.waiting import until

DAYS: Final = 15
END_S: Final = 1_700_000_040  # a whole minute
SERVICES: Final = {"web": 2, "db": 6, "rare": 0}  # connections a second


def inflight(service: str, minute: int) -> float:
    """What two containers of a service have in flight together."""
    return float(2 * (SERVICES[service] + minute % 10))


@dataclass(frozen=True)
class Running:
    """A server."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def prometheus(
    directory: Path, configuration: str = "", flags: Sequence[str] = ()
) -> Iterator[Running]:
    """A server of its own on loopback; its data are in this directory."""
    _need_prometheus()
    config = directory / "prometheus.yml"
    config.write_text(configuration or "global: {scrape_interval: 1s}\n")
    url = f"http://127.0.0.1:{free_port()}"
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("prometheus", f"--config.file={config}"),
                f"--storage.tsdb.path={directory / 'data'}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address={urlsplit(url).netloc}",
                *flags,
            ],
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: answers(f"{url}/-/ready"), bool, "Prometheus is ready", 60)
        yield Running(url, process)
    finally:
        process.kill()
        process.wait()


def fill(directory: Path) -> None:
    """Put 15 days of minutes into a server's data before it starts."""
    _need_prometheus()
    samples = directory / "samples"
    samples.write_text("\n".join([*_samples(), "# EOF\n"]))
    shutil.rmtree(directory / "data", ignore_errors=True)
    subprocess.run(
        [
            *("promtool", "tsdb", "create-blocks-from", "--quiet", "--max-block-duration=2000h"),
            *("openmetrics", samples, directory / "data"),
        ],
        check=True,
        capture_output=True,
        timeout=100,
    )


def _need_prometheus() -> None:
    there = shutil.which("prometheus") and shutil.which("promtool")
    need(bool(there), "Prometheus is not installed (apt-get install prometheus)")


def _samples() -> Iterator[str]:
    times = range(END_S - DAYS * 86_400, END_S + 1, 60)
    name = "prewire_container_new_connections"
    yield f"# TYPE {name} counter"
    for service, rate in SERVICES.items():
        for container in ("c1", "c2"):
            labels = f'{{service="{service}",container="{container}"}}'
            for minute, at in enumerate(times):
                # every three days the controller starts again
                yield f"{name}_total{labels} {minute % 4320 * 30 * rate} {at}"
    name = "prewire_container_inflight"
    yield f"# TYPE {name} gauge"
    for service in SERVICES:
        for container in ("c1", "c2"):
            labels = f'{{service="{service}",container="{container}"}}'
            for minute, at in enumerate(times):
                yield f"{name}{labels} {inflight(service, minute) / 2} {at}"
    name = "prewire_policy_offered_bytes"
    yield f"# TYPE {name} counter"
    for switch in (1, 2):
        for minute, at in enumerate(times):
            yield f'{name}_total{{policy="p",switch="{switch}"}} {minute * 60_000} {at}'


@dataclass
class Odd:
    """A server that answers as it is told: a status and body, or None for never."""

    url: str
    asked: list[dict[str, str]]


@contextmanager
def odd_server(*answers: tuple[int, bytes] | None, most_steps: int = 10**9) -> Iterator[Odd]:
    """These answers in turn, then no series; and none, ever, to a question of more steps."""
    asked: list[dict[str, str]] = []
    left, over = list(answers), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fields = {key: each[0] for key, each in parse_qs(urlsplit(self.path).query).items()}
            asked.append(fields)
            steps = (float(fields["end"]) - float(fields["start"])) / float(fields["step"]) + 1
            answer = left.pop(0) if left else (200, nothing())
            if answer is None or steps > most_steps:
                over.wait(30)
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Odd(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def nothing() -> bytes:
    """What Prometheus answers where it has no such series."""
    return json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": []}}
    ).encode()


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def answers(url: str) -> bool:
    """Whether there is a good answer."""
    try:
        return httpx.get(url, timeout=1).is_success
    except httpx.HTTPError:
        return False
