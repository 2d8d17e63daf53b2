"""Switches, links, stations, policies, events and the whole, as watchers see them.

Owns: which rows change which of them.
Must not know: watchers, HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, cast

from nib.events import Event
from nib.mirror import Lookups, RowChange
from nib.plans import PolicyRate
from nib.qos import LinkRate, Policy, PolicyConnections, PolicyShare, PortQos, QosClass
from nib.records import INTENT, Leader, Record
from nib.topology import Host, Link, Port, Switch
from prewire.api.event_routes import event_out
from prewire.api.status_routes import status_out
from prewire.api.switch_routes import switch_out
from prewire.api.watching.gateway_kinds import STANDING
from prewire.api.watching.kinds import (
    ALL,
    Keyed,
    Kind,
    Touch,
    Touched,
    by,
    everything,
    one_unit,
    whole,
)
from prewire.fabric.links import link_list
from prewire.fabric.located import host_list
from qos.answers import class_list, link_rate_list, policy_out
from qos.bandwidth import bandwidth_list
from ryu_apps.provision import provision

_SHOWN_EVENTS: Final = 200


def _dpid(record: Record) -> str:
    return cast(Switch, record).dpid


def _at_both_ends(change: RowChange, _view: Lookups) -> Touched:
    link = cast(Link, change.record)
    return (link.switch, link.peer)


def _renamed(change: RowChange, _view: Lookups) -> Touched:
    """Everything, where a switch is new, gone or has another name: its acknowledgements, which
    change most, are no matter."""
    old, new = cast("Switch | None", change.old), cast("Switch | None", change.new)
    return () if old is not None and new is not None and old.name == new.name else None


def _reconnected(change: RowChange, _view: Lookups) -> Touched:
    """Everything, but for acknowledgements of switches."""
    old, new = cast("Switch | None", change.old), cast("Switch | None", change.new)
    is_same = old is not None and new is not None and replace(old, applied=new.applied) == new
    return () if is_same else None


def _new_leader(change: RowChange, _view: Lookups) -> Touched:
    """Everything, but for the leader's beats."""
    old, new = cast("Leader | None", change.old), cast("Leader | None", change.new)
    is_same = old is not None and new is not None and replace(old, beat=new.beat) == new
    return () if is_same else (ALL,)


def _switches(dpid: str, view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    row = view.get(Switch, dpid)
    if row is not None:
        yield dpid, switch_out(row, view)


def _links(view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    return ((f"{each.switch}/{each.port}", each) for each in link_list(view).items)


def _hosts(view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    return ((each.mac, each) for each in host_list(view).items)


def _policies(name: str, view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    row = view.get(Policy, name)
    if row is not None:
        yield name, policy_out(row, view, provision(view))


def _classes(view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    return ((each.name, each) for each in class_list(view).items)


def _link_rates(view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    return ((f"{each.switch}/{each.port}", each) for each in link_rate_list(view).items)


def _bandwidth(view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    found = bandwidth_list(view, provision(view), switch=None).items
    return ((f"{each.switch}/{each.port}", each) for each in found)


def _events(name: str, view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    row = view.get(Event, name)
    if row is not None:
        yield name, event_out(row)


def _status(view: Lookups, now_ms: int) -> Iterator[Keyed]:
    yield ALL, status_out(view, now_ms)


# What decides how policies and links stand, beside switches, whose acknowledgements do not.
_PROVISION: Final[dict[type[Record], Touch]] = {
    **dict.fromkeys((*INTENT, Port, Link, Host, PolicyRate), everything),
    Switch: _reconnected,
}
_OF_POLICY: Final = by(lambda record: cast(PolicyShare, record).policy)

KINDS: Final = (
    Kind(
        "switches",
        "/v1/switches",
        {
            Switch: by(_dpid),
            Port: by(lambda record: cast(Port, record).switch),
            Link: _at_both_ends,
        },
        lambda view: (each.dpid for each in view.all(Switch)),
        _switches,
    ),
    Kind(
        "links",
        "/v1/links",
        {Link: everything, Port: everything, Switch: _renamed},
        one_unit,
        whole(_links),
        pace_s=0.25,
    ),
    Kind(
        "hosts",
        "/v1/hosts",
        {**dict.fromkeys((Host, Port, Link), everything), **STANDING, Switch: _renamed},
        one_unit,
        whole(_hosts),
        pace_s=0.5,
    ),
    Kind(
        "policies",
        "/v1/policies",
        {**_PROVISION, PolicyShare: _OF_POLICY, PolicyConnections: _OF_POLICY},
        lambda view: (each.name for each in view.all(Policy)),
        _policies,
        pace_s=0.25,
    ),
    Kind(
        "classes",
        "/v1/classes",
        {QosClass: everything, Policy: everything},
        one_unit,
        whole(_classes),
        pace_s=0.25,
    ),
    Kind(
        "link-rates",
        "/v1/link-rates",
        {LinkRate: everything, Port: everything, Switch: _renamed},
        one_unit,
        whole(_link_rates),
        pace_s=0.25,
    ),
    Kind(
        "bandwidth",
        "/v1/bandwidth",
        {**_PROVISION, PortQos: everything},
        one_unit,
        whole(_bandwidth),
        pace_s=0.5,
    ),
    Kind(
        "events",
        "/v1/events",
        {Event: by(lambda record: cast(Event, record).id)},
        lambda view: (each.id for each in view.all(Event)),
        _events,
        filters=("kind", "name", "severity"),
        newest=_SHOWN_EVENTS,
        grows=True,
    ),
    Kind(
        "status",
        "/v1/status",
        {
            **dict.fromkeys((*STANDING, *_PROVISION, PolicyShare), everything),
            Leader: _new_leader,
            Switch: everything,
        },
        one_unit,
        whole(_status),
        pace_s=1.0,
    ),
)
