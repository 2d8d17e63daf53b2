"""Stations that nobody saw before: `strangers.py DEVICE FIRST COUNT VIP`.

Each announces itself with a MAC and an IP address of its own (10.0.128.0/17), then asks the VIP
for a page from that address. Prints how many were answered.
"""

import fcntl
import socket
import struct
import sys

_ETHER_ARP = 0x0806
_ADDRESSES = 0x0A008000  # 10.0.128.0
_MANY = 1 << 14
_BROADCAST = b"\xff" * 6
_SIOCGIFHWADDR = 0x8927


def main() -> None:
    device, first, count, vip = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    answered = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, _ETHER_ARP))
        own = _mac_of(device, raw)
        for number in range(first, first + count):
            address = struct.pack("!I", _ADDRESSES + 1 + number % _MANY)
            raw.send(_announcement(b"\x02\x70\x78" + struct.pack("!I", number)[1:], address))
            raw.send(_announcement(own, address))  # the address is this host's from now on
            answered += _ask(socket.inet_ntoa(address), vip)
    sys.stdout.write(f"{answered}\n")


def _mac_of(device: str, raw: socket.socket) -> bytes:
    found = fcntl.ioctl(raw.fileno(), _SIOCGIFHWADDR, struct.pack("256s", device.encode()))
    return found[18:24]


def _announcement(mac: bytes, address: bytes) -> bytes:
    """A gratuitous ARP request (RFC 5227)."""
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + address + b"\0" * 6 + address
    return _BROADCAST + mac + struct.pack("!H", _ETHER_ARP) + arp


def _ask(address: str, vip: str) -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        try:
            client.bind((address, 0))
            client.connect((vip, 80))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.recv(12).startswith(b"HTTP/1.")
        except OSError:
            return False


main()
