"""What a test needs of the machine: without it it is skipped, or fails where nothing may be."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.ovs import is_installed

REQUIRE: Final = "PREWIRE_REQUIRE_SWITCH_TESTS"
"""When set, a test that cannot run here fails the run instead of being skipped."""

NO_OVS: Final = "Open vSwitch is not installed (apt-get install openvswitch-switch)"


def need(there: bool, obstacle: str) -> None:
    """Skip, or fail, unless it is there; `obstacle` says what is not and how to get it."""
    if there:
        return
    if os.environ.get(REQUIRE):
        pytest.fail(obstacle)
    pytest.skip(obstacle)


def need_ovs() -> None:
    """The programs of Open vSwitch."""
    need(is_installed(), NO_OVS)
