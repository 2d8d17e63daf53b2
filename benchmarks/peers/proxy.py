"""What proxies in the gateway host have in common: being there, and being ready."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.site import until
from topologies.hosts import Hosts

_START_SECONDS: Final = 10.0
_PATH: Final = "/usr/sbin:/sbin:/usr/bin:/usr/local/sbin"


def needed(program: str, package: str) -> str:
    """Its path; BenchmarkFailed, with the Debian package, where it is not installed."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        raise BenchmarkFailed(f"{program} is not installed: apt-get install {package}")
    return found


def await_listening(net: Hosts, process: subprocess.Popen[bytes], port: int, name: str) -> None:
    """Return when somebody in the gateway listens on the port; BenchmarkFailed with the complaint
    of a process that ended instead."""

    def listens() -> bool:
        if process.poll() is not None:
            complaint = process.stderr.read().decode().strip() if process.stderr else ""
            raise BenchmarkFailed(f"{name} does not start: {complaint}")
        return f":{port} " in net.run("gateway", ["ss", "-Hltn"]).stdout

    until(listens, f"{name} listens", _START_SECONDS)
