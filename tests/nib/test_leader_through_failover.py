"""A leader of the controllers stays one while the database's leader hangs: it is no less alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from nib.cluster import EmbeddedCluster
from nib.records import Leader
from prewire.processes import tied
from ryu_apps.election import LEASE_SECONDS
from ryu_apps.fenced import FencedNib
from ryu_apps.leadership import Leadership
from tests.waiting import had_s, until

AWAY_S: Final = 30.0


class Controller:
    """One that stands for election, and does nothing else."""

    def __init__(self, remote: str, name: str, stack: ExitStack) -> None:
        self.nib = FencedNib(remote, name)
        stack.enter_context(self.nib)
        self.leadership = Leadership(self.nib, name)
        stack.callback(self.leadership.close)
        self.leadership.start()
        until(lambda: self.leadership.seen, bool, "somebody leads")

    def beat(self) -> int:
        """How often the leader was heard, as it knows."""
        with self.nib.view() as view:
            return view.need(Leader, ()).beat


@pytest.fixture
def cluster(state_dir: Path) -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(state_dir, tied()) as running:
        yield running


@pytest.mark.parametrize("fails", ["pause", "kill"])
def test_the_database_fails_over_and_the_leader_leads_on(
    cluster: EmbeddedCluster, fails: str
) -> None:
    """It is silent for longer than its lease, since nobody can hear it; who waits knows that."""
    with ExitStack() as stack:
        leading = Controller(cluster.remote, "one", stack)
        waiting = Controller(cluster.remote, "two", stack)
        assert (leading.leadership.epoch, waiting.leadership.epoch) == (1, 0)
        getattr(cluster.leader(), fails)()
        before = waiting.beat() + 1  # one may have been under way
        until(waiting.beat, lambda beat: beat > before, "the leader is heard again", AWAY_S)
        later = had_s() + 2 * LEASE_SECONDS
        until(had_s, lambda now: now > later, "two more leases have passed")
        assert (leading.leadership.epoch, waiting.leadership.seen) == (1, 1)
