"""The example intent of the pipeline's page: a service of three containers, a policy, two switches.

Compiled as the controller compiles it, by `ryu_apps.compile`; the page shows the client's switch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway_lb.lifecycle import draining
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import Policy, PolicyShare
from nib.records import Global, Record
from nib.topology import Host, Link, Port, Switch
from openflow.cookies import GROUP_IDS
from openflow.values import Group, Rules, merged
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots

# The ports of the switch that the page shows, from number 1 on.
PORTS: Final = ("client", "web-1", "web-3", "link-1", "link-2")

_HERE: Final = Switch("00000000000000a1", ct_zone=1, name="br0", connected=True)
_THERE: Final = Switch("00000000000000b1", ct_zone=2, name="br1", connected=True)
_PORTS: Final = {_HERE.dpid: PORTS, _THERE.dpid: ("web-2", "link-1", "link-2")}
_LINKS: Final = ("link-1", "link-2")


def records() -> Iterator[Record]:
    """The rows of service, containers, switches, ports and links."""
    yield from (Global(database="1a2b3c4d"), _HERE, _THERE)
    for dpid, names in _PORTS.items():
        for number, name in enumerate(names, start=1):
            yield _port(dpid, name, number)
    for name in _LINKS:
        yield Link(_HERE.dpid, name, _THERE.dpid, name)
        yield Link(_THERE.dpid, name, _HERE.dpid, name)
    yield Host("02:00:00:00:00:01", _HERE.dpid, "client", frozenset({"10.0.0.1"}))
    yield from _intent()


def rules() -> Rules:
    """All rules of the client's switch."""
    view = Mirror()
    for record in records():
        view.apply(RowChange(None, record))
    view.apply(RowChange(None, next_slots("web", view, now_ms=0)))
    return merged(compile_state(view, _HERE).values())


def service_group() -> Group:
    """The group that chooses a container."""
    (only,) = (each for each in rules().groups if each.group_id in GROUP_IDS)
    return only


def route_group() -> Group:
    """The group that leads to the other switch."""
    (only,) = (each for each in rules().groups if each.group_id not in GROUP_IDS)
    return only


def containers() -> list[Container]:
    """The containers of the service."""
    return [each for each in _intent() if isinstance(each, Container)]


def commands() -> str:
    """The intent, as commands that state it."""
    lines = ["prewire service set web --vip 10.0.0.100 --port 80"]
    lines += [
        f"prewire container set web {each.id} --address {each.address} --port {each.port} "
        f"--iface-id {each.iface_id}"
        for each in containers()
    ]
    lines.append("prewire container delete web web-3 --drain 60")
    lines.append("prewire policy set to-web --to web --class interactive --max 50M --max-pps 20000")
    return "```sh\n" + "\n".join(lines) + "\n```"


def _intent() -> Iterator[Service | Container | Policy | PolicyShare]:
    yield Service("web", "10.0.0.100", 80, "tcp", number=1)
    yield Policy("to-web", None, "web", "interactive", max_bps=50_000_000, max_pps=20_000, number=1)
    for switch in (_HERE, _THERE):
        yield PolicyShare("to-web", switch.dpid, 25_000_000, 10_000)
    for place in (1, 2, 3):
        name = f"web-{place}"
        container = Container(
            "web", name, f"10.0.0.1{place}", 8080, _mac(place), iface_id=name, number=place + 1
        )
        yield draining(container, now_ms=0, drain_seconds=60) if place == 3 else container


def _port(dpid: str, name: str, number: int) -> Port:
    if name.startswith("web-"):
        mac = _mac(int(name[-1]))
        return Port(dpid, name, number, mac, iface_id=name, attached_mac=mac, up=True)
    return Port(dpid, name, number, f"02:00:00:00:{dpid[-2:]}:{number:02x}", up=True)


def _mac(place: int) -> str:
    return f"02:00:00:00:00:1{place}"
