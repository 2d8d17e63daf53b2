"""Which links are found in a simulated fabric: those that there are, and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nib.topology import Link
from ryu_apps.link_states import End
from ryu_apps.links import Links
from ryu_apps.lldp import Probe

INTERVAL_S: Final = 0.25
STEP_S: Final = INTERVAL_S / 2

SWITCHES: Final = tuple(f"{number:016x}" for number in (1, 2, 3))
PORTS: Final = (1, 2, 3, 4)
CLAIMED: Final = End(SWITCHES[2], "p4")

Place = tuple[str, int]
Cable = frozenset[Place]


def end(place: Place) -> End:
    return End(place[0], f"p{place[1]}")


def directions(cable: Cable) -> set[tuple[End, End]]:
    one, other = cable
    return {(end(one), end(other)), (end(other), end(one))}


def pairs(links: Iterable[Link]) -> set[tuple[End, End]]:
    return {(End(link.switch, link.port), End(link.peer, link.peer_port)) for link in links}


class Simulated:
    """Switches, the cables between them, and the state machine that probes them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cables: set[Cable] = set()
        self.down: set[Place] = set()
        self.away: set[str] = set()
        self.hung: dict[str, list[Probe]] = {}  # with what they have not read yet
        self.relays: dict[Place, Place] = {}
        self.links = Links(INTERVAL_S, lambda at: at == CLAIMED)
        self.links.begin((), self.now)
        self.refused: list[str] = []
        self.lost: Counter[Place] = Counter()  # probes sent where there is no cable
        self.seen: list[tuple[Probe, Place]] = []
        for dpid in SWITCHES:
            self.tell_ports(dpid)

    def tell_ports(self, dpid: str) -> None:
        up = {number: f"p{number}" for number in PORTS if (dpid, number) not in self.down}
        self.links.ports(dpid, up, self.now)
        self.links.ready(dpid, True, self.now)

    def lead(self, links: Iterable[Link]) -> list[Link]:
        """A controller begins to lead, and all connected switches take it."""
        ended = self.links.begin(links, self.now)
        for dpid in SWITCHES:
            self.links.ready(dpid, True, self.now)
        return ended

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.step()

    def step(self) -> None:
        """One tick: everything that is sent arrives, where somebody reads it."""
        self.now += STEP_S
        for dpid, probes in self.links.probes(self.now).items():
            if dpid in self.hung:
                self.hung[dpid] += probes
            else:
                self.emit(dpid, probes)

    def emit(self, dpid: str, probes: Iterable[Probe]) -> None:
        for probe in probes:
            self.carry(probe, (dpid, probe.port))
        self.links.answered(dpid, self.now)

    def carry(self, probe: Probe, out: Place) -> None:
        """A frame leaves by a port."""
        self.lost[out] += not any(out in cable for cable in self.cables)
        for cable in sorted(self.cables, key=sorted):  # in every process the same
            if out in cable and not cable & self.down:
                (peer,) = cable - {out}
                self.arrive(probe, peer)
        if out in self.relays:
            self.arrive(probe, self.relays[out])

    def arrive(self, probe: Probe, at: Place) -> None:
        self.seen.append((probe, at))
        if at[0] not in self.hung and at[0] not in self.away:
            heard = self.links.heard(probe, *at, self.now)
            if heard.refused:
                self.refused.append(heard.refused)

    def go_on(self, dpid: str) -> None:
        """A hung switch reads what it was sent meanwhile."""
        waiting = self.hung.pop(dpid, None)
        if waiting is not None:
            self.emit(dpid, waiting)

    @property
    def found(self) -> set[tuple[End, End]]:
        return pairs(self.links.rows)

    @property
    def expected(self) -> set[tuple[End, End]]:
        """What is cabled, up, between two switches, and nobody's."""
        good = [cable for cable in self.cables if not cable & self.down]
        found = {pair for cable in good for pair in directions(cable)}
        return {(a, b) for a, b in found if a.dpid != b.dpid and CLAIMED not in (a, b)}


A, B, C = SWITCHES
AB: Final = frozenset({(A, 1), (B, 1)})


def linked(*cables: Cable) -> Simulated:
    fabric = Simulated()
    fabric.cables |= set(cables)
    fabric.run(1)
    assert fabric.found == fabric.expected
    return fabric


def test_a_link_is_found_at_once() -> None:
    fabric = Simulated()
    fabric.cables.add(AB)
    fabric.step()
    assert fabric.found == directions(AB)


def test_a_link_without_carrier_loss_is_noticed_within_a_second() -> None:
    fabric = linked(AB)
    fabric.cables.clear()
    fabric.run(1)
    assert fabric.found == set()


def test_a_lost_probe_or_two_do_not_end_a_link() -> None:
    fabric = linked(AB)
    fabric.cables.clear()
    fabric.lost.clear()
    while fabric.lost[A, 1] < 2:
        fabric.step()
    fabric.step()  # both switches answer for what was before
    assert fabric.lost[A, 1] == 2
    assert fabric.found == directions(AB)
    fabric.cables.add(AB)
    fabric.run(10)
    assert fabric.found == directions(AB)


def test_a_port_that_goes_down_ends_its_links_at_once() -> None:
    fabric = linked(AB)
    fabric.down.add((A, 1))
    fabric.tell_ports(A)
    assert fabric.found == set()
    fabric.down.clear()
    fabric.tell_ports(A)
    fabric.run(INTERVAL_S)
    assert fabric.found == directions(AB)


def test_the_links_of_a_switch_that_is_gone_stay() -> None:
    fabric = linked(AB)
    fabric.away.add(B)
    fabric.links.disconnected(B)
    fabric.run(60)
    assert fabric.found == directions(AB)
    assert pairs(fabric.links.forgotten(B)) == directions(AB)
    assert fabric.found == set()


def test_a_switch_that_is_connected_is_not_forgotten() -> None:
    fabric = linked(AB)
    assert fabric.links.forgotten(B) == []
    assert fabric.found == directions(AB)


def test_a_slow_switch_keeps_its_links_and_is_not_flooded() -> None:
    fabric = linked(AB)
    for dpid in (A, B):
        fabric.hung[dpid] = []
        fabric.run(30)
        assert fabric.found == directions(AB)
        assert len(fabric.hung[dpid]) <= len(PORTS)
        fabric.go_on(dpid)
        fabric.run(1)
        assert fabric.found == directions(AB)


def test_ports_where_nobody_answers_are_probed_rarely() -> None:
    fabric = Simulated()
    sent = sum(len(each) for _ in range(8 * 60) for each in _sent_in_a_step(fabric).values())
    unclaimed = len(SWITCHES) * len(PORTS) - 1
    assert unclaimed * 12 <= sent <= unclaimed * 16


def _sent_in_a_step(fabric: Simulated) -> dict[str, list[Probe]]:
    fabric.now += STEP_S
    sent = fabric.links.probes(fabric.now)
    for dpid in sent:
        fabric.links.answered(dpid, fabric.now)
    return sent


def test_a_cable_without_carrier_is_found_from_one_probe() -> None:
    """One direction is found when a rare probe is due; the other follows at once."""
    fabric = Simulated()
    fabric.run(20)
    fabric.cables.add(AB)
    fabric.run(5 + INTERVAL_S)
    assert fabric.found == directions(AB)


def test_probes_from_before_a_switch_was_ready_are_sent_anew() -> None:
    fabric = Simulated()
    fabric.links.ready(A, False, fabric.now)
    fabric.run(2)
    fabric.cables.add(AB)
    fabric.links.ready(A, True, fabric.now)
    fabric.links.ready("9" * 16, True, fabric.now)
    fabric.run(INTERVAL_S)
    assert fabric.found == directions(AB)


@pytest.mark.parametrize("dpid", [A, B])
def test_a_switch_that_is_not_ready_keeps_its_links(dpid: str) -> None:
    """It answers, but does not hand over what comes: it has another master, or no flows yet."""
    fabric = linked(AB)
    fabric.cables.clear()
    fabric.links.ready(dpid, False, fabric.now)
    fabric.run(10)
    assert fabric.found == directions(AB)
    fabric.links.ready(dpid, True, fabric.now)
    fabric.cables.add(AB)
    fabric.run(10)
    assert fabric.found == directions(AB)
    fabric.cables.clear()
    fabric.run(1)
    assert fabric.found == set()


def test_a_recorded_probe_makes_no_link() -> None:
    """A host hears probes at its port, and plays them at another, later."""
    fabric = Simulated()
    fabric.relays[A, 2] = (A, 2)  # the host sees them; their own switch takes none back
    fabric.run(1)
    recorded = [probe for probe, _ in fabric.seen]
    assert recorded
    fabric.run(2)
    for probe in recorded:
        fabric.arrive(probe, (B, 2))
    assert fabric.found == set()
    assert set(fabric.refused) == {"self", "stale"}


def test_a_probe_that_arrived_makes_no_second_link() -> None:
    """A host that can listen on a cable plays what it hears at its own port, at once."""
    fabric = linked(AB)
    fabric.relays[A, 1] = (C, 2)
    fabric.run(10)
    assert fabric.found == directions(AB)
    assert set(fabric.refused) == {"replayed"}


def test_a_link_that_is_alive_is_not_taken_over() -> None:
    """The host is faster than the cable."""
    fabric = linked(AB)
    fabric.step()
    (probe,) = [each for each in _next_probes(fabric, A) if each.port == 1]
    fabric.arrive(probe, (C, 2))
    fabric.arrive(probe, (B, 1))
    assert fabric.refused == ["second"]
    assert fabric.found == directions(AB)


def _next_probes(fabric: Simulated, dpid: str) -> list[Probe]:
    while True:
        probes = _sent_in_a_step(fabric).get(dpid)
        if probes:
            return probes


def test_a_machine_with_two_ports_passes_for_a_cable() -> None:
    """What cannot be prevented, unless somebody claims one of its ports."""
    fabric = Simulated()
    fabric.relays |= {(A, 2): (C, 2), (C, 2): (A, 2), (A, 3): (C, 4), (C, 4): (A, 3)}
    fabric.run(1)
    assert fabric.found == {(end((A, 2)), end((C, 2))), (end((C, 2)), end((A, 2)))}
    assert set(fabric.refused) == {"claimed"}


def test_a_link_outlives_a_container_registered_at_its_port() -> None:
    claimed: set[End] = set()
    fabric = linked(AB)
    fabric.links._is_claimed = claimed.__contains__
    claimed.add(end((B, 1)))
    fabric.run(10)
    assert fabric.found == directions(AB)


def test_a_new_leader_keeps_known_links_and_ends_those_that_are_not_there() -> None:
    fabric = linked(AB)
    gone = Link(A, "p3", C, "p3")
    cabled_anew = Link(A, "p2", C, "p2")
    fabric.cables |= {frozenset({(A, 2), (B, 2)})}
    downed = Link(A, "p9", C, "p9")
    ended = fabric.lead([*fabric.links.rows, gone, cabled_anew, downed])
    assert ended == [downed]
    assert directions(AB) <= fabric.found
    fabric.run(1.25)
    assert fabric.found == fabric.expected


def test_of_two_links_to_one_port_the_one_that_is_seen_stays() -> None:
    fabric = Simulated()
    fabric.cables.add(AB)
    fabric.lead([Link(C, "p2", B, "p1")])
    fabric.step()
    assert fabric.found == directions(AB)


class Fabrics(RuleBasedStateMachine):
    """Cables, ports and switches come and go; when all is quiet, links are what they should be."""

    def __init__(self) -> None:
        super().__init__()
        self.fabric = Simulated()
        self.ever: set[tuple[End, End]] = set()

    places = st.tuples(st.sampled_from(SWITCHES), st.sampled_from(PORTS))

    @rule(one=places, other=places)
    def plug(self, one: Place, other: Place) -> None:
        """A cable; a port has one."""
        used = {place for cable in self.fabric.cables for place in cable}
        if one != other and not {one, other} & used:
            self.fabric.cables.add(frozenset({one, other}))
            self.ever |= directions(frozenset({one, other}))

    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        cables = sorted(self.fabric.cables, key=sorted)
        if cables:
            self.fabric.cables.remove(data.draw(st.sampled_from(cables)))

    @rule(place=places)
    def toggle(self, place: Place) -> None:
        self.fabric.down ^= {place}
        if place[0] not in self.fabric.away:
            self.fabric.tell_ports(place[0])

    @rule(dpid=st.sampled_from(SWITCHES))
    def hang(self, dpid: str) -> None:
        if dpid not in self.fabric.away:
            self.fabric.hung.setdefault(dpid, [])

    @rule(dpid=st.sampled_from(SWITCHES))
    def go_on(self, dpid: str) -> None:
        self.fabric.go_on(dpid)

    @rule(dpid=st.sampled_from(SWITCHES))
    def leave(self, dpid: str) -> None:
        self.fabric.hung.pop(dpid, None)
        self.fabric.away.add(dpid)
        self.fabric.links.disconnected(dpid)

    @rule(dpid=st.sampled_from(SWITCHES))
    def come(self, dpid: str) -> None:
        if dpid in self.fabric.away:
            self.fabric.away.remove(dpid)
            self.fabric.tell_ports(dpid)

    @rule()
    def lead(self) -> None:
        self.fabric.lead(self.fabric.links.rows)

    @rule(seconds=st.sampled_from((0.125, 0.5, 2.0)))
    def wait(self, seconds: float) -> None:
        self.fabric.run(seconds)

    @rule()
    def settle(self) -> None:
        for dpid in SWITCHES:
            self.go_on(dpid)
            self.come(dpid)
        self.fabric.run(7)
        assert self.fabric.found == self.fabric.expected

    @invariant()
    def only_cables_are_links(self) -> None:
        assert self.fabric.found <= self.ever
        assert not any(CLAIMED in pair for pair in self.fabric.found)


TestFabrics = Fabrics.TestCase
TestFabrics.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
