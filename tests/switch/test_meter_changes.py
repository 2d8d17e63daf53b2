"""Changing the rates of many policies: meters are changed in place, and nothing else."""

from __future__ import annotations

import socket
import struct
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.plans import RatePlan
from nib.qos import Policy
from nib.records import Record
from nib.topology import Switch
from ryu_apps.ticks import now_ms
from tests.needs import need_ovs
from tests.switch import controlled as one_switch
from tests.switch.controlled import BRIDGE, DPID, Controlled
from tests.switch.openflow_relay import Relay
from tests.switch.punt_site import Host, Site
from tests.waiting import until

POLICIES: Final = 1000
OWN: Final = [10_000 + number for number in range(POLICIES)]  # their rates; kbit/s
_TOOK_S: Final = 60.0  # on a machine that does other things too; `benchmarks meters` measures it


def services(count: int, ports: Sequence[str]) -> list[Record]:
    """Services of one container each, behind these ports in turn."""
    made: list[Record] = [
        Service(f"s{number}", f"10.2.0.{number}", 80) for number in range(1, count + 1)
    ]
    for number in range(1, count + 1):
        place = {"switch": DPID, "switch_port": ports[number % len(ports)]}
        mac = f"02:00:00:00:02:{number:02x}"
        made.append(Container(f"s{number}", "c", f"10.2.1.{number}", 8080, mac, **place))  # type: ignore[arg-type]
    return made


def policies(among: int, count: int) -> list[Policy]:
    """One for each of so many pairs of those services."""
    pairs = list(permutations(range(1, among + 1), 2))[:count]
    assert len(pairs) == count
    return [
        Policy(f"p{number}", f"s{source}", f"s{target}", max_bps=1000 * OWN[number])
        for number, (source, target) in enumerate(pairs)
    ]


def change_all_rates(draft: Draft) -> None:
    """Every policy may have half more."""
    for policy in draft.all(Policy):
        draft.put(replace(policy, max_bps=(policy.max_bps or 0) * 3 // 2))


@pytest.fixture(scope="module")
def here() -> Iterator[Controlled]:
    need_ovs()
    with one_switch.controlled() as made:
        yield made


@contextmanager
def thousand(here: Controlled, name: str) -> Iterator[tuple[Relay, Nib]]:
    """A thousand policies are in force; what changes from now on is counted."""
    with (
        Relay(here.settings.controller_port) as relay,
        Nib(here.database.remote, name, write_timeout_s=_TOOK_S) as nib,
    ):
        here.ovs.set_controller(BRIDGE, f"tcp:127.0.0.1:{relay.port}")
        rows = [*services(33, ["p2", "p3", "p4"]), *policies(33, POLICIES)]
        nib.write(lambda draft: [draft.put(row) for row in rows]).result(60)
        until_rates_are(here, OWN)
        here.await_switch()
        relay.take()
        yield relay, nib


def until_rates_are(here: Controlled, wanted: Sequence[int]) -> None:
    until(
        lambda: sorted(rates(here).values()),
        lambda seen: seen == wanted,
        f"the rates of meters are {wanted[0]} to {wanted[-1]} kbit/s",
        60,
    )


def test_a_thousand_rates_are_a_thousand_meter_changes_and_no_flow(here: Controlled) -> None:
    with thousand(here, "rates") as (relay, nib):
        before = rates(here)
        began = time.monotonic()
        generation = nib.write(change_all_rates).result(60).generation
        here.nib.when(lambda view: view.need(Switch, DPID).applied >= generation).result(60)
        took_s = time.monotonic() - began
        sent = relay.take()
        assert rates(here) == {meter: rate * 3 // 2 for meter, rate in before.items()}
    assert sent.pop("barrier") <= 4  # a few together, not one each
    assert sent == {"meter modify": POLICIES}
    assert took_s < _TOOK_S


def test_a_thousand_planned_rates_are_a_thousand_meter_changes_and_no_flow(
    here: Controlled,
) -> None:
    """And as many when the plans are gone."""
    with thousand(here, "plans") as (relay, nib):
        nib.write(plan_all_rates).result(60)
        until_rates_are(here, [rate * 3 // 2 for rate in OWN])
        nib.write(drop_all_plans).result(60)
        until_rates_are(here, OWN)
        sent = relay.take()
    assert sent.pop("barrier") <= 8
    assert sent == {"meter modify": 2 * POLICIES}


def plan_all_rates(draft: Draft) -> None:
    """Every policy is to have half more for a while."""
    for policy in draft.all(Policy):
        bps, until_ms = (policy.max_bps or 0) * 3 // 2, now_ms() + 600_000
        draft.put(RatePlan(policy.name, 0, until_ms, "forecast", bps))


def drop_all_plans(draft: Draft) -> None:
    for plan in draft.all(RatePlan):
        draft.delete(RatePlan, plan.policy)


def rates(here: Controlled) -> dict[str, int]:
    """Kilobits a second of every meter of the switch, by its id."""
    found = {}
    words = here.ovs.ofctl("dump-meters", BRIDGE).replace("\n", " ").split("meter=")[1:]
    for each in words:
        if " kbps " in each and "rate=" in each:
            found[each.split()[0]] = int(each.partition("rate=")[2].split()[0])
    return found


# ----------------------------------------------------------------------- with traffic

LIMIT_BPS: Final = 8_000_000
BURST_MS: Final = 20
PAYLOAD: Final = 1000
FRAME_BITS: Final = 8 * (PAYLOAD + 42)
OFFERED_BPS: Final = 5 * LIMIT_BPS
CHANGES: Final = 5
_SO_TIMESTAMPNS: Final = 35  # of asm-generic/socket.h; Python has no name for it


class Receiver(threading.Thread):
    """Notes when datagrams came, in seconds, as the kernel saw them."""

    def __init__(self, host: Host) -> None:
        super().__init__(name="receiver", daemon=True)
        self.times: list[float] = []
        self._socket = host.udp(timeout_s=0.2)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("0.0.0.0", 9000))
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                _, ancillary, _, _ = self._socket.recvmsg(2048, 64)
            except TimeoutError:
                continue
            ((_, _, stamp),) = ancillary
            seconds, nanoseconds = struct.unpack("qq", stamp)
            self.times.append(seconds + nanoseconds / 1e9)

    def end(self) -> None:
        self._ending.set()
        self.join()
        self._socket.close()


class Sender(threading.Thread):
    """Sends datagrams at a rate above the limit."""

    def __init__(self, host: Host, target: str) -> None:
        super().__init__(name="sender", daemon=True)
        self.sent = 0
        self._target = (target, 9000)
        self._socket = host.udp()
        self._ending = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        while not self._ending.wait(0.001):
            due = int((time.monotonic() - began) * OFFERED_BPS / FRAME_BITS)
            for _ in range(min(due - self.sent, 200)):
                self._socket.sendto(bytes(PAYLOAD), self._target)
                self.sent += 1

    def end(self) -> None:
        self._ending.set()
        self.join()
        self._socket.close()


@pytest.mark.root
def test_no_policy_is_without_its_limit_while_rates_change(tmp_path: Path) -> None:
    with Site(tmp_path / "controller.log") as site:
        source, target, _ = site.hosts
        ends = (Service("from", "10.2.0.251", 80), Service("to", "10.2.0.252", 80))
        places = (site.container(ends[0], source, 8080), site.container(ends[1], target, 8080))
        watched = Policy("watched", "from", "to", max_bps=LIMIT_BPS, burst_ms=BURST_MS)
        site.put(*services(20, ["p3"]), *policies(20, 300), *ends, *places, watched)
        until(
            lambda: site.ovs.ofctl("dump-meters", BRIDGE).count("meter="),
            lambda count: count >= 301,
            "all have a meter",
        )
        receiver, sender = Receiver(target), Sender(source, target.address)
        receiver.start()
        sender.start()
        until(lambda: len(receiver.times), lambda count: count > 500, "traffic flows")
        first = len(receiver.times)  # what came while nobody knew the address is not policed
        for number in range(CHANGES):
            time.sleep(1)
            change(site, LIMIT_BPS + 8000 * (number + 1))
        time.sleep(1)
        sender.end()
        receiver.end()
    times = receiver.times[first:]
    assert sender.sent * FRAME_BITS > 3 * LIMIT_BPS * CHANGES, "much more was offered"
    most = LIMIT_BPS + 8000 * CHANGES
    # A changed meter's bucket is full again: each change may let one more burst through.
    assert busiest(times, 1.0) <= most * (1 + 3 * BURST_MS / 1000)
    assert busiest(times, 0.1) * 0.1 <= most * (0.1 + 3 * BURST_MS / 1000)
    assert len(times) * FRAME_BITS / (times[-1] - times[0]) >= 0.4 * LIMIT_BPS, (
        "it went on; a busy machine loses some of it before the switch"
    )


def change(site: Site, bps: int) -> None:
    """All rates change at once; the watched policy's becomes this."""

    def rates_of_all(draft: Draft) -> None:
        change_all_rates(draft)
        draft.put(replace(draft.need(Policy, "watched"), max_bps=bps))

    generation = site.nib.write(rates_of_all).result(60).generation
    site.nib.when(lambda view: view.need(Switch, DPID).applied >= generation).result(60)


def busiest(times: Sequence[float], seconds: float) -> float:
    """Bits a second of the window of this length in which most came."""
    counts = (bisect_left(times, at + seconds) - place for place, at in enumerate(times))
    return max(counts) * FRAME_BITS / seconds
