"""The node agent without a switch: why it will not run, its names, answers in any pieces."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nib.fields import check_unicast_mac
from prewire.host.ovs import OpenVSwitch, OvsFailed, answer_lines, obstacle, switch_database
from prewire.host.port import mac_of, outer_name
from prewire.settings import load
from tests.commands import one_line, run_here
from tests.places import short_directory

DPIDS = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")
# What ovs-vswitchd prints: no quotation mark, no backslash, no brace.
LINES = st.lists(st.text("abc,=()0123456789|_:.", max_size=40), max_size=30)


def test_no_agent_without_open_vswitch() -> None:
    said = one_line(run_here("node", "--switch-db", ""))
    assert said == ("prewire: node: this machine runs no Open vSwitch; start it, or set switch_db")


def test_no_agent_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert obstacle(load(switch_db="unix:/tmp/db.sock")) == (
        "it makes network namespaces and bridge ports; run it as root"
    )


def test_a_database_that_is_named_is_the_one() -> None:
    assert switch_database(load(switch_db="tcp:127.0.0.1:6640")) == "tcp:127.0.0.1:6640"
    several = load(switch_db="tcp:10.0.0.2:6640; unix:/run/db.sock")
    assert switch_database(several) == "unix:/run/db.sock"


@given(DPIDS)
def test_names_and_addresses_are_such_that_the_kernel_takes_them(dpid: str) -> None:
    assert len(outer_name(dpid)) <= 15
    check_unicast_mac("mac", mac_of(dpid))
    assert int(mac_of(dpid)[:2], 16) & 2, "locally administered"


@given(LINES, st.lists(st.integers(1, 400), max_size=20), st.booleans())
def test_an_answer_in_any_pieces_is_its_lines(
    lines: list[str], cuts: list[int], error_first: bool
) -> None:
    members = {"id": 0, "result": "\n".join(lines), "error": None}
    if error_first:
        members = dict(sorted(members.items()))
    text = json.dumps(members, separators=(",", ":")).encode()
    pieces = []
    for cut in cuts:
        pieces.append(text[:cut])
        text = text[cut:]
    assert _received([*pieces, text]) == "\n".join(lines).encode()


def test_a_refusal_is_its_words() -> None:
    refusal = b'{"id":0,"error":"ovs-vswitchd: no such datapath\\n","result":null}'
    with pytest.raises(OvsFailed, match="test: ovs-vswitchd: no such datapath"):
        _received([refusal])


def test_an_answer_that_ends_early_is_a_failure() -> None:
    with pytest.raises(OvsFailed, match="ended before"):
        _received([b'{"id":0,"result":"tcp,ori'])


def test_nobody_there() -> None:
    with short_directory() as directory:
        ovs = OpenVSwitch(f"unix:{directory}/db.sock")
        with pytest.raises(OvsFailed, match=r"ovs-vswitchd, dpctl/dump-dps: No such file"):
            ovs.datapaths()
        (directory / "ovs-vswitchd.pid").write_text("1\n")
        with pytest.raises(OvsFailed, match=r"dpctl/dump-conntrack: No such file"):
            list(ovs.connections("netdev@ovs-netdev", None))


def _received(pieces: list[bytes]) -> bytes:
    """What the pieces are read as, each sent on its own; then the other side closes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send() -> None:
        with theirs:
            for piece in pieces:
                if piece:
                    theirs.send(piece)

    sender = threading.Thread(target=send)
    sender.start()
    with ours:
        try:
            return b"\n".join(answer_lines(ours, "test"))
        finally:
            sender.join()
