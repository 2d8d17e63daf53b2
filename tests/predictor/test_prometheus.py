"""History from a real Prometheus server, and from such as are down, slow, or something else."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from predictor.series.history import History
from predictor.series.loads import Keep, Loads
from predictor.series.prometheus import (
    Prometheus,
    PrometheusAway,
    PrometheusError,
    PrometheusRefused,
)
from predictor.series.window import Window
from tests.predictor.prometheus_site import (
    DAYS,
    END_S,
    SERVICES,
    Running,
    fill,
    free_port,
    inflight,
    nothing,
    odd_server,
    prometheus,
)

END_MS: Final = END_S * 1000
DAY_MS: Final = 86_400_000
RATE: Final = "sum by (service) (rate(prewire_container_new_connections_total[2m]))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("prometheus")
    fill(directory)
    with prometheus(directory) as running:
        yield running


def asked(
    url: str, query: str, length_ms: int, step_s: float = 60.0, timeout_s: float = 30.0
) -> Window:
    """The answer about the time before the end of what there is."""
    source = Prometheus(url, timeout_s=timeout_s, pause_s=0.01)
    return asyncio.run(source.range(query, END_MS - length_ms, END_MS, step_s, "service"))


def test_weeks_come_whole_through_a_restart_of_counters(server: Running) -> None:
    window = asked(server.url, RATE, (DAYS - 1) * DAY_MS)
    assert window.end_ms == END_MS
    assert window.values.shape == (3, (DAYS - 1) * 1440)
    for name, row in zip(window.names, window.values, strict=True):
        assert np.isfinite(row).all()
        # after a counter starts again there is one reading of zero
        assert np.median(row) == SERVICES[name]
        assert (row > SERVICES[name] + 1e-6).sum() == 0


def test_a_step_has_what_was_when_it_ended(server: Running) -> None:
    window = asked(
        server.url, 'sum by (service) (prewire_container_inflight{service="db"})', DAY_MS
    )
    minutes = DAYS * 1440
    wanted = [inflight("db", minute) for minute in range(minutes - 1439, minutes + 1)]
    assert window.values[0].tolist() == wanted


def test_before_the_first_sample_and_after_the_last_nothing_is_known(server: Running) -> None:
    source = Prometheus(server.url)
    begin = END_MS - DAYS * DAY_MS
    window = asyncio.run(source.range(RATE, begin - 3_600_000, begin + 3_600_000, 60.0, "service"))
    assert np.isnan(window.values[:, :60]).all()
    assert np.isfinite(window.values[:, 61:]).all()


def test_series_are_named_by_their_labels_and_those_of_one_name_are_summed(server: Running) -> None:
    query = "prewire_container_inflight"
    by_service = asked(server.url, query, 600_000)
    assert set(by_service.names) == set(SERVICES)
    source = Prometheus(server.url)
    by_all = asyncio.run(source.range(query, END_MS - 600_000, END_MS, 60.0))
    assert "container=c1,service=web" in by_all.names
    assert len(by_all.names) == 6
    assert by_service.values.sum() == by_all.values.sum()


def test_loads_learn_what_they_keep(server: Running) -> None:
    loads = Loads(Keep(60, 60, 60, 1500))
    read = asyncio.run(Prometheus(server.url).learn(loads, END_MS + 7_000))
    assert read == 1500
    demand, rate = loads.demand(60, end_ms=END_MS), loads.rate(60, end_ms=END_MS)
    assert demand.steps == rate.steps == 1500
    for name, row in zip(rate.names, rate.values, strict=True):
        # the last step sees a counter start again
        np.testing.assert_allclose(row[:-1], SERVICES[name], rtol=1e-3)
    peaks = demand.values[demand.names.index("db")]
    assert peaks.min() >= inflight("db", 0)
    assert peaks.max() == inflight("db", 9)
    np.testing.assert_allclose(loads.bits(60, end_ms=END_MS).values, 16_000, rtol=1e-3)
    assert loads.talking({"p": ("web", "db")}) == {("web", "db")}


def test_a_history_keeps_all_the_weeks(server: Running, tmp_path: Path) -> None:
    history, loads = History(tmp_path / "history.db", keep_days=30), Loads(Keep(60, 60, 60, 1500))
    keep = lambda kind, window: history.add(kind, window, END_MS)  # noqa: E731
    asyncio.run(Prometheus(server.url).learn(loads, END_MS, days=DAYS - 1, keep=keep))
    history.save(loads, END_MS)
    window = history.window("rate", END_MS - (DAYS - 1) * DAY_MS, END_MS, ("web",))
    assert np.isfinite(window.values).all()
    assert np.median(window.values) == 2
    history.close()


def test_a_query_that_is_wrong_is_refused_with_the_servers_reason(server: Running) -> None:
    with pytest.raises(PrometheusRefused, match=r"400: .*parse error.*correct the query"):
        asked(server.url, "sum by (service", DAY_MS)
    with pytest.raises(PrometheusRefused, match="a second or more"):
        asked(server.url, RATE, DAY_MS, 0.0)


def test_a_url_that_is_no_prometheus_is_refused(server: Running) -> None:
    with pytest.raises(PrometheusRefused, match="404"):
        asked(f"{server.url}/elsewhere", RATE, DAY_MS)
    with pytest.raises(PrometheusRefused, match="give a URL as"):
        asked("127.0.0.1:9090", RATE, DAY_MS)
    refused = pytest.raises(PrometheusRefused, match="give the URL of one")
    with odd_server((200, b"<html>hello</html>")) as odd, refused:
        asked(odd.url, RATE, DAY_MS)


def test_a_server_that_is_down_is_away() -> None:
    with pytest.raises(PrometheusAway, match="see that the server runs"):
        asked(f"http://127.0.0.1:{free_port()}", RATE, DAY_MS)


def test_a_server_that_hangs_is_away_in_time_and_answers_when_it_goes_on(server: Running) -> None:
    loads = Loads(Keep(60, 60, 60, 1500))
    server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(PrometheusAway, match=r"within 0\.2 s"):
            asked(server.url, RATE, DAY_MS, timeout_s=0.2)
        with pytest.raises(PrometheusAway, match=r"0 minutes read within 0\.3 s"):
            asyncio.run(Prometheus(server.url).learn(loads, END_MS, within_s=0.3))
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert asked(server.url, RATE, DAY_MS).steps == 1440
    assert loads.demand(60).names == ()


def test_a_slow_server_is_asked_for_less_at_a_time() -> None:
    with odd_server(most_steps=60) as odd:
        window = asked(odd.url, RATE, 300 * 60_000, timeout_s=0.3)
        assert window.steps == 300
        steps = [(float(each["end"]) - float(each["start"])) / 60 + 1 for each in odd.asked]
        assert steps[:3] == [240, 120, 60]
        assert sum(steps[2:]) == 300


def test_a_server_in_trouble_is_asked_again() -> None:
    with odd_server((503, b"starting"), (502, b""), (200, nothing())) as odd:
        assert asked(odd.url, RATE, 60_000).steps == 1
        assert len(odd.asked) == 3
    away = pytest.raises(PrometheusAway, match="answers 500")
    with odd_server(*[(500, b"")] * 3) as odd, away:
        asked(odd.url, RATE, 60_000)


def test_too_many_samples_are_asked_for_in_parts() -> None:
    much = b'{"status":"error","error":"query processing would load too many samples into memory"}'
    with odd_server((422, much)) as odd:
        assert asked(odd.url, RATE, 240 * 60_000).steps == 240
        assert len(odd.asked) == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"data": {}}', b'{"data": {"result": [{"metric": {}, "values": [["x", "1"]]}]}}',
     b'{"data": {"result": [{"metric": {}, "values": [[1]]}]}}', b"[" * 10_000],
)  # fmt: skip
def test_an_answer_without_sense_is_refused(body: bytes) -> None:
    with odd_server((200, body)) as odd, pytest.raises(PrometheusError):
        asked(odd.url, RATE, 60_000)
