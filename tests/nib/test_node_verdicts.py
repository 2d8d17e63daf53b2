"""Verdicts of checks in a real database, when a container moves to the switch of another agent.

The checks themselves get nowhere: nobody has the VIP's address here. So what is known stays.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from gateway_lb.health import Target, health_iface, targets_of
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.observed import Health
from nib.policy import HealthCheck
from nib.topology import Port, Switch
from prewire.host.checks import Checks
from tests.nib.conftest import OpenNib

HERE, THERE = f"{1:016x}", f"{2:016x}"
MAC = "02:00:00:00:00:01"
WEB = Service("web", "192.0.2.1", 80, health=HealthCheck(interval_ms=50))
ONE = Container("web", "one", "192.0.2.2", 8080, MAC, switch=HERE, switch_port="p1")
KEY = ONE.key
UP = Health("web", "one", up=True)


def put_everything(draft: Draft) -> None:
    for zone, dpid in enumerate((HERE, THERE), 1):
        draft.put(Switch(dpid, zone, connected=True))
        draft.put(Port(dpid, "p1", 1, MAC, up=True))
        draft.put(Port(dpid, "pwh", 9, MAC, iface_id=health_iface(dpid), up=True))
    for record in (WEB, ONE, UP):
        draft.put(record)


def wanted(nib: Nib, dpid: str) -> dict[tuple[str, str], Target]:
    """What the agent of a switch checks."""
    with nib.view() as view:
        found = targets_of(view.need(Service, "web"), {dpid}, view)
    return {target.key: target for target in found.values()}


def verdict(nib: Nib) -> Health | None:
    """After all that was written before."""
    nib.write(lambda _: None).result(60)
    with nib.view() as view:
        return view.get(Health, KEY)


def checking() -> int:
    return sum(task.get_name() == "check web/one" for task in asyncio.all_tasks())


async def moved(nib: Nib, here: Checks, there: Checks) -> None:
    here.set(wanted(nib, HERE))
    there.set(wanted(nib, THERE))
    assert checking() == 1
    nib.write(lambda draft: draft.put(replace(ONE, switch=THERE))).result(60)
    here.set(wanted(nib, HERE))
    there.set(wanted(nib, THERE))
    await asyncio.sleep(0)  # the task that was ended ends
    assert checking() == 1
    assert not wanted(nib, HERE)
    assert verdict(nib) == UP
    nib.write(lambda draft: draft.put(replace(WEB, health=None))).result(60)
    there.set(wanted(nib, THERE))
    assert verdict(nib) is None
    assert (here._writes, there._writes) == ({}, {}), "containers come and go; nothing is kept"
    await here.close()
    await there.close()


def test_a_verdict_moves_along_and_one_agent_checks(open_nib: OpenNib) -> None:
    nib = open_nib()
    nib.write(put_everything).result(60)
    chance = random.Random(1)
    asyncio.run(moved(nib, Checks(nib, chance), Checks(nib, chance)))
