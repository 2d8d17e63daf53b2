"""A database with three of everything that REST tells of, without a controller or a predictor."""

from __future__ import annotations

from typing import Final

from nib.draft import Draft
from nib.events import Event, event_id, record_event
from nib.intent import Container, Service
from nib.observed import Demand
from nib.plans import ContainerPlan, Dependency, Predictor, PrewarmRequest, RatePlan
from nib.prewarm import Override, Provisioning, Scaling, Schedule
from nib.qos import LinkRate, Policy
from nib.topology import Host, Link, Port, Switch

BEGAN_MS: Final = 1_795_322_800_000
LATER_MS: Final = 4_000_000_000_000
NAMES: Final = ("db", "shop", "web")
SWITCHES: Final = ("00000000000000a1", "00000000000000a2", "00000000000000a3")


def peopled(draft: Draft) -> None:
    """Put everything."""
    for number, dpid in enumerate(SWITCHES, 1):
        _switch(draft, dpid, number)
    for number, name in enumerate(NAMES, 1):
        _service(draft, name, number)
        _ahead(draft, name, number)
    for parent, child in (("web", "shop"), ("web", "db"), ("shop", "db")):
        draft.put(Dependency(parent, child, 4000, "learned", 120, 1500))
    for number, action in enumerate(("created", "changed", "deleted")):
        at_ms = BEGAN_MS + number
        record_event(draft, Event(event_id(at_ms), at_ms, "service", "web", action, actor="alice"))


def _switch(draft: Draft, dpid: str, number: int) -> None:
    """A switch with a port for a container of each service, linked to the next switch."""
    draft.put(Switch(dpid, number, f"br{number - 1}", connected=True))
    for place, name in enumerate(NAMES, 1):
        mac = f"02:00:00:00:{number:02x}:{place:02x}"
        draft.put(Port(dpid, f"veth{place}", place, mac, f"{name}-{number}", mac, up=True))
    draft.put(Port(dpid, "client", 9, f"02:00:00:00:{number:02x}:09", up=True))
    heard = f"02:00:00:01:00:{number:02x}"
    draft.put(Host(heard, dpid, "client", frozenset({f"10.0.1.{number}"})))
    following = SWITCHES[number % len(SWITCHES)]
    for port, of in (("next", number), ("last", number + 10)):
        mac = f"02:00:00:02:00:{of:02x}"
        draft.put(Port(dpid, port, of + 10, mac, up=True, speed_bps=10**10))
    draft.put(Link(dpid, "next", following, "last"))
    draft.put(Link(following, "last", dpid, "next"))
    draft.put(LinkRate(dpid, "client", 10**9))


def _service(draft: Draft, name: str, number: int) -> None:
    draft.put(Service(name, f"10.0.0.10{number}", 80))
    for place, dpid in enumerate(SWITCHES, 1):
        mac = f"02:00:00:00:{place:02x}:{number:02x}"
        address = f"10.0.{place + 1}.{number}"
        key = (name, f"{name}-{place}")
        version = f"v{place}"
        draft.put(
            Container(*key, address, 8080, mac, switch=dpid, switch_port=f"veth{number}",
                      version=version)
        )  # fmt: skip
    draft.put(Demand(name, BEGAN_MS, number))
    draft.put(Policy(f"to-{name}", destination=name, max_bps=10**7))


def _ahead(draft: Draft, name: str, number: int) -> None:
    """What is stated and decided ahead of time."""
    policy = f"to-{name}"
    draft.put(Scaling(name))
    draft.put(Provisioning(policy))
    draft.put(Schedule(f"noon-{name}", "0 12 * * *", 600, service=name, containers=number))
    draft.put(Override("service", name, LATER_MS, containers=number))
    draft.put(ContainerPlan(name, number, BEGAN_MS, LATER_MS, "forecast", made_ms=BEGAN_MS))
    draft.put(RatePlan(policy, BEGAN_MS, LATER_MS, "forecast", max_bps=10**6, made_ms=BEGAN_MS))
    needed_ms = BEGAN_MS + 5000
    draft.put(PrewarmRequest(f"7f3{number}", name, 4, 3, BEGAN_MS, needed_ms, LATER_MS))
    draft.put(Predictor(f"predictor-{number}", "127.0.0.1:8690", since_ms=BEGAN_MS))
