"""Link probes as frames: what is sent is read, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ryu_apps.lldp import Probe, probe_frame, read

REFUSALS = ("foreign", "forged")
KEY = bytes(range(32))
MAC = "02:00:00:00:00:0a"
PROBE = Probe(f"{0xA:016x}", 3, 77)
FRAME = probe_frame(PROBE, MAC, KEY)

probes = st.builds(
    Probe,
    st.integers(0, 2**64 - 1).map(lambda dpid: f"{dpid:016x}"),
    st.integers(1, 0xFFFF_FF00),
    st.integers(0, 2**64 - 1),
)


@given(probes, st.binary(min_size=32, max_size=32), st.binary(max_size=20))
def test_what_is_sent_is_read(probe: Probe, key: bytes, padding: bytes) -> None:
    assert read(probe_frame(probe, MAC, key) + padding, key) == probe


@given(st.integers(0, len(FRAME) - 1), st.integers(1, 255))
def test_an_altered_frame_is_no_probe(at: int, flip: int) -> None:
    altered = bytearray(FRAME)
    altered[at] ^= flip
    found = read(bytes(altered), KEY)
    assert found == PROBE if _is_unsigned(at) else found in REFUSALS


def _is_unsigned(at: int) -> bool:
    """Addresses, time to live and the end are nobody's proof."""
    ttl = FRAME.index(b"\x06\x02")  # type 3, two bytes
    return at < 12 or ttl + 2 <= at < ttl + 4 or at >= len(FRAME) - 2


@given(st.binary(max_size=200))
def test_noise_is_no_probe(noise: bytes) -> None:
    header = FRAME[:14]
    assert read(noise, KEY) == "foreign" or noise[12:14] == header[12:]
    assert read(header + noise, KEY) in REFUSALS


@pytest.mark.parametrize("cut", range(0, len(FRAME) - 2, 7))
def test_a_frame_cut_short_is_no_probe(cut: int) -> None:
    assert read(FRAME[:cut], KEY) == "foreign"


@pytest.mark.parametrize(
    "changed", [{"dpid": f"{0xB:016x}"}, {"port": 4}, {"sequence": 78}], ids=lambda c: next(iter(c))
)
def test_a_signature_is_good_for_its_own_words_only(changed: dict[str, Any]) -> None:
    """A host that puts the signature of one probe under another."""
    other = Probe(**{**{each: getattr(PROBE, each) for each in PROBE.__slots__}, **changed})
    signature = FRAME[-2 - 32 : -2]
    forged = probe_frame(other, MAC, b"guessed" * 4)[: -2 - 32] + signature + b"\0\0"
    assert read(forged, KEY) == "forged"
    assert read(forged.replace(signature, b"\0" * 32), KEY) == "forged"


def test_another_leaders_probe_is_not_ours() -> None:
    assert read(FRAME, bytes(32)) == "forged"


def test_lldp_of_other_software_is_foreign() -> None:
    lldp = pytest.importorskip("scapy.contrib.lldp")
    ether = pytest.importorskip("scapy.layers.l2").Ether
    frame = bytes(
        ether(dst="01:80:c2:00:00:0e", src=MAC)
        / lldp.LLDPDUChassisID(subtype=4, id=MAC)
        / lldp.LLDPDUPortID(subtype=5, id="eth0")
        / lldp.LLDPDUTimeToLive(ttl=120)
        / lldp.LLDPDUSystemName(system_name="host")
        / lldp.LLDPDUEndOfLLDPDU()
    )
    assert read(frame, KEY) == "foreign"


def test_other_software_understands_ours() -> None:
    lldp = pytest.importorskip("scapy.contrib.lldp")
    ether = pytest.importorskip("scapy.layers.l2").Ether
    seen = ether(FRAME)
    assert seen.dst == "01:80:c2:00:00:0e"
    assert seen[lldp.LLDPDUChassisID].id == PROBE.dpid.encode()
    assert seen[lldp.LLDPDUPortID].id == b"3"
    assert seen[lldp.LLDPDUTimeToLive].ttl == 10
    assert lldp.LLDPDUEndOfLLDPDU in seen
