"""Packet-ins on their way to an app's thread."""

from __future__ import annotations

from threading import Event

from openflow import tables
from ryu_apps.framework import parser
from ryu_apps.mailbox import Mailbox
from ryu_apps.packet_ins import MAX_WAITING, PacketIns


def packet_in(table: tables.Table, number: int) -> object:
    on = parser.OFPMatch(in_port=1)
    return parser.OFPPacketIn(None, total_len=number, table_id=table.number, match=on)


def test_the_packets_of_its_tables_are_looked_at_in_order_and_the_rest_is_dropped() -> None:
    seen: list[int] = []
    dropped: list[bool] = []
    mailbox = Mailbox("test")
    packets = PacketIns(
        (tables.LEARN, tables.ARP),
        mailbox,
        lambda message: seen.append(message.total_len),
        lambda: dropped.append(True),
    )
    for number in range(MAX_WAITING):
        packets.heard(packet_in(tables.CLASSIFY, -1))
        packets.heard(packet_in((tables.LEARN, tables.ARP)[number % 2], number))
    assert not dropped
    packets.heard(packet_in(tables.LEARN, -1))
    assert dropped == [True]
    all_seen = Event()
    mailbox.post(all_seen.set)
    mailbox.start()
    assert all_seen.wait(10)
    packets.heard(packet_in(tables.LEARN, MAX_WAITING))
    mailbox.close()
    assert seen == list(range(MAX_WAITING + 1))
    assert len(dropped) == 1
