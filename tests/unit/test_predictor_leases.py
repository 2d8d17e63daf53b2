"""Shards: each has one holder, and a dead one's go to those who live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from nib.draft import Draft
from nib.mirror import Mirror
from nib.plans import SHARDS, Predictor, Shard
from predictor.running.leases import DEAD_SECONDS, Leases, owner_of
from predictor.running.membership import Membership


class Site:
    """Some predictors, and the rows that they share."""

    def __init__(self, names: Iterable[str]) -> None:
        self.leases = {name: Leases(name) for name in names}
        self.rows = {name: Predictor(name, "") for name in self.leases}
        self.shards: dict[int, Shard] = {}
        self.writers: Counter[int] = Counter()

    def tick(self, now_s: float, living: Iterable[str]) -> None:
        """All of them see the same rows, and write what they find."""
        written: Counter[int] = Counter()
        seen = dict(self.shards)
        for name in living:
            self.rows[name] = replace(self.rows[name], beat=self.rows[name].beat + 1)
        for name in living:
            for shard in self.leases[name].step(self.rows.values(), seen, now_s):
                written[shard.number] += 1
                self.shards[shard.number] = shard
        assert max(written.values(), default=0) <= 1, "two would write the same shard"

    def held(self) -> Counter[str]:
        return Counter(shard.holder for shard in self.shards.values())


def test_one_predictor_takes_every_shard_at_once() -> None:
    site = Site(["one"])
    site.tick(0, ["one"])
    assert site.held() == {"one": SHARDS}


def test_several_share_and_each_shard_has_one_holder() -> None:
    site = Site(["one", "two", "three"])
    for second in range(6):
        site.tick(second, ["one", "two", "three"])
    assert site.held().total() == SHARDS
    assert min(site.held()[name] for name in site.leases) >= 2


def test_the_shards_of_a_dead_one_are_taken_within_seconds_and_no_others_move() -> None:
    site = Site(["one", "two", "three"])
    for second in range(6):
        site.tick(second, ["one", "two", "three"])
    before = dict(site.shards)
    now_s = 6.0
    while site.held()["three"]:
        site.tick(now_s, ["one", "two"])
        now_s += 0.5
        assert now_s < 6 + DEAD_SECONDS + 1
    for number, shard in before.items():
        if shard.holder != "three":
            assert site.shards[number] == shard


def test_one_that_comes_is_handed_its_shards_by_their_holders() -> None:
    site = Site(["one", "two"])
    site.rows.pop("two")
    site.tick(0, ["one"])
    site.rows["two"] = Predictor("two", "")
    for second in range(1, 4):
        site.tick(second, ["one", "two"])
    wanted = Counter(owner_of(number, ["one", "two"]) for number in range(SHARDS))
    assert site.held() == wanted
    assert all(shard.epoch == 2 for shard in site.shards.values() if shard.holder == "two")


def test_a_predictor_that_stopped_beating_is_told_dead() -> None:
    leases = Leases("one")
    rows = [Predictor("one", "", beat=1), Predictor("two", "", beat=7)]
    assert leases.dead(rows, 0.0) == ()
    assert leases.dead(rows, DEAD_SECONDS + 0.1) == ("two",)
    assert leases.dead([rows[0], replace(rows[1], beat=8)], DEAD_SECONDS + 0.2) == ()


def test_one_that_was_taken_for_dead_shares_again_when_it_goes_on() -> None:
    mirror, now_s = Mirror(), 0.0
    one, two = (Membership(Predictor(name, ""), lambda: now_s) for name in ("one", "two"))

    def beat(each: Membership) -> None:
        each.beat(mirror)(Draft(mirror))

    for each in (one, two, one):
        beat(each)
    while mirror.get(Predictor, "two"):
        now_s += 1.0
        beat(one)
        assert now_s < DEAD_SECONDS + 3
    for _ in range(3):
        now_s += 1.0
        beat(two)
        beat(one)
    assert {shard.holder for shard in mirror.all(Shard)} == {"one", "two"}
