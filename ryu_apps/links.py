"""Which ports of switches are linked, found out by probes.

A port is probed when it comes up, then often where it has a link and rarely where not. A probe
counts where it arrives if it is one of those sent lately and no other port had it before. That
makes a link, in one direction, until a port of it goes down or three probes in a row got lost.

Lost is what cannot be under way any more: the sender's switch has answered a barrier behind the
probe, and then the receiver's one that was sent later. So links stay while a switch is slow or not
ready: unknown is not gone. Probes wait for the barrier before, and never pile up.

Not made into links, however genuine the probe: what arrives at the switch that sent it; what leaves
or arrives by a port where a container or an interface with an iface-id is (but a link that is there
stays, whoever is registered at it); what says otherwise than a link that is alive. One thing cannot
be told from a cable: a machine with two ports that nobody claims, which passes every probe on from
one to the other at once.

Pure: the time is an argument, in seconds of any clock that does not go back.

Must not know: frames, connections, the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from nib.topology import Link
from openflow.values import MAX_PORT
from ryu_apps.link_states import QUICK_PROBES, End, KnownLink, ProbedPort, ProbedSwitch, Sent
from ryu_apps.lldp import Probe

# How long a probe may be under way, in seconds.
FRESH_SECONDS: Final = 2.0
# How often a port is probed at which nobody answers, in seconds.
RARE_SECONDS: Final = 5.0
_LOST_PROBES: Final = 3


class Heard(NamedTuple):
    """What became of a probe: the link that is new by it, or why it does not count ("" = it does).

    stale: none that was sent lately; replayed: another port had it before; self: its own switch;
    claimed: a container's port; second: there is a link that says otherwise. ended: links that end.
    """

    refused: str = ""
    link: Link | None = None
    ended: tuple[Link, ...] = ()


class Links:
    """State as of the last call. is_claimed: whether a port is known to be somebody's own."""

    def __init__(self, interval_s: float, is_claimed: Callable[[End], bool]) -> None:
        self._interval_s = interval_s
        self._fresh_s = max(FRESH_SECONDS, 2 * _LOST_PROBES * interval_s)
        self._is_claimed = is_claimed
        self._sequence = 0
        self._switches: dict[str, ProbedSwitch] = {}
        self._links: dict[End, KnownLink] = {}

    @property
    def rows(self) -> list[Link]:
        """All links."""
        return [_row(end, known.peer) for end, known in self._links.items()]

    def link_from(self, end: End) -> Link | None:
        """The link that leaves by a port."""
        known = self._links.get(end)
        return None if known is None else _row(end, known.peer)

    def begin(self, links: Iterable[Link], now: float) -> list[Link]:
        """Begin to probe: take these links to be there, forget all else; returns those that end."""
        self._links = {
            End(link.switch, link.port): KnownLink(End(link.peer, link.peer_port)) for link in links
        }
        for switch in self._switches.values():
            switch.ready, switch.asked, switch.answered = None, None, float("-inf")
            switch.leaving.clear()
            for port in switch.ports.values():
                port.due, port.quick = now, QUICK_PROBES
                port.probes.clear()
        return [link for dpid in self._switches for link in self._end_without_ports(dpid)]

    def ports(self, dpid: str, up: Mapping[int, str], now: float) -> list[Link]:
        """A connected switch has these ports up, names by number; returns the links that end."""
        switch = self._switches.setdefault(dpid, ProbedSwitch())
        ports = switch.ports
        wanted = {number: End(dpid, name) for number, name in up.items() if number < MAX_PORT}
        for number in [each for each, port in ports.items() if port.end != wanted.get(each)]:
            del ports[number]
        for number, end in wanted.items():
            if number not in ports:
                ports[number] = ProbedPort(end, due=now)
        switch.names = {port.end.name: port for port in ports.values()}
        return self._end_without_ports(dpid)

    def ready(self, dpid: str, is_ready: bool, now: float) -> None:
        """A connected switch takes probes and hands them over, or does not; first it does not."""
        switch = self._switches.get(dpid)
        if switch is None or is_ready == (switch.ready is not None):
            return
        switch.ready = now if is_ready else None
        for port in switch.ports.values() if is_ready else ():
            port.due, port.quick = min(port.due, now), QUICK_PROBES

    def disconnected(self, dpid: str) -> None:
        """A switch's connection ended; its links stay."""
        self._switches.pop(dpid, None)

    def forgotten(self, dpid: str) -> list[Link]:
        """A switch is gone for good, unless it is connected; returns the links that end."""
        if dpid in self._switches:
            return []
        return self._end(end for end, known in self._links.items() if dpid in _dpids(end, known))

    def probes(self, now: float) -> dict[str, list[Probe]]:
        """What to send now, by switch: these probes, and a barrier behind them."""
        linked = {dpid for end, known in self._links.items() for dpid in _dpids(end, known)}
        due = {}
        for dpid, switch in self._switches.items():
            if switch.asked is not None:
                continue
            probes = [
                Probe(dpid, number, self._send(switch, port, now))
                for number, port in switch.ports.items()
                if port.due <= now and self._is_probed(port, now)
            ]
            if probes or dpid in linked:
                switch.asked = now
                due[dpid] = probes
        return due

    def answered(self, dpid: str, now: float) -> list[Link]:
        """A switch has answered the barrier; returns the links that turn out to be lost."""
        switch = self._switches.get(dpid)
        if switch is None or switch.asked is None:
            return []
        switch.answered, switch.asked = switch.asked, None
        for sent in switch.leaving:
            sent.out = now
        switch.leaving.clear()
        return self._end(
            end
            for end, known in self._links.items()
            if dpid in _dpids(end, known) and self._is_lost(end, known)
        )

    def heard(self, probe: Probe, dpid: str, number: int, now: float) -> Heard:
        """A genuine probe arrived at a port of a switch."""
        nowhere = ProbedSwitch()
        sender = self._switches.get(probe.dpid, nowhere).ports.get(probe.port)
        receiver = self._switches.get(dpid, nowhere).ports.get(number)
        sent = sender.probes.get(probe.sequence) if sender else None
        if sender is None or receiver is None or sent is None or now - sent.sent > self._fresh_s:
            return Heard("stale")
        refused = self._refusal(sender.end, receiver.end, sent)
        if refused:
            return Heard(refused)
        sent.arrived = receiver.end
        return self._found(sender, receiver, probe.sequence, now)

    def _refusal(self, sender: End, receiver: End, sent: Sent) -> str:
        if sender.dpid == receiver.dpid:
            return "self"
        if sent.arrived not in (None, receiver):
            return "replayed"
        known = self._links.get(sender)
        if known is not None and known.peer == receiver:
            return ""
        if self._is_claimed(sender) or self._is_claimed(receiver):
            return "claimed"
        others = [self._links[end] for end in self._arriving(receiver)]
        if known is not None:
            others.append(known)
        return "second" if any(other.confirmed for other in others) else ""

    def _found(self, sender: ProbedPort, receiver: ProbedPort, sequence: int, now: float) -> Heard:
        """Remember a link, and have the other direction tried at once."""
        known = self._links.get(sender.end)
        new: Link | None = None
        ended: list[Link] = []
        if known is None or known.peer != receiver.end:
            ended = self._end(self._arriving(receiver.end))
            known = self._links[sender.end] = KnownLink(receiver.end)
            new = _row(sender.end, receiver.end)
        known.confirmed = True
        known.newest = max(known.newest, sequence)
        if receiver.end not in self._links and receiver.due > now + self._interval_s:
            receiver.due, receiver.quick = now, QUICK_PROBES
        return Heard("", new, tuple(ended))

    def _is_probed(self, port: ProbedPort, now: float) -> bool:
        """Whether a port that is due is for probing; one that is claimed is looked at again."""
        if port.end in self._links or not self._is_claimed(port.end):
            return True
        port.due = now + RARE_SECONDS
        return False

    def _send(self, switch: ProbedSwitch, port: ProbedPort, now: float) -> int:
        """Note a probe of a port; returns its sequence number."""
        self._sequence += 1
        for old in [key for key, each in port.probes.items() if now - each.sent > self._fresh_s]:
            del port.probes[old]
        sent = port.probes[self._sequence] = Sent(now)
        switch.leaving.append(sent)
        port.quick = max(0, port.quick - 1)
        is_often = port.quick or port.end in self._links
        port.due = now + (self._interval_s if is_often else RARE_SECONDS)
        return self._sequence

    def _is_lost(self, end: End, known: KnownLink) -> bool:
        """Whether the last probes by a link got lost."""
        here, there = self._switches.get(end.dpid), self._switches.get(known.peer.dpid)
        port = here.names.get(end.name) if here else None
        if here is None or there is None or port is None:
            return False
        if here.ready is None or there.ready is None:
            return False
        since, until = max(here.ready, there.ready), there.answered - self._interval_s / 4
        lost = [
            sequence
            for sequence, sent in port.probes.items()
            if sequence > known.newest and since <= sent.sent
            if sent.out is not None and sent.out <= until
        ]
        return len(lost) >= _LOST_PROBES

    def _arriving(self, end: End) -> list[End]:
        """The ports whose links arrive at a port."""
        return [sender for sender, known in self._links.items() if known.peer == end]

    def _end_without_ports(self, dpid: str) -> list[Link]:
        """End the links of a connected switch whose port there is not up."""
        up = self._switches[dpid].names
        return self._end(
            end
            for end, known in self._links.items()
            if any(side.dpid == dpid and side.name not in up for side in (end, known.peer))
        )

    def _end(self, ends: Iterable[End]) -> list[Link]:
        ended = [_row(end, self._links[end].peer) for end in list(ends)]
        for link in ended:
            del self._links[End(link.switch, link.port)]
        return ended


def _dpids(end: End, known: KnownLink) -> tuple[str, str]:
    """The switches of a link."""
    return end.dpid, known.peer.dpid


def _row(end: End, peer: End) -> Link:
    return Link(end.dpid, end.name, peer.dpid, peer.name)
