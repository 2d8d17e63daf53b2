"""A limit that is divided among switches goes where the traffic comes in: a real controller reads
what two real switches count, and changes their meters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from nib.qos import Policy
from nib.topology import Switch
from qos.pipeline import bit_meter
from tests.needs import need_ovs
from tests.switch.controlled import BRIDGE, DPID, Controlled, address_of, controlled, mac_of
from tests.waiting import until

OTHER_BRIDGE: Final = "br1"
OTHER: Final = f"{2:016x}"
LIMIT_KBPS: Final = 2000
FRAME: Final = (
    f"in_port(1),eth(src=02:00:00:00:09:01,dst={mac_of(2)}),eth_type(0x0800),"
    f"ipv4(src=10.9.0.1,dst={address_of(2)},proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
)
_METER: Final = re.compile(r"meter=(\d+).*?rate=(\d+)", re.DOTALL)


@pytest.fixture
def here() -> Iterator[Controlled]:
    """Two switches, a container behind the first, and a policy of what anyone sends to it."""
    need_ovs()
    with controlled() as made:
        made.ovs.add_bridge(OTHER_BRIDGE, dpid=2, ports=("q1", "q2"))
        made.ovs.set_controller(OTHER_BRIDGE, f"tcp:127.0.0.1:{made.settings.controller_port}")
        made.nib.when(lambda view: view.get(Switch, OTHER) is not None).result(60)
        made.serve("c2")
        made.put(Policy("limited", None, "web", max_bps=1000 * LIMIT_KBPS, burst_ms=10))
        yield made


def rates(here: Controlled) -> dict[str, int]:
    """Kilobits a second that each switch lets through of the policy."""
    with here.nib.view() as view:
        meter = bit_meter(view.need(Policy, "limited").number)
    found = {}
    for dpid, bridge in ((DPID, BRIDGE), (OTHER, OTHER_BRIDGE)):
        told = dict(_METER.findall(here.ovs.ofctl("dump-meters", bridge)))
        found[dpid] = int(told.get(str(meter), 0))
    return found


def test_a_limit_goes_where_the_traffic_comes_in(here: Controlled) -> None:
    even = {DPID: LIMIT_KBPS // 2, OTHER: LIMIT_KBPS // 2}
    until(lambda: rates(here), lambda seen: seen == even, "half of it each")

    def rates_under_load(port: str) -> dict[str, int]:
        here.ovs.appctl("netdev-dummy/receive", port, *[FRAME, "--len", "1400"] * 200)
        return rates(here)

    for busy, idle, port in ((OTHER, DPID, "q1"), (DPID, OTHER, "p1")):
        seen = until(
            lambda port=port: rates_under_load(port),  # type: ignore[misc]
            lambda seen, busy=busy: (  # type: ignore[misc]
                seen[busy] > 0.9 * LIMIT_KBPS and sum(seen.values()) <= LIMIT_KBPS
            ),
            f"{busy} has most of it, and both together the limit",
            60,
        )
        assert seen[idle] > 0, "and the other one some"
