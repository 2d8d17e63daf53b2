"""What a predictor remembers after it was stopped, killed, or found its file damaged."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from predictor.series.history import History, HistoryError
from predictor.series.loads import Keep, Loads
from predictor.series.scrape import INFLIGHT, NEW_CONNECTIONS, POLICY_BYTES, Page
from predictor.series.window import Window
from tests.waiting import until

NOW: Final = 1_700_000_040_000  # a whole minute
KEEP: Final = Keep(600, 600, 600, 240)
SECONDS: Final = 200

# Writes pages of three services a second, as fast as it can; says so after each save.
WRITER: Final = """
import sys
from pathlib import Path
from tests.predictor.test_history import NOW, page, loads
from predictor.series.history import History
history, here = History(Path(sys.argv[1])), loads()
for second in range(100_000):
    here.add(page(second), NOW + second * 1000)
    if second % 10 == 0:
        history.save(here, NOW + second * 1000)
        print(second, flush=True)
"""


def loads() -> Loads:
    return Loads(KEEP, counters_every_s=1.0)


def page(second: int) -> Page:
    """Three services, at 1, 2 and 3 connections a second, and a policy at 8 kbit/s."""
    samples: list[tuple[str, dict[str, str], float]] = [
        (POLICY_BYTES, {"policy": "p", "switch": "1"}, second * 1000.0)
    ]
    for number in (1, 2, 3):
        labels = {"service": f"s{number}", "container": "c"}
        samples.append((NEW_CONNECTIONS, labels, float(second * number)))
        samples.append((INFLIGHT, labels, float(number * 10 + second % 7)))
    return Page.of(samples)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.db"


@pytest.fixture
def known() -> Loads:
    """After some minutes."""
    here = loads()
    for second in range(SECONDS):
        here.add(page(second), NOW + second * 1000)
    return here


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    opened = History(path)
    yield opened
    opened.close()


def end_ms(second: int = SECONDS) -> int:
    return NOW + second * 1000


def remembered(path: Path, now_ms: int) -> Loads:
    """What a new predictor knows at this time."""
    here, opened = loads(), History(path)
    opened.load(here, now_ms)
    opened.close()
    return here


def assert_same(window: Window, wanted: Window) -> None:
    assert window.names == wanted.names
    assert window.end_ms == wanted.end_ms
    np.testing.assert_allclose(window.values, wanted.values, rtol=1 / 2000)


@pytest.mark.parametrize("kind", ["demand", "rate", "bits"])
@pytest.mark.parametrize("step_s", [1.0, 60.0])
def test_what_was_saved_is_there_after_a_start(
    path: Path, known: Loads, history: History, kind: str, step_s: float
) -> None:
    history.save(known, end_ms())
    history.close()
    here = remembered(path, end_ms() + 2000)
    end = end_ms() if step_s == 1 else end_ms() // 60_000 * 60_000
    steps = round((end - NOW) / step_s / 1000)
    wanted, found = (
        each.streams[kind].of(step_s).window(steps=steps, end_ms=end) for each in (known, here)
    )
    assert steps >= 3
    assert np.isfinite(found.values[:, 1:]).all()
    assert_same(found, wanted)


def test_it_goes_on_after_a_start_and_the_time_between_is_unknown(
    path: Path, known: Loads, history: History
) -> None:
    history.save(known, end_ms())
    history.close()
    here = remembered(path, end_ms() + 60_000)
    assert here.services == ("s1", "s2", "s3")
    for second in range(SECONDS + 60, SECONDS + 63):
        here.add(page(second), NOW + second * 1000)
    rate = here.rate(steps=120).values[0]
    assert set(rate[:57]) == {1.0}
    assert np.isnan(rate[57:118]).all()
    assert rate[-1] == 1.0


def test_saving_often_writes_what_saving_once_does(path: Path, known: Loads) -> None:
    here, opened = loads(), History(path)
    for second in range(SECONDS):
        here.add(page(second), NOW + second * 1000)
        if second % 7 == 0:
            opened.save(here, NOW + second * 1000)
    opened.save(here, end_ms())
    wanted = known.demand(60)
    assert_same(opened.window("demand", NOW, end_ms(), wanted.names), wanted)
    opened.close()
    assert_same(remembered(path, end_ms()).demand(1, end_ms=end_ms()), known.demand(1))


def test_after_kill_9_all_that_was_said_to_be_saved_is_there(path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        saved = 0
        while saved < 700:
            saved = int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split()
    saved = int(rest[-1]) if rest else saved
    opened = History(path)
    assert opened.set_aside is None
    window = opened.window("rate", NOW, NOW + saved * 1000, ("s1", "s2", "s3"))
    opened.close()
    assert window.steps == saved // 60
    np.testing.assert_allclose(window.values, np.tile([[1.0], [2.0], [3.0]], window.steps))


@pytest.mark.parametrize("damage", ["header", "middle", "text", "directory_of_nothing"])
def test_a_damaged_file_is_set_aside_and_said_so(
    path: Path, known: Loads, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened = History(path)
    opened.save(known, end_ms())
    opened.close()
    whole = path.read_bytes()
    path.write_bytes({
        "header": b"\0" * 200 + whole[200:],
        "middle": whole[:4096] + b"\xa5" * (len(whole) - 4096),
        "text": b"these are no samples\n" * 400,
        "directory_of_nothing": whole[: len(whole) // 3],
    }[damage])  # fmt: skip
    with caplog.at_level(logging.ERROR):
        again = History(path)
        here = loads()
        again.load(here, end_ms())
        again.save(known, end_ms())
    assert again.set_aside == path.with_name("history.db.damaged")
    assert again.set_aside.exists()
    assert "is damaged" in caplog.text
    assert str(again.set_aside) in caplog.text
    again.close()
    assert_same(remembered(path, end_ms()).demand(60), known.demand(60))


def test_a_damaged_block_costs_its_own_samples_only(
    path: Path, known: Loads, history: History
) -> None:
    history.save(known, end_ms())
    history._file._run("UPDATE blocks SET data = x'00' WHERE kind = 'rate' AND step_ms = 60000")
    history.close()
    here = remembered(path, end_ms())
    assert here.rate(60, end_ms=end_ms()).names == ()
    assert_same(here.demand(60), known.demand(60))


def test_a_full_disk_costs_what_could_not_be_written_and_no_more(
    path: Path, known: Loads, caplog: pytest.LogCaptureFixture
) -> None:
    opened = History(path)
    names = tuple(f"s{number}" for number in range(500))
    values = np.random.default_rng(3).uniform(0, 1e6, (500, 100))
    much = Window(names, 60.0, NOW, values)
    opened.save(known, end_ms())
    opened._file._run("PRAGMA max_page_count = 1")  # as it is now: there is no more room
    with caplog.at_level(logging.ERROR):
        opened.add("demand", much, end_ms())
    assert "disk is full; see that there is room" in caplog.text
    assert opened.set_aside is None
    assert_same(opened.window("demand", NOW, end_ms()), known.demand(60))
    opened._file._run("PRAGMA max_page_count = 1000000")
    opened.add("demand", much, end_ms())
    opened.close()
    again = History(path)
    window = again.window("demand", NOW - 6_000_000, NOW, names)
    np.testing.assert_allclose(window.values, values, rtol=1 / 2000)
    again.close()


def test_a_damaged_file_that_cannot_be_set_aside_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"these are no samples\n" * 400)
    (tmp_path / "history.db.damaged").mkdir()
    with pytest.raises(HistoryError, match=r"cannot be set aside .*; move it away"):
        History(path)


def test_a_path_that_cannot_be_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="give a path that can be written"):
        History(tmp_path / "file" / "history.db")
    with pytest.raises(HistoryError, match="give a path"):
        History(tmp_path)


def test_two_predictors_do_not_share_a_file(path: Path, history: History) -> None:
    with pytest.raises(HistoryError, match="a file of its own"):
        History(path)


def test_what_is_older_than_is_kept_goes(path: Path, known: Loads) -> None:
    opened = History(path, keep_days=1)
    opened.save(known, end_ms())
    later = loads()
    day_ms = 86_400_000
    for second in range(130):
        later.add(page(second), NOW + 2 * day_ms + second * 1000)
    opened.save(later, NOW + 2 * day_ms + 130_000)
    window = opened.window("demand", NOW, NOW + 3 * day_ms)
    assert np.isfinite(window.values).any(axis=0).sum() == 2
    opened.close()


def test_a_file_that_grows_too_large_keeps_fewer_days(path: Path) -> None:
    opened, here = History(path, keep_mib=1), Loads(KEEP, counters_every_s=1.0)
    chance = np.random.default_rng(7)
    names = tuple(f"s{number}" for number in range(2000))
    for minute in range(0, 600, 200):
        end = NOW + (minute + 200) * 60_000
        here.fill("demand", Window(names, 60.0, end, chance.uniform(0, 1e6, (2000, 200))))
        opened.save(here, end + 1000)
    assert opened._file.bytes_used() < 3 << 20
    window = opened.window("demand", NOW, NOW + 600 * 60_000, names[:1])
    assert np.isfinite(window.values[0, -30:]).all()
    opened.close()


def test_a_clock_set_back_leaves_nothing_of_the_future(path: Path, known: Loads) -> None:
    opened = History(path)
    opened.save(known, end_ms())
    past = NOW - 86_400_000
    here = loads()
    for second in range(130):
        here.add(page(second), past + second * 1000)
    opened.save(here, past + 130_000)
    window = opened.window("demand", past, past + 120_000, ("s1",))
    assert np.isfinite(window.values).all()
    assert np.isnan(opened.window("demand", NOW, end_ms(), ("s1",)).values).all()
    opened.close()


def test_five_thousand_services_are_saved_within_seconds(path: Path) -> None:
    here, opened = Loads(Keep(60, 60, 60, 60)), History(path)
    names = tuple(f"service-{number}" for number in range(5000))
    values = np.random.default_rng(1).uniform(0, 50, (5000, 10))
    for kind in ("demand", "rate"):
        here.fill(kind, Window(names, 1.0, NOW, values))
        here.fill(kind, Window(names, 60.0, NOW, values[:, :2]))
    began = time.process_time()
    opened.save(here, NOW + 1)
    assert time.process_time() - began < 4.0
    until(lambda: path.stat().st_size, lambda size: size < 4 << 20, "the file is small")
    opened.close()
