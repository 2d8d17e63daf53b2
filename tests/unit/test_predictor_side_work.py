"""What a predictor's threads do on the side is never lost silently."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from predictor.running import service


def test_a_failure_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def full() -> None:
        raise OSError("no space left on device")

    done: list[int] = []
    with ThreadPoolExecutor(1) as worker:
        service._submit(worker, full)
        service._submit(worker, lambda: done.append(1))
    assert "no space left on device" in caplog.text
    assert done == [1], "the worker goes on"
