"""What a killed run wrote down is found again and removed; nothing else is."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from topologies import ledger, openvswitch, processes
from topologies.errors import NetworkError
from topologies.ledger import Ledger, Leftovers


@pytest.fixture(autouse=True)
def _without_open_vswitch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvswitch, "is_running", lambda: False)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_recorded_processes_are_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    Ledger(tmp_path).process(sleeper.pid)

    found = ledger.remove_all(tmp_path)

    assert [process.pid for process in found.processes] == [sleeper.pid]
    assert sleeper.wait(5) != 0
    assert ledger.remove_all(tmp_path) == Leftovers()


def test_the_rest_of_our_own_namespace_is_spared(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    with subprocess.Popen(["sleep", "600"]) as neighbour:
        Ledger(tmp_path).process(sleeper.pid)
        ledger.remove_all(tmp_path)
        assert neighbour.poll() is None
        neighbour.kill()


def test_a_journal_of_an_earlier_boot_ends_nobody(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(tmp_path).process(sleeper.pid)
    monkeypatch.setattr(processes, "boot_id", lambda: "another")
    assert ledger.remove_all(tmp_path) == Leftovers()
    assert sleeper.poll() is None


def test_a_line_cut_off_by_a_kill_is_ignored(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    Ledger(tmp_path).process(sleeper.pid)
    with (tmp_path / "journal.jsonl").open("a") as journal:
        journal.write('{"bridge": "pw')
    assert len(ledger.remove_all(tmp_path).processes) == 1


def test_interfaces_that_are_gone_are_no_leftovers(tmp_path: Path) -> None:
    Ledger(tmp_path).interface("pw-gone-eth1")
    assert not ledger.remove_all(tmp_path)


def test_bridges_cannot_be_removed_without_open_vswitch(tmp_path: Path) -> None:
    Ledger(tmp_path).bridge("pw-s1")
    with pytest.raises(NetworkError, match="pw-s1 cannot be removed"):
        ledger.remove_all(tmp_path)
    assert (tmp_path / "journal.jsonl").exists(), "the next attempt still knows"


def test_the_lock_admits_one(tmp_path: Path) -> None:
    with (
        ledger.locked(tmp_path / "new"),
        pytest.raises(NetworkError, match="another prewire network is running"),
        ledger.locked(tmp_path / "new"),
    ):
        pass
    with ledger.locked(tmp_path / "new"):
        pass
