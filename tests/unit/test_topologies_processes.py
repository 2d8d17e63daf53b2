"""Processes are ended by identity, never by a number that somebody else has got since."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from topologies import processes
from topologies.errors import NetworkError
from topologies.processes import ProcessId, identity, is_alive


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def known(process: subprocess.Popen[bytes]) -> ProcessId:
    found = identity(process.pid)
    assert found is not None
    return found


def test_end_returns_when_the_process_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    process = known(sleeper)
    processes.end([process])
    assert not is_alive(process)
    assert sleeper.wait(0) == -signal.SIGKILL


def test_a_later_process_with_the_same_number_is_spared(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = replace(known(sleeper), started=1)
    assert not is_alive(earlier)
    processes.end([earlier])
    assert sleeper.poll() is None


def test_ending_what_has_ended_is_harmless(sleeper: subprocess.Popen[bytes]) -> None:
    process = known(sleeper)
    sleeper.kill()
    sleeper.wait()
    assert identity(process.pid) is None
    processes.end([process])


def test_a_process_that_only_waits_to_be_collected_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        process = known(child)
        processes.end([process])
        assert not is_alive(process)


def test_names_with_brackets_and_blanks_do_not_confuse() -> None:
    rename = "open('/proc/self/comm', 'w').write(') 1 Z ('); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", rename], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        before = identity(child.pid)
        assert child.stdout is not None
        child.stdout.readline()
        assert identity(child.pid) == before


def test_run_returns_what_was_printed() -> None:
    assert processes.run(["echo", "hello"]) == "hello\n"


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["ls", "/nowhere"], "ls /nowhere: .*nowhere"),
        (["false"], "false: exit code 1"),
        (["prewire-has-no-such-command"], "prewire-has-no-such-command is not installed"),
    ],
)
def test_run_says_what_failed(argv: list[str], complaint: str) -> None:
    with pytest.raises(NetworkError, match=complaint):
        processes.run(argv)


def test_run_gives_up() -> None:
    with pytest.raises(NetworkError, match=r"no answer within 0\.05 s"):
        processes.run(["tail", "-f", "/dev/null"], timeout_s=0.05)
