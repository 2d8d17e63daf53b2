"""The example intent of the pipeline's page: one service, three containers, one switch.

Compiled as the controller compiles it, by `ryu_apps.compile`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway_lb.lifecycle import draining
from nib.mirror import Mirror, RowChange
from nib.records import Container, Port, Record, Service, Switch
from openflow.values import Rules, merged
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots

_DPID: Final = "00000000000000a1"
_SWITCH: Final = Switch(_DPID, ct_zone=1, name="br0")


def records() -> Iterator[Record]:
    """The rows of service, ports and containers."""
    yield Service("web", "10.0.0.100", 80, "tcp", number=1)
    for place in (1, 2, 3):
        name = f"web-{place}"
        mac = f"02:00:00:00:00:1{place}"
        yield Port(_DPID, name, place + 1, mac, iface_id=name, attached_mac=mac, up=True)
        container = Container(
            "web", name, f"10.0.0.1{place}", 8080, mac, iface_id=name, number=place + 1
        )
        yield draining(container, now_ms=0, drain_seconds=60) if place == 3 else container


def rules() -> Rules:
    """All rules of the example: one service, two ready containers, one draining, one switch."""
    view = Mirror()
    for record in (_SWITCH, *records()):
        view.apply(RowChange(None, record))
    view.apply(RowChange(None, next_slots("web", view)))
    return merged(compile_state(view, _SWITCH).values())


def commands() -> str:
    """The intent, as commands that state it."""
    lines = ["prewire service set web --vip 10.0.0.100 --port 80"]
    lines += [
        f"prewire container set web {each.id} --address {each.address} --port {each.port} "
        f"--iface-id {each.iface_id}"
        for each in records()
        if isinstance(each, Container)
    ]
    lines.append("prewire container delete web web-3 --drain 60")
    return "```sh\n" + "\n".join(lines) + "\n```"
