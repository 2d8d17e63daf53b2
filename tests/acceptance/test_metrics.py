"""What a real Prometheus sees of the controller."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.site import ON_OS_KEN, Site
from tests.places import free_ports, short_directory
from tests.waiting import until

pytestmark = [pytest.mark.root, ON_OS_KEN]

REQUESTS = 60


class Prometheus:
    """A server that scrapes one target every second."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)

    def close(self) -> None:
        self._http.close()

    def is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def values(self, query: str, label: str) -> dict[str, float]:
        """The samples of an instant query by one of their labels."""
        answer = self._http.get("/api/v1/query", params={"query": query}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return {each["metric"].get(label, ""): float(each["value"][1]) for each in found}


@pytest.fixture
def prometheus(deployment: Deployment) -> Iterator[Prometheus]:
    """Configuration and storage in a directory of its own."""
    target = f"{deployment.settings.metrics_host}:{deployment.settings.metrics_port}"
    job = {"job_name": "prewire", "static_configs": [{"targets": [target]}]}
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    port = free_ports("web")["web"]
    with short_directory() as directory:
        file = directory / "prometheus.yml"
        file.write_text(json.dumps(configuration))  # JSON is YAML
        argv = ["setpriv", "--pdeathsig", "KILL", "prometheus", f"--config.file={file}"]
        argv += [f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        server = Prometheus(f"http://127.0.0.1:{port}")
        try:
            until(server.is_ready, bool, "Prometheus is ready")
            yield server
        finally:
            server.close()
            process.kill()
            process.wait()


def test_prometheus_sees_each_containers_connections_and_traffic(
    site: Site, prometheus: Prometheus
) -> None:
    site.add_service()
    site.add("c1", "c2", "c3")
    query = "prewire_container_new_connections_total"
    until(
        lambda: prometheus.values(query, "container"),
        lambda seen: seen == {"c1": 0, "c2": 0, "c3": 0},
        "all containers are seen, before any request",
    )

    answers = site.get(REQUESTS)

    until(
        lambda: prometheus.values(query, "container"),
        lambda seen: seen == answers,
        f"each container's new connections are its answers {answers}",
    )
    name = "prewire_service_new_connections_total"
    assert prometheus.values(name, "service") == {"web": REQUESTS}
    until(
        lambda: prometheus.values("sum(increase(prewire_container_packets_total[1m]))", ""),
        lambda seen: seen.get("", 0) > 0,
        "the rate of packets can be asked for",
    )
    for direction, least_size in (("to", 70), ("from", 150)):
        selector = f'{{direction="{direction}"}}'

        def traffic(metric: str, label: str, selector: str = selector) -> dict[str, float]:
            return prometheus.values(f"prewire_{metric}_total{selector}", label)

        for container, count in answers.items():
            packets = traffic("container_packets", "container")[container]
            assert 4 * count <= packets <= 8 * count, "a short HTTP/1.1 exchange"
            assert traffic("container_bytes", "container")[container] >= least_size * count
        service = traffic("service_packets", "service")["web"]
        containers = sum(traffic("container_packets", "container").values())
        strays = 50  # of connections that earlier tests cut
        assert containers - strays <= service <= containers + strays


def test_the_switch_and_its_ports_are_seen(site: Site) -> None:
    site.add_service()
    site.add("c1")
    before = site.prewire.counter("prewire_port_transmit_bytes_total", port="pw-s1-eth3")
    site.get(5, "http://10.0.0.100/1m")
    until(
        lambda: site.prewire.counter("prewire_port_receive_bytes_total", port="pw-s1-eth3"),
        lambda size: size >= 5 << 20,
        "five mebibytes came in from c1",
    )
    after = site.prewire.counter("prewire_port_transmit_bytes_total", port="pw-s1-eth3")
    assert after > before
    assert site.prewire.counter("prewire_switch_connected", switch=site.dpid) == 1
    applied = site.prewire.counter("prewire_switch_applied_generation", switch=site.dpid)
    assert applied == site.prewire.status()["generation"]
    assert site.prewire.counter("prewire_switch_rule_messages_total") > 0
    assert site.prewire.counter("prewire_switch_errors_total") == 0
    for stage in ("queued", "compile", "switch"):
        count = site.prewire.counter("prewire_programming_seconds_count", stage=stage)
        assert count > 0, f"no change was measured in stage {stage}"


def test_prometheus_sees_how_containers_stand(site: Site, prometheus: Prometheus) -> None:
    site.add_service()
    site.add("c1", "c2", "c3")
    site.remove("c3", drain=60)
    until(
        lambda: prometheus.values('prewire_container_state{state="draining"}', "container"),
        lambda seen: seen == {"c1": 0, "c2": 0, "c3": 1},
        "c3 drains",
    )
    ready = 'prewire_container_state{state="ready"}'
    assert prometheus.values(ready, "container") == {"c1": 1, "c2": 1, "c3": 0}
    counts = prometheus.values("prewire_service_containers > 0", "state")
    assert counts == {"ready": 2, "draining": 1}
    until(
        lambda: prometheus.values("prewire_container_slots", "container"),
        lambda seen: seen == {"c1": 32, "c2": 32, "c3": 0},
        "the slots of the others",
    )
    weights = prometheus.values("prewire_container_weight", "container")
    assert weights == {"c1": 0.5, "c2": 0.5, "c3": 0}
    assert prometheus.values("prewire_service_panic", "service") == {"web": 0}
    moved = prometheus.values("prewire_service_slot_moves_total", "service")
    assert moved["web"] >= 21


def test_counters_grow_though_rules_change(site: Site) -> None:
    """A group that is replaced and a flow that is deleted start at zero; totals go on."""
    site.add_service()
    site.add("c1", "c2")
    name = "prewire_service_new_connections_total"
    site.get(20)
    until(lambda: site.prewire.counter(name), lambda seen: seen == 20, "20 connections")
    site.remove("c1", drain=0)
    site.add("c3")
    site.get(10)
    until(lambda: site.prewire.counter(name), lambda seen: seen == 30, "and 10 more")


def test_promtool_has_nothing_to_complain_about(site: Site) -> None:
    site.add_service()
    site.add("c1")
    site.get(5)
    name = "prewire_container_new_connections_total"
    until(lambda: site.prewire.counter(name), lambda seen: seen == 5, "there is something to check")
    assert shutil.which("promtool"), "apt-get install prometheus"
    page = site.prewire.metrics()
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_page_is_small_and_names_no_client(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2", "c3")
    site.get(40)
    name = "prewire_service_new_connections_total"
    until(lambda: site.prewire.counter(name), lambda seen: seen == 40, "40 connections")
    page = site.prewire.metrics()
    assert "10.0.0.1" not in page
    assert len(page.splitlines()) < 400
    assert "_created" not in page, "no second series for each"
