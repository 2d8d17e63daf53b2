"""Controllers and database servers that die or hang, under traffic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx

from tests.fabric.site import FabricSite
from tests.waiting import until

Figure = Callable[..., None]


@contextmanager
def served(site: FabricSite) -> Iterator[None]:
    """A service with three containers under load: not one request fails."""
    site.add_service()
    site.add("c1", "c4", "c7")
    site.await_slots({"c1": 21, "c4": 21, "c7": 21})
    with site.load(at_least=500, pause_ms=5) as load:
        yield
    load.assert_none_failed()


def register(site: FabricSite, name: str) -> httpx.Response:
    """A container, acknowledged when all switches have it."""
    host = site.container(name)
    body = {"address": host.address, "port": 8080, "iface_id": name}
    url = f"/v1/services/web/containers/{name}"
    return site.prewire.http.put(url, json=body, params={"wait": "applied"}, timeout=30)


def test_the_leader_is_killed(site: FabricSite, figure: Figure) -> None:
    """Intent written in the gap is applied by the next leader within three seconds."""
    status = site.prewire.status()
    with served(site):
        began = time.monotonic()
        site.fabric.leader.kill()
        answer = register(site, "c8")
        took = time.monotonic() - began
        assert answer.status_code == 201, answer.text
        assert "c8" in site.get(60)
    figure("seconds", took)
    after = site.prewire.status()
    assert after["leader"] != status["leader"]
    assert after["epoch"] == status["epoch"] + 1
    assert took <= 3


def test_the_leader_hangs_and_comes_back(site: FabricSite, figure: Figure) -> None:
    """Another takes over; when it goes on it is no leader, and changes nothing."""
    status = site.prewire.status()
    hung = site.fabric.leader
    with served(site):
        began = time.monotonic()
        hung.stop()
        answer = register(site, "c8")
        took = time.monotonic() - began
        assert answer.status_code == 201, answer.text
        hung.go_on()
        time.sleep(2)  # it finds out, and would have changed something by then
        after = site.prewire.status()
        assert after["leader"] != status["leader"]
        assert after["epoch"] == status["epoch"] + 1
        assert register(site, "c5").status_code == 201
        assert {"c5", "c8"} <= set(site.get(80))
    figure("seconds", took)
    assert took <= 5
    leading = [site.fabric.leader.target]
    for switch in site.switches:
        until(
            partial(site.masters, switch),
            lambda masters: masters == leading,
            f"{switch} has one master",
        )


def test_both_controllers_die(site: FabricSite) -> None:
    """Traffic goes on; started again, a controller finds everything right and changes nothing."""
    with served(site):
        for each in site.fabric.controllers:
            each.kill()
        before = {switch: site.rules_of(switch) for switch in site.switches}
        time.sleep(2)
        site.fabric.controllers[0].start()
        site.fabric.await_led()
        site.fabric.await_fabric(site.net.spec)
    assert {switch: site.rules_of(switch) for switch in site.switches} == before
    assert site.prewire.counter("prewire_switch_rule_messages_total") == 0


def test_the_leader_of_the_database_is_killed(site: FabricSite, figure: Figure) -> None:
    """Writers go on writing: what was acknowledged is there afterwards, and nothing failed."""
    with served(site):
        ending = threading.Event()

        def writer(number: int) -> tuple[list[str], list[str], float]:
            names: list[str] = []
            problems: list[str] = []
            longest, last = 0.0, time.monotonic()
            count = 0
            while not ending.is_set():
                count += 1
                name = f"w{number}-{count}"
                answer = put_service(site, name, number, count)
                now = time.monotonic()
                longest, last = max(longest, now - last), now
                if answer.is_success:
                    names.append(name)
                else:
                    problems.append(f"{answer.status_code} {answer.text}")
            return names, problems, longest

        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(writer, number) for number in range(1, 5)]
            time.sleep(1)
            site.fabric.cluster.leader().kill()
            time.sleep(6)
            ending.set()
            results = [each.result(60) for each in writing]
        names = {service["name"] for service in all_services(site)}
    acknowledged = [name for result in results for name in result[0]]
    problems = [problem for result in results for problem in result[1]]
    lost = set(acknowledged) - names
    figure("acknowledged", len(acknowledged), lost=len(lost), refused=len(problems))
    figure("gap_s", max(result[2] for result in results))
    assert not lost
    assert len(acknowledged) > 50
    assert register(site, "c8").status_code == 201


def put_service(site: FabricSite, name: str, writer: int, count: int) -> httpx.Response:
    vip = f"10.{100 + writer}.{count // 250}.{1 + count % 250}"
    body: dict[str, Any] = {"vip": vip, "port": 80, "protocol": "tcp"}
    return site.prewire.http.put(f"/v1/services/{name}", json=body)


def all_services(site: FabricSite) -> list[dict[str, Any]]:
    return list(site.prewire.http.get("/v1/services").raise_for_status().json()["items"])


def test_any_rest_server_serves(site: FabricSite) -> None:
    """A second one, on the same database, takes writes that the first shows."""
    site.add_service()
    with site.fabric.another_api() as other:
        body = {"address": site.container("c6").address, "port": 8080, "iface_id": "c6"}
        url = "/v1/services/web/containers/c6"
        assert other.put(url, json=body, params={"wait": "applied"}).status_code == 201
        until(lambda: site.prewire.http.get(url).status_code, lambda code: code == 200, "it shows")
    assert set(site.get(6)) == {"c6"}
