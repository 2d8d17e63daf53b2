"""What REST answers of bandwidth: of every way out of a switch, what it can carry and for whom.

Must not know: paths, requests.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nib.mirror import Lookups
from nib.paging import ALL, Next, Page
from nib.qos import PortQos
from nib.topology import Link, Switch
from qos.classes import DEFAULT, classes_of
from qos.provision import LinkState, Provision


class ClassShareOut(BaseModel):
    """What a class has of a link."""

    model_config = ConfigDict(serialize_by_alias=True)

    qos_class: str = Field(alias="class")
    guaranteed_bps: int = Field(description="to policies of it, in all")
    minimum_bps: int = Field(description="kept for it: its minimum share, or what is guaranteed")
    free_bps: int = Field(description="what more could be guaranteed in it; nothing in `default`")


class BandwidthOut(BaseModel):
    """What leaves a switch by one of its ports."""

    switch: str = Field(description="its datapath id")
    switch_name: str
    port: str
    peer: str = Field(description="the switch at the other end; empty at an edge port")
    rate_bps: int = Field(description="0: not known, so nothing can be guaranteed")
    source: Literal["stated", "port", "unknown"] = Field(description="who says so")
    guaranteed_bps: int = Field(description="to policies, in all")
    free_bps: int = Field(description="beyond what is kept for classes")
    classes: list[ClassShareOut] = Field(description="where the rate is known, by queue")
    method: str = Field(description="how the node agent has queues enforced; empty: no queues")
    problem: str = Field(description="what does not work about it; or empty")


class BandwidthList(BaseModel):
    """Ways out of switches, by switch and port."""

    items: list[BandwidthOut]
    next: Next = None


def bandwidth_list(
    view: Lookups, provision: Provision, *, switch: str | None, page: Page = ALL
) -> BandwidthList:
    """Every link that is known of, or those of one switch."""
    meant = [link for link in provision.links.values() if switch in (None, link.key[0])]
    part = page.cut(meant, lambda link: link.key)
    return BandwidthList(items=[_bandwidth_out(link, view) for link in part.rows], next=part.next)


def _bandwidth_out(link: LinkState, view: Lookups) -> BandwidthOut:
    dpid, port = link.key
    switch, far = view.get(Switch, dpid), view.get(Link, link.key)
    enforced = view.get(PortQos, link.key)
    source: Literal["stated", "port"] = "stated" if link.stated else "port"
    return BandwidthOut(
        switch=dpid,
        switch_name=switch.name if switch else "",
        port=port,
        peer=far.peer if far else "",
        rate_bps=link.rate_bps,
        source=source if link.rate_bps else "unknown",
        guaranteed_bps=link.guaranteed_bps,
        free_bps=link.free_bps,
        classes=_class_shares(link, view) if link.rate_bps else [],
        method=enforced.method if enforced else "",
        problem=enforced.problem if enforced else "",
    )


def _class_shares(link: LinkState, view: Lookups) -> list[ClassShareOut]:
    return [
        ClassShareOut.model_validate(
            {
                "class": name,
                "guaranteed_bps": link.guaranteed.get(name, 0),
                "minimum_bps": link.minimum(name),
                "free_bps": 0 if name == DEFAULT else link.free(name),
            }
        )
        for name in classes_of(view)
    ]
