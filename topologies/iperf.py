"""Loads by iperf3 between hosts of a running network: what was sent, and what came, over time.

Rates of UDP are bits a second of whole Ethernet frames (no preamble, no checksum), as meters and
queues count them; those of TCP are goodput, without any header. Times are `time.monotonic`.

Bounded: a load lasts at most 60 seconds. It knows nothing of what is between the hosts.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Final

from topologies.errors import NetworkError
from topologies.hosts import Hosts

PORT: Final = 5201
SIZE: Final = 1400  # bytes of payload in a datagram
MAX_SECONDS: Final = 60.0

_ETHERNET: Final = 14
_UDP: Final = 8
_IPV4: Final = 20
_IPV6: Final = 40
_INTERVAL_S: Final = 0.25
_START_S: Final = 10.0
_REPORT: Final = b"Server JSON output:"
_REST_S: Final = 30.0  # beyond the load itself, for what iperf3 tells its other end by TCP


@dataclass(frozen=True, slots=True)
class Flow:
    """What came of a load. received: (from, until, bits a second) as the receiving end counted."""

    received: tuple[tuple[float, float, float], ...]

    @property
    def began(self) -> float:
        """When the first was received."""
        return self.received[0][0]

    @property
    def ended(self) -> float:
        """When the last was received."""
        return self.received[-1][1]

    def rate(self, begin: float, end: float) -> float:
        """Bits a second received in this time; NetworkError where nothing was counted in it."""
        inside = [each for each in self.received if begin <= each[0] < each[1] <= end]
        if not inside:
            raise NetworkError("iperf3 counted nothing in the time that is asked for")
        return sum((b - a) * bps for a, b, bps in inside) / sum(b - a for a, b, _ in inside)

    def steady(self, after_s: float) -> float:
        """Bits a second received from so long after the beginning."""
        return self.rate(self.began + after_s, self.ended + _INTERVAL_S)


class Load:
    """A load under way; `flow` is there when it has ended."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        printed: IO[bytes],
        seconds: float,
        per_payload: float,
    ) -> None:
        self._process = process
        self._printed = printed
        self._seconds = seconds
        self._per_payload = per_payload
        self._began: float | None = None
        self._lines: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def flow(self) -> Flow:
        """Wait for its end. NetworkError where iperf3 failed."""
        self._reader.join(self._seconds + _REST_S)
        if self._reader.is_alive():
            self.stop()
            raise NetworkError(f"iperf3 did not end within {_REST_S:g} s of its load")
        said = b"".join(self._lines)
        _, _, report = said.partition(_REPORT)
        if self._process.wait() or self._began is None or not report:
            raise NetworkError(f"iperf3: {said.decode(errors='replace').strip()[-300:]}")
        intervals = json.JSONDecoder().raw_decode(report.decode().strip())[0]["intervals"]
        return Flow(tuple(self._received(each["sum"]) for each in intervals))

    def _received(self, counted: dict[str, float]) -> tuple[float, float, float]:
        began = self._began or 0.0
        bps = counted["bits_per_second"] * self._per_payload
        return began + counted["start"], began + counted["end"], bps

    def stop(self) -> None:
        """End it now, whatever became of it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _read(self) -> None:
        """Take what is printed as it comes: the beginning is when it says that it is connected.

        That may be long after the command: what it asks first may be lost, and asked again.
        """
        with self._printed:
            for line in self._printed:
                if self._began is None and b"connected to" in line:
                    self._began = time.monotonic()
                self._lines.append(line)


@contextmanager
def serving(net: Hosts, host: str, *ports: int) -> Iterator[None]:
    """iperf3 listens in the host inside the body; each port takes one load at a time."""
    if shutil.which("iperf3") is None:
        raise NetworkError("iperf3 is not installed: apt-get install iperf3")
    with ExitStack() as stack:
        for port in ports or (PORT,):
            argv = ["iperf3", "-s", "-J", "-i", str(_INTERVAL_S), "-p", str(port)]
            process = net.popen(host, argv)
            stack.callback(_kill, process)
            _await_listening(net, host, port)
        yield


def start_udp(
    net: Hosts,
    host: str,
    to: str,
    bps: float,
    seconds: float,
    *,
    port: int = PORT,
    size: int = SIZE,
) -> Load:
    """Datagrams from `host` to an address, so many bits of frames a second."""
    frame = size + _UDP + (_IPV6 if ":" in to else _IPV4) + _ETHERNET
    payload_bps = round(bps * size / frame)
    options = ["-u", "-b", str(payload_bps), "-l", str(size)]
    return _start(net, host, [to, "-p", str(port), *options], seconds, frame / size)


def start_tcp(
    net: Hosts, host: str, to: str, seconds: float, *, port: int = PORT, streams: int = 1
) -> Load:
    """As much as TCP sends, by one connection or several."""
    return _start(net, host, [to, "-p", str(port), "-P", str(streams)], seconds, 1.0)


def _start(net: Hosts, host: str, what: list[str], seconds: float, per_payload: float) -> Load:
    if not 0 < seconds <= MAX_SECONDS:
        raise NetworkError(f"a load of {seconds:g} s is not between 0 and {MAX_SECONDS:g} s")
    argv = ["iperf3", "--get-server-output", "--forceflush", "--connect-timeout", "5000"]
    argv += ["-t", f"{seconds:g}", "-i", str(_INTERVAL_S), "-c", *what]
    process = net.popen(host, argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    return Load(process, process.stdout, seconds, per_payload)


def _await_listening(net: Hosts, host: str, port: int) -> None:
    deadline = time.monotonic() + _START_S
    while not net.run(host, ["ss", "-Htln", f"sport = :{port}"]).stdout.strip():
        if time.monotonic() > deadline:
            raise NetworkError(f"iperf3 does not listen on port {port} of {host}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
