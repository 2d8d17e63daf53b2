"""What loads and probes say of what they saw."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.places import free_ports
from topologies import probe
from topologies.errors import NetworkError
from topologies.iperf import Flow

# Three quarters of a second in full, and what came after the load had ended.
FLOW = Flow(((10.0, 10.25, 8.0), (10.25, 10.5, 16.0), (10.5, 11.0, 4.0)))


def test_a_rate_is_of_the_time_that_is_asked_for() -> None:
    assert FLOW.rate(10.0, 10.5) == 12.0
    assert FLOW.rate(10.1, 11.0) == pytest.approx((0.25 * 16 + 0.5 * 4) / 0.75)
    assert FLOW.steady(0.5) == 4.0
    assert (FLOW.began, FLOW.ended) == (10.0, 11.0)


def test_a_time_without_counts_has_no_rate() -> None:
    with pytest.raises(NetworkError, match="counted nothing"):
        FLOW.rate(11.0, 12.0)


@pytest.fixture
def port() -> int:
    """A port that nothing uses."""
    return int(free_ports("controller_port")["controller_port"])


@pytest.fixture
def echo(port: int) -> Iterator[int]:
    """The port of an echo server on this machine."""
    argv = [sys.executable, "-m", "topologies.probe", "serve", "127.0.0.1", str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield port
        server.kill()


def test_every_probe_that_is_answered_has_a_round_trip(echo: int) -> None:
    trips = probe.ask("127.0.0.1", echo, 20, 0.001)
    sent = [at for at, _ in trips]
    assert sent == sorted(at for at in sent if at is not None)
    assert len(trips) == 20
    assert all(trip is not None and 0 < trip < 1 for _, trip in trips)


def test_probes_that_nobody_answers_are_lost(port: int) -> None:
    assert [trip for _, trip in probe.ask("127.0.0.1", port, 3, 0.001)] == [None] * 3
