"""What the documentation has readers type, typed on a machine of the test's own.

Owns how commands are found in a page and how they are run. Must not know what they should do.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.machine import Machine
from tests.waiting import until

ROOT: Final = Path(__file__).parents[1]

_FENCE: Final = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STRICT: Final = (
    "set -Eeuo pipefail; trap 'echo \"failed with exit code $?: $BASH_COMMAND\" >&2' ERR\n"
)
_START_OVS: Final = ("/usr/share/openvswitch/scripts/ovs-ctl", "start", "--system-id=random")


def shell_blocks(page: str, part: str) -> list[str]:
    """The `sh` blocks of a page between the comments `PART begins` and `PART ends`, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    _, begins, rest = text.partition(f"<!-- {part} begins -->")
    within, ends, _ = rest.partition(f"<!-- {part} ends -->")
    assert begins, f"{page} has no part {part}"
    assert ends, f"part {part} of {page} does not end"
    return _FENCE.findall(within)


def typed(machine: Machine, script: str, timeout_s: float = 60.0) -> str:
    """What bash says to these lines. AssertionError with all of it where one of them fails."""
    with tempfile.TemporaryFile() as printed:
        process = machine.start(["bash", "-c", STRICT + script], printed)
        code = process.wait(timeout_s)
        printed.seek(0)
        said = printed.read().decode()
    assert code == 0, f"exit code {code}:\n{said}"
    return said


@contextmanager
def machine_with_prewire(environment: Mapping[str, str] | None = None) -> Iterator[Machine]:
    """A machine on which Open vSwitch and `prewire up` run, with all defaults."""
    with Machine(environment) as machine, tempfile.NamedTemporaryFile() as log:
        started = machine.run(*_START_OVS)
        assert started.returncode == 0, started.stdout
        up = machine.start(["prewire", "up"], log)
        said = Path(log.name).read_text

        def is_ready() -> bool:
            assert up.poll() is None, said()
            return "prewire is up" in said()

        until(is_ready, bool, "prewire is up", timeout_s=180)
        yield machine
