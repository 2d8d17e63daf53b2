"""The closed loop on real switches: surges that are learned find containers and rates ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prewire.rehearsal.course import Course
from prewire.rehearsal.picture import draw
from prewire.rehearsal.run import rehearse
from prewire.rehearsal.scene import AHEAD, BEHIND, CONTAINERS, Loads
from tests.acceptance.deployment import deployed
from tests.places import free_ports, short_directory
from topologies import openvswitch
from topologies.mininet_net import running
from topologies.spec import single_switch

pytestmark = pytest.mark.root

LOADS = Loads(surges=6, learned=4)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """One run of it: LOADS.seconds, and what starts and ends."""
    directory = tmp_path_factory.mktemp("surges")
    ports = free_ports("predictor_port", "predictor_metrics_port")
    with (
        short_directory() as state,
        openvswitch.ensure_running(),
        deployed("os-ken", state, stats_seconds=1.0) as prewire,
        running(single_switch(2 * CONTAINERS), [prewire.target]) as network,
    ):
        prewire.await_switch(ports=len(network.spec.hosts))
        given = prewire.settings.model_copy(update=ports)
        yield rehearse(given, network, directory, LOADS, lambda _at, _seen: None)


def test_the_picture_of_it_is_drawn(course: Course, tmp_path: Path) -> None:
    draw(course, tmp_path / "surges.png")
    assert (tmp_path / "surges.png").stat().st_size > 10_000


def test_no_request_is_lost(course: Course) -> None:
    assert (course.failures(AHEAD), course.failures(BEHIND)) == ([], [])


def test_containers_are_ready_before_surges_that_were_learned(course: Course) -> None:
    assert min(course.ready_at_starts(AHEAD)) >= 3, course.as_json()


def test_containers_are_not_simply_kept_between_surges(course: Course) -> None:
    middle = course.loads.period / 2
    idle = [
        sample.ready[AHEAD]
        for start in course.starts()
        for sample in course.samples
        if start + middle <= sample.at <= start + middle + 2
    ]
    assert min(idle) <= 2, course.as_json()


def test_the_rate_is_raised_before_surges_that_were_learned(course: Course) -> None:
    offered_bps = course.loads.surge * course.loads.padding * 8
    assert min(course.rates_at_starts()) >= offered_bps, course.as_json()


def test_prewarm_requests_are_ready_in_time(course: Course) -> None:
    assert course.ready_in_time() >= 0.95, course.as_json()


def test_surges_are_answered_twice_as_fast_as_by_the_load_of_now(course: Course) -> None:
    assert course.p99(AHEAD) <= 0.5 * course.p99(BEHIND), course.as_json()
