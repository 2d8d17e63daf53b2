"""Work spread over local processes, and over a real Dask cluster of two workers."""

from __future__ import annotations

import os
import time

import pytest

from predictor.replay.pool import PoolError, pool
from tests.predictor.prometheus_site import free_port


def square(number: int) -> int:
    return number * number


def where(number: int) -> int:
    """The process, after a while, so that one worker cannot do all."""
    time.sleep(0.05)
    return os.getpid()


def refuse(number: int) -> int:
    raise ValueError(f"no {number}")


def die(number: int) -> int:
    os._exit(number)


def test_results_come_in_the_order_of_items_from_two_workers(cluster: str) -> None:
    with pool(cluster) as here:
        assert here.map(square, range(200)) == [number * number for number in range(200)]
        found = set(here.map(where, range(20)))
    assert len(found) == 2
    assert os.getpid() not in found


def test_the_same_work_is_done_again_when_asked_again(cluster: str) -> None:
    with pool(cluster) as here:
        assert here.map(square, [2, 2]) == here.map(square, [2, 2]) == [4, 4]


def test_an_exception_of_the_function_comes_out_of_the_cluster(cluster: str) -> None:
    with pool(cluster) as here:
        with pytest.raises(ValueError, match="no 3"):
            here.map(refuse, [3])
        assert here.map(square, [3]) == [9]


def test_a_cluster_that_is_away_is_said_with_a_remedy() -> None:
    pytest.importorskip("distributed")
    refused = pytest.raises(PoolError, match=r"cannot be reached .*start `dask scheduler`")
    with refused, pool(f"tcp://127.0.0.1:{free_port()}", reach_s=0.5):
        pass
    with pytest.raises(PoolError, match="correct the address"), pool("nonsense://x", reach_s=0.5):
        pass


def test_local_processes_do_the_work_where_no_cluster_is_given() -> None:
    with pool(workers=2) as here:
        assert here.map(square, range(5)) == [0, 1, 4, 9, 16]
        assert os.getpid() not in here.map(where, range(2))
        with pytest.raises(ValueError, match="no 3"):
            here.map(refuse, [3])


def test_without_workers_this_process_does_the_work() -> None:
    with pool("", workers=0) as here:
        assert here.map(where, [1]) == [os.getpid()]


def test_a_local_process_that_dies_is_said_with_a_remedy() -> None:
    with pool(workers=1) as here, pytest.raises(PoolError, match="use fewer workers"):
        here.map(die, [1])
