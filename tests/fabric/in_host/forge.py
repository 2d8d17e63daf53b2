"""Forged link probes: `forge.py INTERFACE`; prints how many frames were sent.

Repeats a probe that came in as it is and with another sender, and sends one that only looks right.
"""

import sys

from scapy.config import conf
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.sendrecv import sendp, sniff

LLDP = 0x88CC
INTERFACE = sys.argv[1]


def main() -> None:
    conf.verb = 0
    heard = sniff(
        iface=INTERFACE, lfilter=lambda frame: Ether in frame and frame.type == LLDP,
        count=1, timeout=20,
    )  # fmt: skip
    frames = []
    for frame in heard:
        whole = bytes(frame)
        frames += [whole, whole]
        for at in (20, 24, len(whole) - 4):
            frames.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    tlvs = b"\x02\x07\x04\x00\x00\x00\x00\x00\x03" + b"\x04\x02\x071" + b"\x06\x02\x00\x78\x00\x00"
    plain = Ether(dst="01:80:c2:00:00:0e", src="02:00:00:00:00:03", type=LLDP) / Raw(tlvs)
    frames.append(bytes(plain))
    for frame in frames:
        sendp(Ether(frame), iface=INTERFACE)
    sys.stdout.write(f"{len(heard)} {len(frames)}\n")


main()
