"""Rows of plans and overrides change what a real switch lets through, when they say so and as long;
whoever wrote them is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from nib.plans import PolicyRate, RatePlan
from nib.prewarm import Override
from nib.qos import LinkRate, Policy
from qos.pipeline import bit_meter
from ryu_apps.provision import provision
from ryu_apps.ticks import now_ms
from tests.needs import need_ovs
from tests.switch.controlled import BRIDGE, DPID, Controlled, controlled
from tests.switch.openflow_relay import Relay
from tests.waiting import until

OWN: Final = 10_000_000
PLANNED: Final = 40_000_000
_METER: Final = re.compile(r"meter=(\d+).*?rate=(\d+)", re.DOTALL)


@pytest.fixture(scope="module")
def switch() -> Iterator[Controlled]:
    need_ovs()
    with controlled() as made:
        made.serve("c2")
        yield made


@pytest.fixture
def here(switch: Controlled) -> Iterator[Controlled]:
    """A policy of what anyone sends to a container."""
    switch.put(Policy("limited", None, "web", max_bps=OWN))
    await_rate(switch, OWN)
    yield switch
    switch.write(
        lambda draft: [
            draft.delete(kind, row.key) for kind in (Policy, Override) for row in draft.all(kind)
        ]
    )


def rate(here: Controlled) -> int:
    """Bits a second that the switch lets through of the policy."""
    with here.nib.view() as view:
        meter = bit_meter(view.need(Policy, "limited").number)
    told = dict(_METER.findall(here.ovs.ofctl("dump-meters", BRIDGE)))
    return 1000 * int(told.get(str(meter), 0))


def await_rate(here: Controlled, bps: int) -> None:
    until(lambda: rate(here), lambda seen: seen == bps, f"the meter's rate is {bps}")


def in_force(here: Controlled) -> PolicyRate | None:
    with here.nib.view() as view:
        return view.get(PolicyRate, "limited")


def plan(from_ms: int, until_ms: int, bps: int = PLANNED) -> RatePlan:
    return RatePlan("limited", from_ms, until_ms, "forecast", bps)


def test_a_plan_raises_the_meter_when_it_begins_and_not_before(here: Controlled) -> None:
    begins = now_ms() + 2500
    row = plan(begins, begins + 1500)
    here.put(row)
    seen: list[tuple[int, int]] = []
    while not seen or seen[-1][0] < begins:
        bps = rate(here)
        seen.append((now_ms(), bps))
    early = [bps for at_ms, bps in seen if at_ms < begins]
    assert early
    assert set(early) == {OWN}
    await_rate(here, PLANNED)
    assert in_force(here) == PolicyRate("limited", "plan", row.until_ms, PLANNED)
    await_rate(here, OWN)
    assert now_ms() >= row.until_ms
    until(lambda: in_force(here), lambda found: found is None, "its own rates are in force")


def test_an_override_wins_over_a_plan_and_is_over_by_itself(here: Controlled) -> None:
    here.put(plan(0, now_ms() + 600_000))
    await_rate(here, PLANNED)
    ends = now_ms() + 2000
    here.put(Override("policy", "limited", ends, max_bps=3_000_000))
    await_rate(here, 3_000_000)
    here.put(plan(0, now_ms() + 600_000, 50_000_000))
    await_rate(here, 50_000_000)
    assert now_ms() >= ends
    here.write(lambda draft: draft.delete(RatePlan, "limited"))
    await_rate(here, OWN)


def test_a_controller_that_starts_anew_ends_what_is_over(here: Controlled) -> None:
    ends = now_ms() + 4000
    here.put(plan(0, ends))
    await_rate(here, PLANNED)
    here.process.kill()
    here.process.wait()
    until(now_ms, lambda now: now > ends, "the plan is over")
    assert rate(here) == PLANNED, "nobody is there to end it"
    here.restart_controller()
    await_rate(here, OWN)
    assert in_force(here) is None


def test_a_plan_changes_a_meter_and_no_flow(here: Controlled) -> None:
    with Relay(here.settings.controller_port) as relay:
        here.ovs.set_controller(BRIDGE, f"tcp:127.0.0.1:{relay.port}")
        here.await_switch()
        await_rate(here, OWN)
        until(relay.take, lambda counts: not counts.keys() - {"barrier"}, "it is quiet")
        here.put(plan(0, now_ms() + 600_000))
        await_rate(here, PLANNED)
        sent = relay.take()
        here.ovs.set_controller(BRIDGE, f"tcp:127.0.0.1:{here.settings.controller_port}")
        here.await_switch()
    assert sent.pop("barrier") >= 1
    assert sent == {"meter modify": 1}


def test_a_guarantee_of_a_plan_is_had_beside_those_of_policies(here: Controlled) -> None:
    """An operator's guarantee is admitted as if there were no plan, which then gives way."""
    here.put(LinkRate(DPID, "p2", 100_000_000), Policy("sure", "web", "web", "interactive"))
    here.put(RatePlan("sure", 0, now_ms() + 600_000, "forecast", guaranteed_bps=60_000_000))
    until(lambda: guaranteed(here), lambda sums: sums == 60_000_000, "the plan's guarantee")
    here.write(lambda draft: draft.delete(Policy, "limited"))
    here.put(Policy("mine", None, "web", "interactive", guaranteed_bps=50_000_000))
    until(lambda: guaranteed(here), lambda sums: sums == 65_000_000, "both, as far as links carry")
    with here.nib.view() as view:
        sure = view.need(PolicyRate, "sure")
    assert sure.guaranteed_bps == 15_000_000


def guaranteed(here: Controlled) -> int:
    """Bits a second of what leaves by the container's port that are guaranteed."""
    with here.nib.view() as view:
        return provision(view).links[DPID, "p2"].guaranteed_bps
