from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nib.plans import Dependency
from nib.prewarm import DependencyRule
from predictor.dependencies.discover import among_all, among_pairs, surprises
from predictor.dependencies.learner import Learner, discover
from predictor.dependencies.rules import ruled, union
from predictor.series.synthetic import Link, Source, Synthetic, generate, site
from predictor.series.window import Window

_STEPS = 900
_SHARED = Source("a", "periodic", peak=20.0, period=60, width=3, jitter=20, clock="cron")


def _site(chains: int = 3, steps: int = _STEPS, step_s: float = 1.0) -> Synthetic:
    return site(chains, 5, steps, step_s=step_s)


def _pairs(found: tuple[Dependency, ...]) -> set[tuple[str, str]]:
    return {each.key for each in found}


@pytest.mark.parametrize("step_s", [1.0, 60.0])
def test_dependencies_are_found_with_lag_and_slope_and_no_others(step_s: float) -> None:
    made = _site(step_s=step_s)
    found = {each.key: each for each in discover(made.window, made.talks, 30)}
    links = {(link.parent, link.child): link for link in made.links}
    assert set(found) == set(links)
    for pair, link in links.items():
        late = found[pair].lag_ms / 1000 / step_s - link.lag
        assert 0 <= late <= link.spread, pair
        assert found[pair].slope_permille == pytest.approx(1000 * link.slope, rel=0.15), pair
        assert found[pair].gain_permille >= 30


def test_a_shared_schedule_is_no_dependency_of_services_that_do_not_talk() -> None:
    shared = [_SHARED, replace(_SHARED, name="b", phase=4), Source("c", level=3.0)]
    made = generate(shared, [], _STEPS, 2, talks=[("a", "c"), ("b", "c")])
    assert discover(made.window, made.talks, 30) == ()
    assert ("a", "b") in _pairs(discover(made.window, None, 30)), "the gate is what rejects it"


def test_a_strictly_regular_schedule_is_no_dependency_even_of_services_that_talk() -> None:
    regular = replace(_SHARED, jitter=0, clock="")
    made = generate([regular, replace(regular, name="b", phase=4)], [], _STEPS, 2)
    assert discover(made.window, {("a", "b")}, 30) == ()


def test_a_rise_at_the_same_time_is_no_dependency() -> None:
    burst = replace(_SHARED, kind="bursty")
    made = generate([burst, replace(burst, name="b")], [], _STEPS, 2)
    assert discover(made.window, {("a", "b")}, 30) == ()


def test_what_mostly_comes_at_the_same_time_is_no_candidate_though_some_comes_later() -> None:
    links = [Link("a", "b", 0, 0.7), Link("a", "b", 5, 0.3)]
    made = generate([replace(_SHARED, kind="bursty"), Source("b")], links, _STEPS, 2)
    whitened = surprises(made.window.values)
    assert not len(among_pairs(whitened, [(0, 1)], 30, 0.1))
    assert not len(among_all(whitened, np.arange(2), 30, 0.1))
    ahead = whitened[0, :-5] @ whitened[1, 5:]
    assert ahead > 0.1, "or it would be none for another reason"


def test_slow_waves_that_only_swing_alike_are_no_candidates() -> None:
    wave = Source("a", "daily", level=50.0, period=300)
    made = generate([wave, replace(wave, name="b", phase=20)], [], _STEPS, 2)
    whitened = surprises(made.window.values)
    assert not len(among_all(whitened, np.arange(2), 30, 0.2))
    raw = np.corrcoef(made.window.values[0, :-20], made.window.values[1, 20:])
    assert raw[0, 1] > 0.9, "they do correlate"


def test_the_reverse_of_a_dependency_is_none_whoever_opens_connections() -> None:
    made = generate([_SHARED, Source("b")], [Link("a", "b", 5)], _STEPS, 2)
    assert _pairs(discover(made.window, {("b", "a")}, 30)) == {("a", "b")}


def test_a_parents_parent_is_not_a_parent_though_all_talk() -> None:
    sources = [_SHARED, Source("b", level=2.0), Source("c", level=2.0)]
    made = generate(sources, [Link("a", "b", 4), Link("b", "c", 3, 0.5)], _STEPS, 2)
    everybody = {("a", "b"), ("b", "c"), ("a", "c")}
    assert _pairs(discover(made.window, everybody, 30)) == {("a", "b"), ("b", "c")}


def test_a_parent_whose_surges_another_accounts_for_is_none() -> None:
    made = site(12, 5, _STEPS)
    talks = made.talks | {(f"gateway-{i}", f"back-{i}") for i in range(12)}
    found = discover(made.window, talks, 30)
    links = {(link.parent, link.child) for link in made.links}
    assert all(each.slope_permille for each in found)
    assert len(_pairs(found) - links) <= 1
    assert len(_pairs(found) & links) >= len(links) - 2


def test_both_parents_of_a_child_are_found() -> None:
    other = replace(_SHARED, name="x", clock="", period=83, kind="bursty")
    links = [Link("a", "b", 4, 0.7), Link("x", "b", 6, 0.5)]
    made = generate([_SHARED, other, Source("b", level=1.0)], links, _STEPS, 2)
    found = {each.key: each for each in discover(made.window, made.talks, 30)}
    assert set(found) == {("a", "b"), ("x", "b")}
    assert found[("a", "b")].slope_permille == pytest.approx(700, rel=0.15)
    assert found[("x", "b")].slope_permille == pytest.approx(500, rel=0.15)


def test_both_ways_of_correlating_agree() -> None:
    made = _site()
    whitened = surprises(made.window.values)
    everybody = np.arange(len(whitened))
    whole = among_all(whitened, everybody, 20, 0.1)
    pairs = [(int(p), int(c)) for p in everybody for c in everybody if p != c]
    single = among_pairs(whitened, pairs, 20, 0.1)
    assert len(whole) > 5
    found = [
        {
            (int(p), int(c)): int(lag)
            for p, c, lag in zip(w.parents, w.children, w.lags, strict=True)
        }
        for w in (whole, single)
    ]
    assert found[0] == found[1]


def test_gaps_constants_and_nonsense_hide_nothing_and_break_nothing() -> None:
    made = _site()
    values = made.window.values.copy()
    values[:, ::17] = np.nan
    values[:, 100:105] = np.nan
    odd = np.vstack([np.full(_STEPS, 7.0), np.full(_STEPS, np.nan), np.full(_STEPS, -3.0)])
    odd = np.vstack([odd, np.where(np.arange(_STEPS) == 50, np.inf, 0.0)])
    names = (*made.window.names, "constant", "unknown", "negative", "infinite")
    window = Window(names, 1.0, 0, np.vstack([values, odd]))
    talks = made.talks | {(name, "gateway-0") for name in names[-4:]}
    found = _pairs(discover(window, talks, 30))
    links = {(link.parent, link.child) for link in made.links}
    assert found <= links
    assert len(found) >= len(links) - 1


def test_a_learner_finds_all_in_turns_and_forgets_what_no_longer_holds() -> None:
    made = _site()
    links = {(link.parent, link.child) for link in made.links}
    learner = Learner(30, children=6)
    learner.step(made.window, made.talks)
    assert _pairs(learner.state()) < links
    for _ in range(2):
        learner.step(made.window, made.talks)
    assert _pairs(learner.state()) == links
    alone = np.random.default_rng(1).permuted(made.window.values, axis=1)
    for hour in range(1, 4):
        for _ in range(3):
            assert learner.state(), "one bad window is not enough"
            learner.step(replace(made.window, values=alone, end_ms=hour * 3_600_000), made.talks)
    assert learner.state() == ()


def test_the_same_bad_window_counts_once() -> None:
    made = _site(1)
    learner = Learner(30)
    learner.step(made.window, made.talks)
    known = _pairs(learner.state())
    alone = np.random.default_rng(1).permuted(made.window.values, axis=1)
    for second in range(10):
        end_ms = 3_600_000 + 1000 * second
        learner.step(replace(made.window, values=alone, end_ms=end_ms), made.talks)
    assert _pairs(learner.state()) == known != set()


def test_a_learner_keeps_what_it_knows_while_nobody_knows_who_talks() -> None:
    made = _site(1)
    learner = Learner(30)
    learner.step(made.window, None)
    assert learner.state() == ()
    learner.step(made.window, made.talks)
    known = learner.state()
    assert known
    alone = np.random.default_rng(1).permuted(made.window.values, axis=1)
    learner.step(replace(made.window, values=alone, end_ms=3_600_000), None)
    quiet = replace(made.window, values=np.zeros_like(alone), end_ms=7_200_000)
    learner.step(quiet, made.talks)
    learner.step(replace(quiet, values=quiet.values[:, :10]), made.talks)
    assert learner.state() == known


def test_a_learner_forgets_pairs_that_stopped_talking() -> None:
    made = _site(1)
    learner = Learner(30)
    for hour in range(4):
        learner.step(replace(made.window, end_ms=hour * 3_600_000), made.talks if not hour else ())
    assert learner.state() == ()


def test_a_restarted_learner_goes_on_with_what_the_database_had() -> None:
    made = _site(1)
    learner, again = Learner(30), Learner(30)
    learner.step(made.window, made.talks)
    rows = (*learner.state(), Dependency("p", "q", 1000, source="pinned"))
    again.restore(rows, step_s=1.0)
    assert again.state() == learner.state()
    minutes = Learner(30)
    minutes.restore(rows, step_s=60.0)
    assert minutes.state() == (), "its lags are shorter than a minute"


def test_a_pin_takes_lag_and_slope_from_the_window_and_a_ban_stays_listed() -> None:
    made = generate([_SHARED, Source("b")], [Link("a", "b", 5, 0.5)], _STEPS, 2)
    learner = Learner(30)
    rules = [DependencyRule("a", "b", "pin"), DependencyRule("b", "a", "ban")]
    pin, ban = learner.dependencies(made.window, rules)
    assert (pin.source, pin.lag_ms) == ("pinned", 5000)
    assert pin.slope_permille == pytest.approx(500, rel=0.1)
    assert (ban.key, ban.source) == (("b", "a"), "banned")


def test_a_pin_is_looked_at_again_as_more_is_known() -> None:
    made = generate([_SHARED, Source("b")], [Link("a", "b", 5, 0.5)], _STEPS, 2)
    learner, rules = Learner(30), [DependencyRule("a", "b", "pin")]
    silent = replace(made.window, values=np.zeros_like(made.window.values))
    assert learner.dependencies(silent, rules)[0].slope_permille == 0
    (later,) = learner.dependencies(replace(made.window, end_ms=60_000), rules)
    assert later.slope_permille == pytest.approx(500, rel=0.1)
    assert learner.dependencies(made.window, ()) == ()


def test_rules_win_over_what_was_learned() -> None:
    learned = (Dependency("a", "b", 4000, "learned", 100, 900), Dependency("b", "c", 1000))
    rules = [
        DependencyRule("a", "b", "pin", lag_ms=7000),
        DependencyRule("b", "c", "ban"),
        DependencyRule("c", "d", "pin"),
    ]
    assert ruled(learned, rules) == (
        Dependency("a", "b", 7000, "pinned", 100, 900),
        Dependency("b", "c", 1000, "banned"),
        Dependency("c", "d", 0, "pinned"),
    )


def test_the_finer_steps_word_wins_and_a_pin_takes_a_slope_from_the_coarser() -> None:
    fine = (Dependency("a", "b", 4000, slope_permille=1), Dependency("p", "q", 0, "pinned"))
    coarse = (
        Dependency("a", "b", 60_000),
        Dependency("a", "c", 60_000),
        Dependency("p", "q", 0, "pinned", slope_permille=5),
    )
    assert union(fine, coarse) == (fine[0], coarse[1], coarse[2])
