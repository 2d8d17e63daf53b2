"""What the node agent says of an Open vSwitch that does not answer."""

from __future__ import annotations

import pytest

from prewire.host.ovs import OpenVSwitch, OvsFailed
from tests.places import short_directory


def test_a_complaint_of_ovs_vsctl_is_told_in_its_own_words() -> None:
    with short_directory() as directory:
        remote = f"unix:{directory}/db.sock"
        with pytest.raises(OvsFailed) as caught:
            OpenVSwitch(remote).bridges()
    said = "database connection failed (No such file or directory)"
    assert str(caught.value) == f"ovs-vsctl: {remote}: {said}"
