"""What the doctor reads out of ovs-ofctl's text."""

from __future__ import annotations

from openflow.cookies import Cookie, Kind
from prewire.doctor.facts import HostMeter, RuleList
from prewire.doctor.host import alien_in, meters_in

DUMP = """OFPST_METER_CONFIG reply (OF1.3) (xid=0x2):
meter=5 pktps bands=
type=drop rate=100

meter=69634 kbps burst stats bands=
type=drop rate=10000 burst_size=2500
"""
COUNTED = """OFPST_METER reply (OF1.3) (xid=0x2):
meter:5 flow_count:0 packet_in_count:0 byte_in_count:0 duration:7.001s bands:
0: packet_count:0 byte_count:0

meter:69634 flow_count:2 packet_in_count:1500 byte_in_count:2271000 duration:12.5s bands:
0: packet_count:300 byte_count:454200
"""


def test_meters_with_what_they_counted() -> None:
    assert meters_in(DUMP, COUNTED) == {
        5: HostMeter(100, 0, True, 0, 0, 7.001, 0),
        69634: HostMeter(10_000, 2_500, False, 1500, 300, 12.5, 2),
    }


def test_a_meter_that_came_between_the_two_questions() -> None:
    assert meters_in(DUMP, "")[69634] == HostMeter(10_000, 2_500, False, 0, 0, 0.0, 0)


def test_flows_without_prewires_cookie_are_alien() -> None:
    ours = f"cookie={Cookie(Kind.BASE, 0, 3).value:#x}, duration=1.5s, table=0, actions=drop"
    alien = " cookie=0x5, duration=0.008s, table=0, n_packets=0, n_bytes=0, actions=output:1"
    text = f"OFPST_FLOW reply (OF1.3) (xid=0x2):\n {ours}\n{alien}\n"
    assert alien_in(text) == RuleList(1, ("cookie=0x5, table=0, actions=output:1",))
    assert alien_in(f"{ours}\n") == RuleList()
