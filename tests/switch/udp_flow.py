"""A flow of UDP datagrams at a rate, and what arrives of it: run in a host, answers in JSON.

send ADDRESS PORT DSCP BPS BYTES SECONDS: datagrams of so many bytes of Ethernet frame, evenly.
receive PORT: what came until a second went by without any: frames, their rate, delays in ms.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

HEADERS = {socket.AF_INET: 42, socket.AF_INET6: 62}  # bytes of a frame around a datagram's payload
IDLE_S = 1.0


def send(address: str, port: str, dscp: str, *shape: str) -> None:
    bps, size, seconds = map(float, shape)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    gap_s = size * 8 / bps
    rest = bytes(int(size) - HEADERS[family] - 8)
    with socket.socket(family, socket.SOCK_DGRAM) as flow:
        level, option = (
            (socket.IPPROTO_IP, socket.IP_TOS)
            if family == socket.AF_INET
            else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        )
        flow.setsockopt(level, option, int(dscp) << 2)
        began = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - began) < seconds:
            while sent * gap_s <= passed:
                flow.sendto(struct.pack("!d", time.monotonic()) + rest, (address, int(port)))
                sent += 1
            time.sleep(max(0.0, began + sent * gap_s - time.monotonic()))
    print(json.dumps({"frames": sent}))  # noqa: T201


def receive(port: str) -> None:
    delays, sizes, at = [], [], []
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as flow:
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        flow.bind(("::", int(port)))
        print("ready", flush=True)  # noqa: T201
        try:
            while True:
                datagram, sender = flow.recvfrom(9000)
                at.append(time.monotonic())
                delays.append(at[-1] - struct.unpack_from("!d", datagram)[0])
                is_v4 = sender[0].startswith("::ffff:")
                sizes.append(len(datagram) + HEADERS[socket.AF_INET if is_v4 else socket.AF_INET6])
                flow.settimeout(IDLE_S)
        except TimeoutError:
            pass
    delays.sort()
    answer = {
        "frames": len(at),
        "bps": round(sum(sizes[1:]) * 8 / (at[-1] - at[0])) if len(at) > 1 else 0,
        "p50_ms": delays[len(delays) // 2] * 1000,
        "p99_ms": delays[len(delays) * 99 // 100] * 1000,
    }
    print(json.dumps(answer))  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(*sys.argv[2:])
    else:
        receive(*sys.argv[2:])
