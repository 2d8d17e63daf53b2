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
import pytest

from tests.fabric.site import FabricSite
from tests.waiting import had_s, until

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
    return site.prewire.http.put(url, json=body, params={"wait": "applied"}, timeout=60)


@pytest.mark.measures
def test_the_leader_is_killed(site: FabricSite, figure: Figure) -> None:
    """Intent written in the gap is applied by the next leader within three seconds."""
    status = site.prewire.status()
    with served(site):
        began = had_s()
        site.fabric.leader.kill()
        answer = register(site, "c8")
        took = had_s() - began
        assert answer.status_code == 201, answer.text
        assert "c8" in site.get(60)
    figure("seconds", took)
    after = site.prewire.status()
    assert after["leader"] != status["leader"]
    assert after["epoch"] == status["epoch"] + 1
    assert took <= 3


@pytest.mark.measures
def test_the_leader_hangs_and_comes_back(site: FabricSite, figure: Figure) -> None:
    """Another takes over; when it goes on it is no leader, and changes nothing."""
    status = site.prewire.status()
    hung = site.fabric.leader
    with served(site):
        began = had_s()
        hung.stop()
        answer = register(site, "c8")
        took = had_s() - began
        assert answer.status_code == 201, answer.text
        hung.go_on()
        until(hung.epoch, lambda epoch: epoch == 0, "it finds out that it leads no more")
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
        assert site.get(30).keys() <= {"c1", "c4", "c7"}
        site.fabric.controllers[0].start()
        site.fabric.await_led()
        site.fabric.await_fabric(site.net.spec)
    assert {switch: site.rules_of(switch) for switch in site.switches} == before
    assert site.prewire.counter("prewire_switch_rule_messages_total") == 0


def test_the_leader_of_the_database_is_killed(site: FabricSite, figure: Figure) -> None:
    """Writers go on writing: what was acknowledged is there afterwards, and nothing failed."""
    with served(site):
        writers = [Writer(site, number) for number in range(1, 5)]
        with ThreadPoolExecutor(len(writers)) as pool:
            writing = [pool.submit(writer.write) for writer in writers]
            for writer in writers:
                writer.goes_on()
            site.fabric.cluster.leader().kill()
            for writer in writers:
                writer.goes_on()
                writer.ending.set()
            for done in writing:
                done.result(60)
        names = {service["name"] for service in all_services(site)}
    acknowledged = {name for writer in writers for name in writer.acknowledged}
    refused = [answer for writer in writers for answer in writer.refused]
    lost = acknowledged - names
    figure("acknowledged", len(acknowledged), lost=len(lost), refused=len(refused))
    figure("gap_s", max(writer.longest_s for writer in writers))
    assert not lost
    assert register(site, "c8").status_code == 201


class Writer:
    """Puts one service after the other. longest_s: what the slowest of them took, in seconds."""

    def __init__(self, site: FabricSite, number: int) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.longest_s = 0.0
        self.ending = threading.Event()
        self._site = site
        self._number = number

    def goes_on(self) -> None:
        """Return when ten more are acknowledged."""
        wanted = len(self.acknowledged) + 10
        until(lambda: len(self.acknowledged), lambda count: count >= wanted, "it goes on", 60)

    def write(self) -> None:
        """Until `ending` is set, or there are enough."""
        for count in range(1, 2000):
            if self.ending.is_set():
                return
            name, began = f"w{self._number}-{count}", time.monotonic()
            answer = put_service(self._site, name, self._number, count)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            if answer.is_success:
                self.acknowledged.append(name)
            else:
                self.refused.append(f"{answer.status_code} {answer.text}")


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
