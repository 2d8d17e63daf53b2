"""The machine's Open vSwitch is started when needed, and stopped only by who started it."""

import subprocess
import sys
from pathlib import Path

import pytest

from topologies import openvswitch
from topologies.openvswitch import ensure_running

pytestmark = pytest.mark.root

HOLD = """
import sys
from pathlib import Path
from topologies.openvswitch import ensure_running

with ensure_running(Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _nobody_elses() -> None:
    if openvswitch.is_running():
        pytest.skip("an Open vSwitch that is not ours runs on this machine")


def test_started_for_the_body_and_stopped_after_it(tmp_path: Path) -> None:
    with ensure_running(tmp_path) as started:
        assert started is not None
        assert len(started.processes) == 2
        assert openvswitch.is_running()
    assert not openvswitch.is_running()
    assert list(tmp_path.iterdir()) == []


def test_one_that_runs_already_is_left_running(tmp_path: Path) -> None:
    with ensure_running(tmp_path / "a"):
        with ensure_running(tmp_path / "b") as second:
            assert second is None
        assert openvswitch.is_running()


def test_bridges_of_others_keep_it_running(tmp_path: Path) -> None:
    with ensure_running(tmp_path):
        openvswitch.vsctl("add-br", "pw-others", "--", *netdev("pw-others"))
    assert openvswitch.is_running()
    with ensure_running(tmp_path) as adopted:
        assert adopted is not None, "it is still ours to stop"
        openvswitch.delete_bridges(["pw-others"])
    assert not openvswitch.is_running()


def test_one_of_a_killed_run_is_adopted_and_stopped(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.kill()
    child.communicate()
    assert openvswitch.is_running()

    with ensure_running(tmp_path) as adopted:
        assert adopted is not None
    assert not openvswitch.is_running()


def netdev(bridge: str) -> tuple[str, ...]:
    return ("set", "Bridge", bridge, "datapath_type=netdev")
