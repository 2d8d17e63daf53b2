"""What somebody changes in a switch behind prewire's back is found, put right and reported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from nib.draft import Draft
from nib.intent import Service
from nib.records import Audit
from openflow.cookies import GROUP_IDS, METER_IDS
from tests.acceptance.deployment import sample_values
from tests.switch.controlled import BRIDGE, DPID, Controlled, controlled
from tests.waiting import until

REPAIRED = "prewire_repaired_rules_total"
FOREIGN = "cookie=0x1234,table=5,priority=7,in_port=77,actions=drop"
ALIEN = "cookie=0x7000000100000042,table=5,priority=7,in_port=78,actions=drop"
ALIEN_GROUP = f"group_id={GROUP_IDS.stop - 1},type=all,bucket=output:1"
FOREIGN_GROUP = "group_id=5,type=all,bucket=output:1"
ALIEN_METER = f"meter={METER_IDS.stop - 1},kbps,band=type=drop,rate=1000"


@pytest.fixture(scope="module")
def by_the_clock() -> Iterator[Controlled]:
    """Read back every half second."""
    with controlled(audit_seconds=0.5) as here:
        here.serve("c2", "c3")
        here.await_shares(c2=32, c3=32)
        yield here


@pytest.fixture(scope="module")
def on_request() -> Iterator[Controlled]:
    """Read back only where somebody asks."""
    with controlled(audit_seconds=0) as here:
        here.serve("c2", "c3")
        here.await_shares(c2=32, c3=32)
        yield here


def held(here: Controlled) -> list[str]:
    """The switch's flows, groups and meters, without counters."""
    flows = here.ovs.ofctl("dump-flows", BRIDGE).splitlines()[1:]
    groups = here.ovs.ofctl("dump-groups", BRIDGE).splitlines()[1:]
    meters = here.ovs.ofctl("dump-meters", BRIDGE).splitlines()[1:]
    counters = re.compile(r"(duration|n_packets|n_bytes|idle_age|hard_age)=[^,]*, ")
    found = {counters.sub("", line).strip() for line in (*flows, *groups, *meters)}
    return sorted(found - {""})


def meddle(here: Controlled) -> None:
    """Add some rules, alter one, delete four (the switch does so with flows that name a group).

    Deleted last: whichever reading by the clock sees the end of it finds that something is missing.
    """
    for flow in (FOREIGN, ALIEN):
        here.ovs.ofctl("add-flow", BRIDGE, flow)
    for group in (ALIEN_GROUP, FOREIGN_GROUP):
        here.ovs.ofctl("add-group", BRIDGE, group)
    here.ovs.ofctl("add-meter", BRIDGE, ALIEN_METER)
    here.ovs.ofctl("mod-flows", BRIDGE, "--strict", "table=100,priority=0,actions=output:1")
    here.ovs.ofctl("del-flows", BRIDGE, "table=50")
    here.ovs.ofctl("del-groups", BRIDGE, f"group_id={group_of_web(here)}")


def group_of_web(here: Controlled) -> int:
    """The id of the service's group."""
    with here.nib.view() as view:
        return GROUP_IDS.start + view.need(Service, "web").number


def clear(here: Controlled) -> None:
    """What is not prewire's stays until somebody takes it away."""
    here.ovs.ofctl("del-flows", BRIDGE, "table=5,in_port=77")
    here.ovs.ofctl("del-groups", BRIDGE, "group_id=5")


def counted(here: Controlled) -> tuple[float, float]:
    """Rules repaired so far: missing, alien."""
    page = here.metrics()
    missing, alien = (
        sum(sample_values(page, REPAIRED, {"switch": DPID, "kind": kind}))
        for kind in ("missing", "alien")
    )
    return missing, alien


def row(here: Controlled) -> Audit | None:
    """What the database says of the last read-back."""
    with here.nib.view() as view:
        return view.get(Audit, DPID)


def foreign_of(lines: list[str]) -> list[str]:
    return [line for line in lines if "in_port=77" in line or line.startswith("group_id=5,")]


def test_by_the_clock_the_switch_is_as_wanted_again(by_the_clock: Controlled) -> None:
    here = by_the_clock
    before, count = held(here), counted(here)
    meddle(here)
    until(
        lambda: held(here),
        lambda lines: sorted({*lines} - {*foreign_of(lines)}) == before,
        f"what was deleted is back, what is alien is gone; see {here.log}",
    )
    assert len(foreign_of(held(here))) == 2, "what is not prewire's is left alone"
    until(lambda: counted(here), lambda now: now[1] == count[1] + 3, "a flow, a group and a meter")
    assert counted(here)[0] > count[0] + 4
    found = until(lambda: row(here), lambda found: found is not None, "it is reported")
    assert found is not None
    assert (found.requested, found.finished) == (0, 0)
    assert any(line.startswith("missing ") for line in found.lines)
    clear(here)


def test_by_the_clock_nothing_is_said_or_sent_where_nothing_differs(
    by_the_clock: Controlled,
) -> None:
    here = by_the_clock
    here.ovs.ofctl("add-flow", BRIDGE, FOREIGN)
    known, count = row(here), counted(here)
    sent = here.metric("prewire_switch_rule_messages_total")
    read = sweeps(here)
    until(lambda: sweeps(here), lambda now: now >= read + 2, "it was read twice more")
    assert (row(here), counted(here)) == (known, count)
    assert here.metric("prewire_switch_rule_messages_total") == sent
    clear(here)


def sweeps(here: Controlled) -> float:
    """How often the switch was read back by the clock."""
    return here.metric("prewire_switch_read_backs_total", switch=DPID)


def test_on_request_it_is_reported_and_then_put_right(on_request: Controlled) -> None:
    here = on_request
    before, count = held(here), counted(here)
    meddle(here)
    here.write(ask)
    found = until(
        lambda: row(here),
        lambda found: found is not None and found.finished == found.requested,
        "the request is answered",
    )
    assert found is not None
    assert found.missing > 4
    assert found.alien == 5, "two are not prewire's"
    assert any("in_port=78" in line for line in found.lines)
    until(
        lambda: held(here),
        lambda lines: sorted({*lines} - {*foreign_of(lines)}) == before,
        f"what was deleted is back, what is alien is gone; see {here.log}",
    )
    assert counted(here) == (count[0] + found.missing, count[1] + 3)
    here.write(ask)
    again = until(
        lambda: row(here),
        lambda now: now is not None and now.finished > found.finished,
        "the next request is answered",
    )
    assert again is not None
    assert (again.missing, again.alien) == (0, 2)
    clear(here)


def ask(draft: Draft) -> object:
    """As `prewire diff` does."""
    known = draft.get(Audit, DPID) or Audit(DPID)
    return draft.put(replace(known, requested=known.requested + 1))
