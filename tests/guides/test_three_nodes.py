"""docs/install.md and docs/install-three-nodes.md, word for word, on machines with a systemd each.

scripts/install.sh runs once; the machines of both pages begin with the files that it left. `scp`
goes to another machine by the test's hands, and "node1 dies" is its end by SIGKILL.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from tests.booted import PATH, Booted, need_booted
from tests.needs import need_ovs
from tests.typed import ROOT, STRICT

NODES: Final = ("node1", "node2", "node3")

_BLOCK: Final = re.compile(
    r"<!-- (on )?(.+?)(: \w+)? -->\n(?:```sh\n(.*?)^```)?", re.DOTALL | re.MULTILINE
)
_INSTALL: Final = "scripts/install.sh\n"
_BEGIN: Final = STRICT + 'scp() { echo "$@" >>/root/copies; }\n'
# How packages are got here.
_PACKAGES: Final = {
    name: value for name, value in os.environ.items() if re.match("PIP_|UV_|SSL_|.*_PROXY", name)
}
# Units cannot write bytecode. Here it is made of what they use, not of all there is.
_COMPILE: Final = (
    "/opt/prewire/bin/python -c 'import ryu_apps.run, prewire.api.server, prewire.predictor, "
    "prewire.host.agent, prewire.docs.interfaces, predictor.running.engine'"
)


@dataclass(frozen=True, slots=True)
class Step:
    """Where something is done, what sort of step it is, and the lines that are typed there."""

    where: str
    sort: str
    script: str


def steps(page: str) -> list[Step]:
    """What a page has one do, in order."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = [Step(m[2], (m[3] or "").strip(": "), m[4] or "") for m in _BLOCK.finditer(text)]
    assert found, f"{page} has no steps"
    return found


def typed(machine: Booted, script: str, timeout_s: float = 120.0) -> str:
    """What bash says to these lines. AssertionError with all of it where one of them fails."""
    try:
        done = machine.run(_BEGIN + script, timeout_s)
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode() + _journal(machine)
        raise AssertionError(
            f"{machine.name}: not done in time:\n{script}\n{said[-6000:]}"
        ) from None
    if done.returncode:
        said = done.stdout + _journal(machine)
        raise AssertionError(f"{machine.name}, exit code {done.returncode}:\n{said[-6000:]}")
    return done.stdout


def _journal(machine: Booted) -> str:
    return machine.run("journalctl --no-pager -o cat -u 'prewire-*' | tail -n 40").stdout


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The files of a machine after scripts/install.sh."""
    need_booted()
    need_ovs()
    with Booted("installed") as machine:
        tools = f"{ROOT}/.setup/uv/bin"  # where set-up left uv; without it pip installs
        done = machine.run(
            f"{ROOT}/scripts/install.sh && {_COMPILE}",
            timeout_s=300,
            online=True,
            **_PACKAGES,
            PATH=f"{PATH}:{tools}",
            UV_COMPILE_BYTECODE="0",
            UV_LINK_MODE="copy",
        )
        assert done.returncode == 0, done.stdout
        assert "install: installed prewire " in done.stdout
        yield machine.files


def test_one_machine_as_installed(installed: Path) -> None:
    with Booted("one", installed) as machine:
        said = ""
        for step in steps("install.md"):
            said += typed(machine, step.script.replace(_INSTALL, "true\n"))
            if not step.sort:
                _check_processes(machine)
        assert "leader one:" in said
        left = typed(machine, "ls /opt /usr/local/bin /etc/systemd/system /etc/prewire")
        assert "prewire-" not in left
        assert "prewire.toml" in left


def _check_processes(machine: Booted) -> None:
    """Each runs as it should, and none was started twice."""
    names = "nib controller api predictor node"
    said = typed(
        machine,
        f"for each in {names}; do systemctl show prewire-$each -p User -p SubState -p NRestarts "
        "--value | xargs echo $each; done",
    )
    found = {words[0]: set(words[1:]) for words in map(str.split, said.splitlines())}
    assert found == {
        name: {"0", "running"} | ({"prewire"} if name != "node" else set())
        for name in names.split()
    }
    owned = typed(machine, "stat -c '%U %a' /var/lib/prewire/admin.token")
    assert owned == "prewire 600\n"


def test_three_machines_of_which_one_dies(installed: Path) -> None:
    with ExitStack() as stack:
        nodes = {name: stack.enter_context(Booted(name, installed)) for name in NODES}
        stack.enter_context(_cabled(list(nodes.values())))
        said: list[str] = []
        for step in steps("install-three-nodes.md"):
            said.append(_done(step, nodes))
        everything = "\n".join(said)
        assert "cluster member, leader" in everything
        assert {"I am web-1", "I am web-3"} <= set(everything.splitlines())
        assert "removed ssl:10.0.0.1:6644" in said[-1]


def _done(step: Step, nodes: dict[str, Booted]) -> str:
    if step.where == "node1 dies":
        nodes.pop("node1").close()
        return ""
    script = step.script.replace(_INSTALL, "")
    names = list(nodes) if step.where == "every node" else [step.where]
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda name: typed(nodes[name], script), names))
    for name in names:
        _copy(nodes[name], nodes)
    return "\n".join(said)


def _copy(machine: Booted, nodes: dict[str, Booted]) -> None:
    """What `scp -r FROM root@10.0.0.N:TO` does, for all of these that were typed."""
    asked = machine.run("cat /root/copies 2>/dev/null; rm -f /root/copies").stdout
    for line in asked.splitlines():
        found = re.fullmatch(r"-r (\S+) root@10\.0\.0\.(\d):(\S+)", line)
        assert found, line
        sent = subprocess.run(
            machine.command("tar", "-C", found[1], "-c", "."), stdout=subprocess.PIPE, check=True
        )
        target = nodes[f"node{found[2]}"]
        typed(target, f"mkdir -p {found[3]}")
        subprocess.run(target.command("tar", "-C", found[3], "-x"), input=sent.stdout, check=True)


@contextmanager
def _cabled(nodes: list[Booted]) -> Iterator[None]:
    """eth0 of all at one switch; a cable between any two, at eth1 and eth2 in the others' order."""
    hub = f"pw-hub-{os.getpid()}"
    _ip("netns", "add", hub)
    try:
        _ip("-n", hub, "link", "add", "name", "hub", "type", "bridge")
        _ip("-n", hub, "link", "set", "hub", "up")
        for number, node in enumerate(nodes, start=1):
            port = f"p{number}"
            cable = ("type", "veth", "peer", "eth0", "netns", str(node.pid))
            _ip("-n", hub, "link", "add", port, *cable)
            _ip("-n", hub, "link", "set", port, "master", "hub", "up")
            typed(node, f"ip addr add 10.0.0.{number}/24 dev eth0; ip link set eth0 up")
        free = {node.name: iter(("eth1", "eth2")) for node in nodes}
        for one, other in combinations(nodes, 2):
            ends = (next(free[one.name]), "netns", str(one.pid), "type", "veth", "peer")
            _ip("link", "add", *ends, next(free[other.name]), "netns", str(other.pid))
        yield
    finally:
        _ip("netns", "del", hub)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
