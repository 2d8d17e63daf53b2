"""Writing: what commits, what fails, and what is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, cast

import pytest

from nib import writer
from nib.access import ROLES, Token
from nib.database import Nib
from nib.draft import Draft
from nib.errors import Conflict, NibUnavailable, NotFound
from nib.events import SEVERITIES, Event
from nib.flight import Committed
from nib.intent import BALANCE_POLICIES, LOCALITIES, MAX_WEIGHT, MODES, ON_EMPTY, Container, Service
from nib.observed import REPORT_WORDS, Connections, Demand, Ejected, Health, Report
from nib.plans import (
    EDGE_SOURCES,
    REQUEST_STATES,
    SHARDS,
    SOURCES,
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
)
from nib.policy import Canary, Ejection, ExtraPort, HealthCheck
from nib.prewarm import (
    PROVISIONED_RATES,
    SCALING_MODES,
    TARGET_KINDS,
    VERDICTS,
    DependencyRule,
    Override,
    Provisioning,
    Scaling,
    Schedule,
)
from nib.qos import (
    MAX_QUEUE,
    MAX_RATE_BPS,
    MIN_RATE_BPS,
    LinkRate,
    Policy,
    PolicyConnections,
    PolicyShare,
    PortQos,
    QosClass,
)
from nib.records import (
    ABOUT_CONTAINER,
    INTENT,
    RECORD_CLASSES,
    Audit,
    Global,
    Leader,
    LocalSlots,
    Record,
    SlotTable,
)
from nib.topology import MAX_HOST_ADDRESSES, Host, Link, Port, Switch
from tests.nib.changes import put, service

WAIT_S = 60.0
MAC = "0a:00:00:00:00:01"
DPID = "00000000000000a1"
PEER = "00000000000000b2"


def container(service: str, name: str) -> Container:
    return Container(service, name, "10.1.0.1", 80, MAC, iface_id=f"pod-{name}")


def hold(nib: Nib) -> tuple[threading.Event, Future[Committed[None]]]:
    """Keep the nib thread in a change function, so that later writes queue up into one group."""
    entered, release = threading.Event(), threading.Event()

    def wait(_: Draft) -> None:
        entered.set()
        assert release.wait(WAIT_S)

    future = nib.write(wait)
    assert entered.wait(WAIT_S)
    return release, future


EVERY_RECORD: tuple[Record, ...] = (
    service(1),
    service(
        2,
        vip="fd00::1:0:0:2",
        extra_ports=(ExtraPort(443, 8443), ExtraPort(80, 8080, "udp")),
        policy="source_affinity",
        affinity_seconds=86_400,
        on_empty="hold",
        max_connections=1_000_000,
        slow_start_seconds=30,
        panic_percent=100,
        health=HealthCheck(
            "http", 8081, '/a?b="c"&d=\\é', 200, 204, "", interval_ms=300, timeout_ms=100
        ),
        ejection=Ejection(failure_percent=20, max_ejected_percent=100),
        canary=Canary("v2", 30, 10, 60_000, 2**41),
        locality="prefer",
        switches=(DPID, PEER),
    ),
    service(3, policy="least_inflight", health=HealthCheck("grpc", grpc_service="a.b/C")),
    service(4, mode="stateless", protocol="udp", health=HealthCheck(port=1), canary=Canary("a", 0)),
    service(5, health=HealthCheck(), ejection=Ejection()),
    Container(
        "s1", "c1", "10.1.0.1", 80, MAC, iface_id="pod", state="draining", drain_until_ms=2**41
    ),
    Container("s1", "c2", "10.1.0.2", 65535, MAC, switch=DPID, switch_port="s1-eth1"),
    Container(
        "s2", "c1", "fd00::a", 80, MAC, iface_id="pod", weight=MAX_WEIGHT, version="v2",
        max_inflight=1, max_connections=1_000_000, lease_seconds=86_400, lease_until_ms=2**42,
        since_ms=2**41,
    ),
    Container("s2", "c2", "fd00::b", 80, MAC, iface_id="pod", weight=0),
    SlotTable("s1", (1, 2, 2**28 - 1)),
    SlotTable("s2", ()),
    LocalSlots("s2", DPID, (1, 2, 2**28 - 1)),
    LocalSlots("s2", PEER),
    Switch(DPID, 32767, name="s1", connected=True, applied=2**40, problem='says "no", \\ twice'),
    Port(DPID, "s1-eth1", 1, MAC, iface_id="pod", attached_mac=MAC, up=True, speed_bps=10**11),
    Port(DPID, "s1", 2**32 - 2, MAC),
    Link(DPID, "s1-eth2", PEER, "s2-eth1"),
    Link(PEER, "s2-eth1", DPID, "s1-eth2"),
    Host(MAC, DPID, "s1-eth1"),
    Host(
        "0a:00:00:00:00:02", DPID, "s1-eth1",
        frozenset(f"fe80::{n:x}" for n in range(1, MAX_HOST_ADDRESSES)) | {"10.0.0.7"},
    ),
    Leader(2**62, "controller-1", 2**40),
    Audit(DPID, 5, 4, 3, 2, frozenset({"table=arp priority=1", "ünïcode"})),
    Report("s1", "c1"),
    Report("s1", "c2", percent=0, max_inflight=30, word="drain", inflight=0),
    Report("s2", "c1", word="down", inflight=1_000_000),
    Health("s1", "c1", True),
    Health("s1", "c2", False, 'HTTP status 503, "busy"'),
    Connections("s1", "c1", 0, 2**41),
    Connections("s1", "c1", 7, 2**41, DPID),
    Connections("s1", "c1", 8, 2**41, PEER),
    Ejected("s1", "c1", 2**41, 3, "5 of 5 connections failed"),
    Demand("s1", 2**41, 2**40),
    QosClass("gold", 34, MAX_QUEUE, 7, 1, 100, 100),
    QosClass("default", 0, 0),
    Policy("both", "s1", "s2", "gold", 10**6, MAX_RATE_BPS, 1, 1_000_000, 10_000),
    Policy("to", None, "s1", max_bps=MIN_RATE_BPS),
    Policy("from", "waits", None, burst_ms=10),
    LinkRate(DPID, "s1-eth1", 10**11),
    PolicyShare("both", DPID, MAX_RATE_BPS, 1),
    PolicyShare("both", PEER),
    PolicyConnections("both", DPID, 0),
    PolicyConnections("both", PEER, 2**40),
    PortQos(DPID, "s1-eth1", "dscp + linux-htb", 10**11, 'a "foreign" qdisc'),
    PortQos(DPID, "s1", "none"),
    Scaling("s1", "observe", 100, 50, 500, 1, 10, 0, 0, "knative:default/web"),
    Scaling("s2"),
    Scaling("s3", "react"),
    Provisioning("both", "both", 0, 999, MIN_RATE_BPS, MAX_RATE_BPS),
    Provisioning("to", "guaranteed"),
    Provisioning("from"),
    Schedule("batch", "0 3 * * *", 3600, service="s1", timezone="Europe/Berlin", containers=9),
    Schedule("sale", "0 8 1 12 *", 60, policy="both", max_bps=10**9, guaranteed_bps=10**6),
    Override("service", "s1", 2**41, containers=0, reason="a test"),
    Override("policy", "both", 2**41, max_bps=MAX_RATE_BPS),
    DependencyRule("s1", "s2", "pin", 3000),
    DependencyRule("s2", "s1", "ban"),
    *(ContainerPlan(f"s{n}", n, 1, 2**41, source) for n, source in enumerate(sorted(SOURCES), 1)),
    ContainerPlan("stale", 3, 1, 2**41, "load", "no metrics", stale=True, made_ms=7),
    *(RatePlan(f"p{n}", 1, 2, source) for n, source in enumerate(sorted(SOURCES))),
    RatePlan("both", 1, 2, "forecast", 10**9, 10**6, "it rises", "60M are free", True, 7),
    PolicyRate("both", "plan", 2**41, 10**9, 10**6),
    PolicyRate("to", "override", 2**41),
    *(PrewarmRequest(s, "s1", 5, 2, 1, 2, 3, s) for s in sorted(REQUEST_STATES)),
    PrewarmRequest("whole", "s1", 5, 2, 1, 2, 3, "ready", 4, "kubelet", 6, "forecast"),
    *(Dependency("s1", s, 1000, s) for s in sorted(EDGE_SOURCES)),
    Dependency("s2", "s1", 60_000, gain_permille=120, slope_permille=2_500),
    Predictor("one", "10.0.0.1:50051", "http://10.0.0.1:9687/metrics", 2**40, 2**41),
    Shard(0, "one"),
    Shard(SHARDS - 1, "two", 2**40),
    Token("ci", "registrar", "ab" * 32, frozenset({"web", "s1"}), created_ms=1, expires_ms=2),
    Token("gate", "viewer", subject="cert:gate", created_by="root"),
    Token("root", "operator", "cd" * 32),
    Event("0" * 20, 2**40, "service", "web", "created", actor="ci", reason='vip "x"', generation=3),
    Event("1" * 20, 2**40, "link", "a/b", "lost", "warning", request="r-1"),
)  # fmt: skip


def test_every_choice_is_among_the_records() -> None:
    """So that the schema has them all, and none is lost on the way."""
    services = [record for record in EVERY_RECORD if isinstance(record, Service)]
    assert {service.mode for service in services} == MODES
    assert {service.policy for service in services} == BALANCE_POLICIES
    assert {service.on_empty for service in services} == ON_EMPTY
    assert {service.locality for service in services} == LOCALITIES
    assert {r.word for r in EVERY_RECORD if isinstance(r, Report)} == REPORT_WORDS
    assert {r.mode for r in EVERY_RECORD if isinstance(r, Scaling)} == SCALING_MODES
    assert {r.rates for r in EVERY_RECORD if isinstance(r, Provisioning)} == PROVISIONED_RATES
    assert {r.kind for r in EVERY_RECORD if isinstance(r, Override)} == TARGET_KINDS
    assert {r.verdict for r in EVERY_RECORD if isinstance(r, DependencyRule)} == VERDICTS
    assert {r.source for r in EVERY_RECORD if isinstance(r, ContainerPlan)} == SOURCES
    assert {r.source for r in EVERY_RECORD if isinstance(r, RatePlan)} == SOURCES
    assert {r.state for r in EVERY_RECORD if isinstance(r, PrewarmRequest)} == REQUEST_STATES
    assert {r.source for r in EVERY_RECORD if isinstance(r, Dependency)} == EDGE_SOURCES
    assert {r.role for r in EVERY_RECORD if isinstance(r, Token)} == ROLES
    assert {r.severity for r in EVERY_RECORD if isinstance(r, Event)} == SEVERITIES
    assert {type(record) for record in EVERY_RECORD} == {*RECORD_CLASSES} - {Global}


def test_every_record_comes_back_as_it_was_put(nib: Nib, open_nib: Callable[..., Nib]) -> None:
    nib.write(put(*EVERY_RECORD)).result(WAIT_S)
    other = open_nib("other")
    with nib.view() as mine, other.view() as theirs:
        for kind in RECORD_CLASSES:
            assert set(mine.all(kind)) == set(theirs.all(kind)) != set()
        for record in EVERY_RECORD:
            kept = theirs.need(type(record), record.key)
            if isinstance(kept, Service | Container | Policy):
                assert kept.number > 0
                assert kept.generation == 1
                kept = replace(kept, number=0, generation=0)
            elif isinstance(kept, INTENT):
                unnumbered = cast(Any, kept)
                assert unnumbered.generation == 1
                kept = replace(unnumbered, generation=0)
            assert kept == record


def test_every_record_can_be_changed_and_deleted(nib: Nib, open_nib: Callable[..., Nib]) -> None:
    nib.write(put(*EVERY_RECORD)).result(WAIT_S)
    changed = (
        service(1, port=81, protocol="udp"),
        container("s1", "c1"),
        SlotTable("s1", ()),
        LocalSlots("s2", DPID, ()),
        Switch(DPID, 1),
        Port(DPID, "s1-eth1", 7, MAC),
        Link(DPID, "s1-eth2", DPID, "s1-eth1"),
        Host(MAC, PEER, "s2-eth1", frozenset({"10.0.0.1"})),
        Leader(1, "controller-2"),
        Audit(DPID),
        service(2),
        container("s2", "c1"),
        Report("s1", "c2", percent=50),
        Health("s1", "c1", False, "refused"),
        Connections("s1", "c1", 5, 1, DPID),
        Ejected("s1", "c1", 1),
        Demand("s1", 1),
    )
    nib.write(put(*changed)).result(WAIT_S)
    with open_nib("other").view() as mirror:
        for record in changed:
            kept = mirror.need(type(record), record.key)
            if isinstance(kept, Service | Container):
                kept = replace(kept, number=0, generation=0)
            assert kept == record

    def clear(draft: Draft) -> None:
        for kind in RECORD_CLASSES:
            for record in draft.all(kind):
                if kind is not Global:
                    draft.delete(kind, record.key)

    nib.write(clear).result(WAIT_S)
    with open_nib("third").view() as mirror:
        assert sum(mirror.count(kind) for kind in RECORD_CLASSES) == 1


def test_what_is_said_about_a_container_goes_with_it(
    nib: Nib, open_nib: Callable[..., Nib]
) -> None:
    nib.write(put(*EVERY_RECORD)).result(WAIT_S)

    def remove(draft: Draft) -> None:
        for name in ("c1", "c2"):
            draft.delete(Container, ("s1", name))
        draft.delete(Service, "s1")

    nib.write(remove).result(WAIT_S)
    with open_nib("other").view() as mirror:
        for kind in ABOUT_CONTAINER:
            assert {record.key[0] for record in mirror.all(kind)} <= {"s2"}
        assert mirror.count(Report) == 1
        assert mirror.count(Demand) == 0


def test_a_service_is_found_by_each_of_its_ports(nib: Nib) -> None:
    nib.write(put(service(1, extra_ports=(ExtraPort(443, 8443),)))).result(WAIT_S)
    with nib.view() as mirror:
        found = mirror.service_at(service(1).vip, 443, "tcp")
        assert found is not None
        assert found.name == "s1"
        assert mirror.service_at(service(1).vip, 443, "udp") is None


def test_each_intent_transaction_takes_the_next_generation(nib: Nib) -> None:
    first = nib.write(put(service(1), container("s1", "c1"))).result(WAIT_S)
    second = nib.write(put(service(2))).result(WAIT_S)
    third = nib.write(lambda draft: draft.delete(Service, "s2")).result(WAIT_S)
    assert (first.generation, second.generation, third.generation) == (1, 2, 3)
    with nib.view() as mirror:
        assert mirror.generation == 3
        assert mirror.need(Service, "s1").generation == 1


def test_a_put_of_the_same_sends_nothing(nib: Nib) -> None:
    nib.write(put(service(1))).result(WAIT_S)
    sent = nib.transactions
    again = nib.write(put(service(1))).result(WAIT_S)
    assert (again.generation, again.value.number, again.value.generation) == (1, 1, 1)
    assert nib.transactions == sent


def test_controller_rows_leave_the_generation_alone(nib: Nib) -> None:
    assert nib.write(put(Switch(DPID, 1, connected=True))).result(WAIT_S).generation == 0


def test_queued_writes_share_transactions(nib: Nib) -> None:
    sent = nib.transactions
    release, held = hold(nib)
    writes = [nib.write(put(service(number))) for number in range(100)]
    release.set()
    done = [write.result(WAIT_S) for write in writes]
    held.result(WAIT_S)
    assert nib.transactions - sent == 1
    assert {committed.generation for committed in done} == {1}
    assert len({committed.value.number for committed in done}) == 100


def test_writes_from_many_threads_take_fewer_transactions(nib: Nib) -> None:
    sent = nib.transactions
    start = threading.Barrier(16)

    def client(first: int) -> None:
        start.wait(WAIT_S)
        for write in [nib.write(put(service(first + i))) for i in range(10)]:
            write.result(WAIT_S)

    threads = [threading.Thread(target=client, args=(10 * i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    with nib.view() as mirror:
        assert mirror.count(Service) == 160
    assert nib.transactions - sent < 160


def test_a_crowd_waits_a_little_to_share_the_next_transaction(
    nib: Nib, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GATHER_S", 2.0)
    release, _ = hold(nib)
    crowd = [nib.write(put(service(number))) for number in range(writer.CROWD)]
    release.set()
    for each in crowd:
        each.result(WAIT_S)
    sent = nib.transactions
    first = nib.write(put(service(10)))
    time.sleep(0.1)
    second = nib.write(put(service(11)))
    assert first.result(WAIT_S).generation == second.result(WAIT_S).generation
    assert nib.transactions == sent + 1


def test_who_writes_alone_never_waits(nib: Nib, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHER_S", 2 * WAIT_S)
    for number in range(3):
        nib.write(put(service(number))).result(WAIT_S)


def test_a_change_that_raises_fails_alone(nib: Nib) -> None:
    def broken(draft: Draft) -> None:
        draft.put(service(2))
        raise RuntimeError("changed my mind")

    release, _ = hold(nib)
    before, bad, after = nib.write(put(service(1))), nib.write(broken), nib.write(put(service(3)))
    release.set()
    with pytest.raises(RuntimeError, match="changed my mind"):
        bad.result(WAIT_S)
    assert before.result(WAIT_S).generation == after.result(WAIT_S).generation == 1
    with nib.view() as mirror:
        assert sorted(s.name for s in mirror.all(Service)) == ["s1", "s3"]


def test_a_change_the_server_refuses_fails_alone(nib: Nib) -> None:
    release, _ = hold(nib)
    taken = service(1).vip
    first = nib.write(put(service(1)))
    bad = nib.write(put(service(2, vip=taken)))
    last = nib.write(put(service(3)))
    release.set()
    with pytest.raises(Conflict) as caught:
        bad.result(WAIT_S)
    assert {"vip", "port"} < set(caught.value.field.split("/"))
    assert taken in caught.value.message
    assert first.result(WAIT_S).value.name == "s1"
    assert last.result(WAIT_S).value.name == "s3"


def test_what_failed_because_of_a_neighbour_fails_for_its_own_reason(nib: Nib) -> None:
    """A change that built on one the server refuses is run again without it."""
    nib.write(put(service(1))).result(WAIT_S)
    release, _ = hold(nib)
    refused = nib.write(put(service(2, vip=service(1).vip)))
    built_on_it = nib.write(put(container("s2", "c1")))
    unless_it = nib.write(lambda draft: 1 // (draft.get(Service, "s2") is None))
    release.set()
    assert isinstance(refused.exception(WAIT_S), Conflict)
    assert isinstance(built_on_it.exception(WAIT_S), NotFound)
    assert unless_it.result(WAIT_S).value == 1


def test_a_service_with_containers_cannot_go(nib: Nib) -> None:
    nib.write(put(service(1), container("s1", "c1"))).result(WAIT_S)
    with pytest.raises(Conflict) as caught:
        nib.write(lambda draft: draft.delete(Service, "s1")).result(WAIT_S)
    assert caught.value.field == "service"
    assert "1 row" in caught.value.message

    def both(draft: Draft) -> None:
        draft.delete(Container, ("s1", "c1"))
        draft.delete(Service, "s1")

    nib.write(both).result(WAIT_S)
    with nib.view() as mirror:
        assert mirror.count(Service) == mirror.count(Container) == 0


def test_two_services_may_swap_vips_in_one_change(nib: Nib) -> None:
    one, two = service(1), service(2)
    nib.write(put(one, two)).result(WAIT_S)
    nib.write(put(replace(one, vip=two.vip), replace(two, vip=one.vip))).result(WAIT_S)
    with nib.view() as mirror:
        assert mirror.need(Service, "s1").vip == two.vip


def test_a_cancelled_write_never_runs(nib: Nib) -> None:
    release, _ = hold(nib)
    unwanted = nib.write(put(service(1)))
    assert unwanted.cancel()
    release.set()
    nib.write(put(service(2))).result(WAIT_S)
    with nib.view() as mirror:
        assert [s.name for s in mirror.all(Service)] == ["s2"]


def test_a_change_larger_than_the_socket_buffer_is_sent_whole(nib: Nib) -> None:
    """select.poll keeps the last `register` of a descriptor only: half a message stayed unsent."""
    lines = frozenset(f"{number:04d} " + "x" * 3900 for number in range(200))
    nib.write(put(Audit(DPID, lines=lines))).result(4)  # a probe would push it out after 5 s
    with nib.view() as mirror:
        assert mirror.need(Audit, DPID).lines == lines


def test_writing_before_start_and_after_close_is_refused(nib: Nib) -> None:
    early = Nib(nib.remote, "early")
    assert isinstance(early.write(put(service(1))).exception(0), NibUnavailable)
    early.close()
    nib.close()
    assert isinstance(nib.write(put(service(1))).exception(0), NibUnavailable)
    assert isinstance(nib.when(lambda _: True).exception(0), NibUnavailable)
