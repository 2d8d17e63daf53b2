"""The open loop counts what a closed one leaves out, and every request once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load.in_host.paced import Connection, Load, arrivals
from benchmarks.load.paced_load import GREATEST, rate_below

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STALL_SECONDS = 0.5


def always(_: int) -> bytes:
    return ANSWER


@contextmanager
def serving(answer: Callable[[int], bytes]) -> Iterator[int]:
    """One connection after the other; answer(n): to the request of this number. b"" hangs up."""
    count = 0

    def serve(listener: socket.socket) -> None:
        nonlocal count
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while connection.recv(4096):
                    text = answer(count)
                    count += 1
                    if not text:
                        break
                    connection.sendall(text)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def run(port: int, due: list[float]) -> Load:
    connection = Connection("127.0.0.1", port)
    begin = time.monotonic() + 0.05
    load = Load([connection], [begin + at for at in due])
    load.run()
    connection.socket.close()
    return load


def test_requests_that_were_due_while_one_was_late_are_late_too() -> None:
    def stalling(number: int) -> bytes:
        if number == 10:
            time.sleep(STALL_SECONDS)
        return ANSWER

    with serving(stalling) as port:
        load = run(port, [n / 100 for n in range(100)])
    assert len(load.latencies_ms) == 100
    assert not load.failures
    late = [each for each in load.latencies_ms if each > 100 * STALL_SECONDS]
    assert len(late) >= 40  # of those due in the stall; a closed loop would have one


def test_an_answer_in_pieces_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1])
        there, _ = listener.accept()
        with there:
            connection.ask(0.0)
            for part, whole in ((ANSWER[:20], False), (ANSWER[20:-1], False), (b"k", True)):
                there.sendall(part)
                assert connection.is_answered() is whole
        connection.socket.close()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "ConnectionResetError"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "OSError"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "OSError"),
    ],
)
def test_a_failure_counts_as_the_longest_wait_and_the_next_request_is_sent(
    bad: bytes, reason: str
) -> None:
    with serving(lambda number: bad if number == 3 else ANSWER) as port:
        load = run(port, [n / 100 for n in range(10)])
    assert load.failures == {reason: 1}
    assert sorted(load.latencies_ms)[-1] == 10_000
    assert len(load.latencies_ms) == 10


def test_arrivals_are_of_the_rate_in_order_and_of_the_seed() -> None:
    due = arrivals(1000, 10, seed=1)
    assert due == arrivals(1000, 10, seed=1) != arrivals(1000, 10, seed=2)
    assert due == sorted(due)
    assert due[-1] < 10
    assert len(due) == pytest.approx(10_000, rel=0.05)


def test_the_rate_is_half_of_what_the_slowest_can_up_to_the_clients_own() -> None:
    assert rate_below(3000) == 1500
    assert rate_below(30_000) == GREATEST
