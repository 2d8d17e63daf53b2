"""A service that clients reach by some switches only: the others hold nothing of it."""

from __future__ import annotations

import pytest

from tests.acceptance.deployment import sample_values
from tests.acceptance.site import VIP
from tests.fabric.site import FabricSite

pytestmark = [pytest.mark.root, pytest.mark.alone]


def rule_messages(site: FabricSite) -> dict[str, float]:
    """How many messages that change rules the leader sent to each switch."""
    page = site.fabric.leader.metrics()
    return {
        name: sum(
            sample_values(
                page, "prewire_switch_rule_messages_total", {"switch": site.dpid_of(name)}
            )
        )
        for name in site.switches
    }


def test_only_the_switches_named_are_programmed_and_balance(site: FabricSite) -> None:
    named = ["leaf1", "leaf2"]
    site.add_service(switches=[site.dpid_of(name) for name in named])
    site.add("c1", "c7")
    assert set(site.get(40)) == {"c1", "c7"}, "by leaf1, to containers at both ends"
    assert set(site.get(40, host="cli2")) == {"c1", "c7"}
    elsewhere = site.net.run("cli4", ["curl", "-sS", "-m", "2", f"http://{VIP}/"])
    assert elsewhere.returncode in (7, 28), f"refused, or no answer: {elsewhere}"
    before = rule_messages(site)
    site.add("c1", weight=3)
    changed = {name: after - before[name] for name, after in rule_messages(site).items()}
    assert [name for name, count in changed.items() if count] == named, changed
    site.add_service()
    assert set(site.get(40, host="cli4")) == {"c1", "c7"}, "every switch again"
