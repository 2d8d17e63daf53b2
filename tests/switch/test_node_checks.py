"""The node agent's checks, through a real switch with the controller's flows, of real servers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from nib.intent import Container, Service
from nib.observed import Health
from nib.policy import HealthCheck
from tests.switch.node_site import VIP, Site, container, site
from tests.waiting import had_s, until

pytestmark = pytest.mark.root

QUICK = HealthCheck("tcp", interval_ms=300, timeout_ms=300, rise=2, fall=2)
PATIENT_MS = 3000  # where silence is not what is looked for: the machine may be busy
WEB = Service("web", VIP, 80, health=QUICK)


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as made:
        yield made


def checked(**check: object) -> Service:
    return replace(WEB, health=replace(QUICK, **{"timeout_ms": PATIENT_MS, **check}))  # type: ignore[arg-type]


@pytest.mark.measures
def test_tcp_up_at_the_first_success_down_within_a_second_and_up_again(here: Site) -> None:
    one, two = here.host("one", "10.0.0.1"), here.host("two", "10.0.0.2")
    servers = [here.serve(host, "tcp") for host in (one, two)]
    here.register(WEB, one=one, two=two)
    with here.agent():
        for name in ("one", "two"):
            here.await_health(name, True)
        servers[0].kill()
        killed = had_s()
        assert here.await_health("one", False) == "connection refused"
        assert had_s() - killed <= 1
        assert here.health("two") == (True, "")
        here.serve(one, "tcp")
        here.await_health("one", True)


def test_http_by_its_status_and_its_silence(here: Site) -> None:
    one = here.host("one", "10.0.0.1")
    server = here.serve(one, "http")
    wanted = {"kind": "http", "path": "/health?full=1", "status_to": 299}
    here.register(checked(**wanted), one=one)
    with here.agent():
        here.await_health("one", True)
        server.say("503")
        assert here.await_health("one", False) == "status 503"
        server.say("204")
        here.await_health("one", True)
        here.register(checked(**wanted, timeout_ms=300))
        server.process.send_signal(signal.SIGSTOP)
        assert here.await_health("one", False) == "no answer within 300 ms"
        server.process.send_signal(signal.SIGCONT)
        here.await_health("one", True)
        here.register(checked(kind="http", path="/elsewhere"))
        assert here.await_health("one", False) == "status 404"


def test_grpc_by_the_status_of_its_service(here: Site) -> None:
    one = here.host("one", "10.0.0.1")
    server = here.serve(one, "grpc")
    here.register(checked(kind="grpc", grpc_service="shop"), one=one)
    with here.agent():
        here.await_health("one", True)
        server.say("NOT_SERVING")
        assert here.await_health("one", False) == "its health is NOT_SERVING"
        server.say("SERVING")
        here.await_health("one", True)
        here.register(checked(kind="grpc", grpc_service="another"))
        assert here.await_health("one", False) == "it does not know the service"


def test_ipv6(here: Site) -> None:
    one = here.host("one", "fd00::1")
    here.serve(one, "http")
    here.register(replace(checked(kind="http", path="/health?full=1"), vip="fd00::100"), one=one)
    with here.agent():
        here.await_health("one", True)


def test_another_protocol_than_the_check_s(here: Site) -> None:
    one, two = here.host("one", "10.0.0.1"), here.host("two", "10.0.0.2")
    here.serve(one, "http")
    here.serve(two, "grpc")
    here.register(checked(kind="grpc"), one=one)
    there = replace(checked(kind="http"), name="other", port=81)
    here.register(there, two=two)
    with here.agent():
        assert here.await_health("one", False) == "the answer is not HTTP/2"
        until(
            lambda: here.health("two", "other"),
            lambda seen: seen == (False, "the answer is not HTTP/1.1"),
            "two is down",
        )


def test_what_is_registered_anew_elsewhere_is_unknown_until_it_is_checked(here: Site) -> None:
    one, two = here.host("one", "10.0.0.1"), here.host("two", "10.0.0.2")
    here.serve(one, "tcp")
    here.register(WEB, c=one)
    with here.agent():
        here.await_health("c", True)
        moved: Container = container(WEB, "c", two)
        here.write(lambda draft: draft.put(moved))
        here.await_health("c", None, 2)
        here.program()
        assert here.await_health("c", False) == "connection refused"
        here.register(replace(WEB, health=None))
        here.await_health("c", None)


def test_verdicts_outlive_the_agent_and_are_taken_up_by_the_next(here: Site) -> None:
    one, two = here.host("one", "10.0.0.1"), here.host("two", "10.0.0.2")
    server = here.serve(one, "tcp")
    here.register(checked(), one=one, two=two)
    with here.agent():
        here.await_health("one", True)
        here.await_health("two", False)
    assert here.health("one") == (True, "")
    assert here.health("two") == (False, "connection refused")
    assert here.health_ports() == []
    server.kill()
    told: list[object] = []
    watch = here.nib.watch(
        lambda batch: told.extend(
            change.new for change in batch.changes if change.kind is Health and change.old
        )
    )
    with here.agent():
        here.await_health("one", False)
    watch.close()
    assert told == [Health("web", "one", False, "connection refused")], "nothing is forgotten"
