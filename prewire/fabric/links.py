"""Links between switches as an operator sees them: both ends, what they carry, what is wrong.

One link is one cable: what the database has for each direction is told once. Pure: a view of the
database in, values out.

Must not know: paths over links, HTTP.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from nib.mirror import Lookups
from nib.paging import ALL, Next, Page
from nib.topology import Link, Port, Switch
from ryu_apps.routing import usable


class LinkOut(BaseModel):
    """A link between two switches."""

    switch: str = Field(description="datapath id")
    switch_name: str
    port: str
    peer: str = Field(description="datapath id of the switch at the other end")
    peer_name: str
    peer_port: str
    both_ways: bool = Field(description="probes arrive in both directions")
    up: bool = Field(description="both ports are up")
    capacity_bps: int | None = Field(
        description="bits per second of the slower port; null where a port does not tell"
    )
    problem: str = Field(description="why it carries no traffic; empty if it does")


class LinkList(BaseModel):
    """Links, by switch and port."""

    items: list[LinkOut]
    next: Next = None


def link_list(
    view: Lookups, *, switch: str | None = None, port: str | None = None, page: Page = ALL
) -> LinkList:
    """All links, or those of one switch or port, which is then the near end of each."""
    told = (_told(link, view) for link in view.all(Link) if _is_told(link, view))
    turned = (_turned(each) if not _begins(each, switch, port) else each for each in told)
    found = (each for each in turned if _begins(each, switch, port))
    part = page.cut(found, lambda each: (each.switch, each.port))
    return LinkList(items=list(part.rows), next=part.next)


def _is_told(link: Link, view: Lookups) -> bool:
    """Of the two directions of one cable only that with the smaller near end."""
    return not _is_both_ways(link, view) or link.key <= _far(link)


def _begins(link: LinkOut, switch: str | None, port: str | None) -> bool:
    return switch in (None, link.switch) and port in (None, link.port)


def _turned(link: LinkOut) -> LinkOut:
    """The link from its other end."""
    near = {"switch": link.peer, "switch_name": link.peer_name, "port": link.peer_port}
    far = {"peer": link.switch, "peer_name": link.switch_name, "peer_port": link.port}
    return link.model_copy(update={**near, **far})


def _told(link: Link, view: Lookups) -> LinkOut:
    ports = [view.get(Port, end) for end in (link.key, _far(link))]
    speeds = [port.speed_bps for port in ports if port is not None and port.speed_bps]
    return LinkOut(
        switch=link.switch,
        switch_name=_name(link.switch, view),
        port=link.port,
        peer=link.peer,
        peer_name=_name(link.peer, view),
        peer_port=link.peer_port,
        both_ways=_is_both_ways(link, view),
        up=all(port is not None and port.up for port in ports),
        capacity_bps=min(speeds) if len(speeds) == len(ports) else None,
        problem=_problem(link, view) if usable(link, view) is None else "",
    )


def _problem(link: Link, view: Lookups) -> str:
    """Why a link carries nothing."""
    if link.switch == link.peer:
        return "both its ends are at one switch"
    for switch, name in (link.key, _far(link)):
        port = view.get(Port, (switch, name))
        if port is None or not port.up:
            return f"{_port(switch, name)} is {'gone' if port is None else 'down'}"
    back = view.get(Link, _far(link))
    if back is None:
        return f"what leaves {_port(*_far(link))} was not seen to arrive"
    return f"what leaves {_port(*_far(link))} arrives at {_port(*_far(back))}"


def _port(switch: str, name: str) -> str:
    return f"port {name} of {switch}"


def _far(link: Link) -> tuple[str, str]:
    return link.peer, link.peer_port


def _is_both_ways(link: Link, view: Lookups) -> bool:
    back = view.get(Link, _far(link))
    return back is not None and _far(back) == link.key


def _name(dpid: str, view: Lookups) -> str:
    switch = view.get(Switch, dpid)
    return switch.name if switch else ""
