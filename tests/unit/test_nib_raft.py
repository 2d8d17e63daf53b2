"""What a server says of its cluster; addresses of servers, and remotes of their clients."""

from __future__ import annotations

import pytest

from nib import raft
from nib.dbfile import is_remote
from nib.errors import ServerError
from nib.raft import ClusterStatus, Member


@pytest.mark.parametrize(
    "address", ["tcp:10.0.0.1:6644", "ssl:10.0.0.1:1", "tcp:[fd00::1]:65535", "tcp:db1:6644",
                "unix:/run/raft.sock"],
)  # fmt: skip
def test_addresses_of_servers(address: str) -> None:
    assert raft.check_server_address(address) == address


def test_remotes_and_files() -> None:
    assert is_remote("unix:/run/nib.sock")
    assert is_remote("tcp:10.0.0.1:6641,tcp:10.0.0.2:6641")
    assert is_remote("ssl:[fd00::1]:6641")
    assert not is_remote("/var/lib/prewire/nib.db")
    assert not is_remote("nib.db")


LEADER = """\
f4f2
Name: Prewire
Cluster ID: 7e66 (7e660b61-71cd-4a3d-a4fd-53a0b2d7a7a1)
Server ID: f4f2 (f4f2ab1c-9d3b-4f57-bb05-4f2c4e2f0a11)
Address: tcp:10.0.0.1:6644
Status: cluster member
Role: leader
Term: 3
Leader: self
Vote: self

Last Election started 2007 ms ago, reason: timeout
Last Election won: 2007 ms ago
Election timer: 1000
Log: [2, 57]
Entries not yet committed: 1
Entries not yet applied: 0
Connections: ->0000 <-9c0a
Disconnections: 0
Servers:
    f4f2 (f4f2 at tcp:10.0.0.1:6644) (self) next_index=2 match_index=56
    9c0a (9c0a at tcp:10.0.0.2:6644) next_index=57 match_index=55 last msg 333 ms ago
    1d2e (1d2e at tcp:[fd00::3]:6644) next_index=57 match_index=0
"""


def test_what_a_leader_says() -> None:
    assert raft.read_status(LEADER) == ClusterStatus(
        id="f4f2",
        address="tcp:10.0.0.1:6644",
        state="cluster member",
        role="leader",
        term=3,
        leader="self",
        election_timer_ms=1000,
        log=(2, 57),
        uncommitted=1,
        members=(
            Member("f4f2", "tcp:10.0.0.1:6644", True, 56, None),
            Member("9c0a", "tcp:10.0.0.2:6644", False, 55, 333),
            Member("1d2e", "tcp:[fd00::3]:6644", False, 0, None),
        ),
    )


def test_what_one_that_is_joining_says() -> None:
    text = """\
Name: Prewire
Cluster ID: not yet known
Server ID: 9c0a (9c0a0000-0000-0000-0000-000000000000)
Address: tcp:10.0.0.2:6644
Status: joining cluster
Remotes for joining: tcp:10.0.0.1:6644
Role: follower
Term: 0
Leader: unknown
Vote: unknown

Log: [1, 1]
Entries not yet committed: 0
Entries not yet applied: 0
Connections:
Disconnections: 0
Servers:
"""
    told = raft.read_status(text)
    assert (told.state, told.leads, told.members) == ("joining cluster", False, ())


def test_what_nobody_says() -> None:
    with pytest.raises(ServerError, match="cluster/status"):
        raft.read_status("hello\n")
