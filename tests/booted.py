"""Machines with a systemd of their own, in namespaces: units run in them as they do on a real one.

Owns: booting, the files that are a machine's own (overlays of this one's, gone with it), its end.
Must not know: what is installed.

A machine has its own processes, mounts, network, host name and control group. No service of this
one runs in it. Needs root, overlayfs, control groups of version 2 and systemd.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.needs import need
from tests.waiting import until

_SYSTEMD: Final = Path("/usr/lib/systemd/systemd")
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OWN: Final = ("/etc", "/opt", "/root", "/usr/local/bin", "/var/lib", "/var/log")

# The network of the machine that runs the tests, where it is not theirs: tests/own_machine.sh.
_OUTSIDE: Final = [f"--net={file}" for file in [os.environ.get("OUTSIDE_NETWORK")] if file]

_FAST: Final = Path("/dev/shm")  # memory: what is written is thrown away  # noqa: S108

# What would be about the kernel or devices, which are not the machine's own.
_MASKED: Final = (
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpdk.service",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-modules-load.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-udevd.service",
    "systemd-update-utmp.service",
)

_BOOT: Final = r"""
set -eu
base=$1 host=$2 group=$3 lower=$4
shift 4
echo $$ >"$group/cgroup.procs"
exec unshare --cgroup --net --uts --ipc --mount --pid --fork --mount-proc --kill-child \
  --propagation private bash -euc '
    base=$1 host=$2 lower=$3 masked=$4
    shift 4
    for own in "$@"; do
      mkdir -p "$base/upper$own" "$base/work$own"
      below=$own
      [[ -z $lower || ! -d $lower$own ]] || below=$lower$own:$own
      changed="upperdir=$base/upper$own,workdir=$base/work$own"
      mount -t overlay -o "lowerdir=$below,$changed" own "$own"
    done
    hostname "$host"
    echo "$host" >/etc/hostname
    [[ -n $lower ]] || rm -rf /etc/openvswitch /etc/prewire /var/lib/openvswitch /var/lib/prewire
    [[ -n $lower ]] || rm -rf /etc/systemd/system/* /opt/prewire /usr/local/bin/prewire
    for unit in $masked; do ln -sf /dev/null "/etc/systemd/system/$unit"; done
    tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
    mount -t sysfs own /sys
    mount -t cgroup2 own /sys/fs/cgroup
    mount -t tmpfs own /run
    mkdir /run/clone && mount --bind "$CLONE" /run/clone
    mount -t tmpfs own /tmp
    mkdir -p "$CLONE" && mount --bind /run/clone "$CLONE"  # it may be in /tmp
    mkdir -p /var/lib/systemd /run/netns
    exec env -i container=prewire PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd \
      --system --unit=basic.target --show-status=no --log-target=null
  ' booted "$base" "$host" "$lower" "$@"
"""


class Booted:
    """From `with` to its end. below: the files of another machine, to begin with (`files`)."""

    def __init__(self, name: str, below: Path | None = None) -> None:
        self.name = name
        self._below = below
        self._base = Path(
            tempfile.mkdtemp(prefix=f"pw-{name}-", dir=_FAST if _FAST.is_dir() else None)
        )
        self._group = _control_groups() / self._base.name
        self._outer: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._group.mkdir()
        masked = " ".join(_MASKED)
        below = str(self._below or "")
        arguments = [str(self._base), self.name, str(self._group), below, masked, *_OWN]
        with (self._base / "boot.log").open("wb") as log:
            self._outer = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "bash", "-c", _BOOT, "boot", *arguments],
                env=os.environ | {"CLONE": str(Path(__file__).parents[1])},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._state, lambda said: said in ("running", "degraded"), "systemd is up", 60)
        except BaseException:
            print((self._base / "boot.log").read_text())  # noqa: T201 - all that is left of it
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process in it and remove its files. Harmless when closed already."""
        if self._outer is not None:
            with suppress(AssertionError, FileNotFoundError, ProcessLookupError):
                os.kill(self.pid, 9)
            self._outer.kill()
            self._outer.wait()
            self._outer = None
        if self._group.exists():
            until(self._is_group_gone, bool, "its control group is empty")
        shutil.rmtree(self._base, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Its first process, systemd."""
        assert self._outer is not None, "use Booted in a with statement"
        outer = self._outer.pid
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        assert children, "it has not begun, or has ended"
        return int(children[0])

    @property
    def files(self) -> Path:
        """The files that are its own, as `below` of others."""
        return self._base / "upper"

    def command(self, *argv: str, online: bool = False) -> list[str]:
        """argv, run as root in it. online: with the network of the machine that runs the tests."""
        inside = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--wdns=/root"]
        network = _OUTSIDE if online else ["--net"]
        return ["nsenter", f"--target={self.pid}", *inside, *network, "--", *argv]

    def run(
        self, script: str, timeout_s: float = 60.0, *, online: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run lines of bash as root to their end; output and errors together."""
        return subprocess.run(
            self.command("bash", "-c", script, online=online),
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def _state(self) -> str:
        assert self._outer is not None
        if self._outer.poll() is not None:
            return "ended"
        with suppress(AssertionError, FileNotFoundError):
            return self.run("systemctl is-system-running").stdout.strip()
        return ""

    def _is_group_gone(self) -> bool:
        for group, _, _ in os.walk(self._group, topdown=False):
            with suppress(OSError):
                Path(group).rmdir()
        return not self._group.exists()


def need_booted() -> None:
    """Skip, or fail, where no machine can be booted."""
    need(_SYSTEMD.exists(), "systemd is not installed (apt-get install systemd)")
    need(os.geteuid() == 0, "booting machines in namespaces needs root")
    known = Path("/proc/filesystems").read_text().split()
    mounted = Path("/proc/self/mounts").read_text().split()
    need("overlay" in known, "this kernel has no overlayfs")
    need("cgroup2" in mounted, "control groups of version 2 are not mounted")


def _control_groups() -> Path:
    """Where this machine has control groups of version 2."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise FileNotFoundError("no control groups of version 2 are mounted")
