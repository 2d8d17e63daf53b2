"""The app that learns where stations are, and asks for those that nobody knows.

The pipeline hands it, metered: ARP and neighbour discovery that tells something new at an edge port
(table `learn`), requests and solicitations that no switch can answer (table `arp`), packets whose
destination's flows are not there (table `forward`). Only the leader acts.

A request goes out of the edge ports of all switches, once a second for an address, and never
through the fabric. It goes nowhere if who asks claims what is another's: nobody is to believe it.

Must not know: how flows look, how places are chosen (`ryu_apps.stations`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway_lb.health import health_iface
from nib.draft import Draft
from nib.mirror import Lookups
from nib.topology import Host, Link, Port
from nib.watch import Batch
from openflow import tables
from openflow.values import Output
from ryu_apps import framework, neighbour_packets
from ryu_apps.context import ControllerContext
from ryu_apps.discovery_measures import StationMeasures
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.hosts import concerned, lawful, learned, obstacle
from ryu_apps.mailbox import Mailbox
from ryu_apps.message_ids import LEARNING, message_ids
from ryu_apps.neighbour_packets import Spoken
from ryu_apps.newcomers import Newcomers
from ryu_apps.packet_ins import PacketIns
from ryu_apps.punt_wire import CONTROLLER, TABLE, packet_out
from ryu_apps.routing import is_fabric_port
from ryu_apps.spacing import Spacing
from ryu_apps.stations import located
from ryu_apps.status import StatusWriter

LOG = logging.getLogger(__name__)

_ASK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.05  # what a switch said before another did may be heard after it
_NEW_SECONDS: Final = 2.0  # by when a station's flows are in the switches
_COMPLAINT_SECONDS: Final = 60.0
_OF_STATIONS: Final = (tables.LEARN, tables.ARP, tables.FORWARD)


@dataclass(frozen=True, slots=True)
class _Came:
    """A packet-in: from which switch, by which port, from which table, and the frame in it."""

    dpid: str
    number: int
    table: int
    frame: bytes

    @property
    def awaits_delivery(self) -> bool:
        """Whether it is on its way to a station, and was not there yet."""
        return self.table == tables.FORWARD.number and self.number != CONTROLLER


class Learning(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nib = controller.nib
        self._leadership = controller.leadership
        self._measures = StationMeasures(controller.registry)
        self._mailbox = Mailbox("learning")
        self._status = StatusWriter(self._nib, self._mailbox)
        self._datapaths: dict[str, Any] = {}
        overflowed = partial(self._became, "overflow")
        self._packets = PacketIns(_OF_STATIONS, self._mailbox, self._packet, overflowed)
        self._outgoing: list[tuple[str, list[int]]] = []
        self._edges: dict[str, tuple[int, ...]] | None = None
        self._asked = Spacing(_ASK_SECONDS)
        self._newcomers = Newcomers(_NEW_SECONDS)
        self._complaints = Spacing(_COMPLAINT_SECONDS)
        self._xids = message_ids(LEARNING)

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._leadership.subscribe(self._heard_leadership)
        self._nib.watch(self._heard_rows)
        return super().start()

    def close(self) -> None:
        """End."""
        self._mailbox.close()

    # ------------------------------------------------------------------ what is heard

    def _heard_leadership(self, leads: bool) -> None:
        if leads:
            self._mailbox.post(self._review_all)

    @on(ofp_event.EventOFPStateChange, [MAIN, DEAD])
    def _heard_state(self, event: Any) -> None:
        self._mailbox.post(lambda: self._state(event.datapath, event.state))

    @on(ofp_event.EventOFPPacketIn, MAIN)
    def _heard_packet(self, event: Any) -> None:
        if self._leadership.leading:
            self._packets.heard(event.msg)

    def _heard_rows(self, batch: Batch) -> None:
        if any(isinstance(change.record, Port | Link) for change in batch.changes):
            self._mailbox.post(self._forget_edges)
        with self._nib.view() as view:
            hosts = {host.mac for change in batch.changes for host in concerned(change, view)}
        if hosts:
            self._mailbox.post(lambda: self._review(hosts))

    def _state(self, datapath: Any, state: str) -> None:
        dpid = framework.dpid_of(datapath)
        known = self._datapaths.get(dpid)
        if state == MAIN and (known is None or not framework.is_open(known)):
            self._datapaths[dpid] = datapath
        elif state == DEAD and known is datapath:
            del self._datapaths[dpid]
        self._forget_edges()

    # ------------------------------------------------------------------ packets

    def _packet(self, message: Any) -> None:
        dpid, number = framework.dpid_of(message.datapath), message.match["in_port"]
        self._deal(_Came(dpid, number, message.table_id, message.data))

    def _deal(self, came: _Came, *, again: bool = False) -> None:
        self._outgoing.clear()
        with self._nib.view() as view:
            result = self._dealt_with(came, view)
        if result == "unknown" and came.awaits_delivery and not again:
            self._mailbox.after(_AGAIN_SECONDS, lambda: self._deal(came, again=True))
            return
        self._became(result)
        for outgoing in self._outgoing:  # sending may block, and so must not hold the view
            self._send(came.frame, *outgoing)

    def _dealt_with(self, came: _Came, view: Lookups) -> str:
        """Do what a packet asks for; returns the word that counts it."""
        if came.table == tables.FORWARD.number:
            return self._delivered(came, view) if came.awaits_delivery else "unknown"
        spoken = neighbour_packets.read(came.frame)
        port = view.port_numbered(came.dpid, came.number)
        if spoken is None or port is None:
            return "malformed" if spoken is None else "unknown"
        refused = _refusal(spoken, port, view)
        if refused:
            self._refuse(refused, spoken, port)
            return "refused"
        if came.table == tables.LEARN.number:
            return self._learned(spoken, port, view)
        return self._asked_for(spoken, came, view)

    def _learned(self, spoken: Spoken, port: Port, view: Lookups) -> str:
        rows = learned(spoken.mac, spoken.address, port, view)
        if not rows:
            return "known"
        if view.get(Host, spoken.mac) is None:
            LOG.info("host %s at port %s of switch %s", spoken.mac, port.name, port.switch)
        self._newcomers.note(spoken.mac, port, time.monotonic())
        self._status.note(("host", spoken.mac, spoken.address), _learn(spoken, port))
        return "learned"

    def _asked_for(self, spoken: Spoken, came: _Came, view: Lookups) -> str:
        if not spoken.looks_for:
            return "announced"
        if view.services_at_vip(spoken.looks_for) or view.containers_at(spoken.looks_for):
            return "known"  # the switch answers, in a moment
        if not self._asked.allows(spoken.looks_for, time.monotonic()):
            return "waiting"
        for dpid, numbers in self._edge_ports(view).items():
            where = [each for each in numbers if (dpid, each) != (came.dpid, came.number)]
            self._outgoing.append((dpid, where))
        return "asked"

    def _delivered(self, came: _Came, view: Lookups) -> str:
        """Have the destination's switch deliver a packet, whose way there is not ready yet: by its
        flows, or at once to a station that was only just heard."""
        target = came.frame[:6]
        if not neighbour_packets.is_station(target):
            return "unknown"
        mac = neighbour_packets.mac_text(target)
        newcomer = self._newcomers.port_of(mac, time.monotonic())
        port = newcomer or located(mac, view)
        is_back = port is not None and (port.switch, port.number) == (came.dpid, came.number)
        if port is None or is_back or port.switch not in self._datapaths:
            return "unknown"
        self._outgoing.append((port.switch, [newcomer.number if newcomer else TABLE]))
        return "delivered"

    def _edge_ports(self, view: Lookups) -> dict[str, tuple[int, ...]]:
        """The ports of connected switches that stations may be at; not the node agents'."""
        if self._edges is None:
            self._edges = {
                dpid: tuple(
                    port.number
                    for port in view.ports_of(dpid)
                    if port.up
                    and port.iface_id != health_iface(dpid)
                    and not is_fabric_port(port, view)
                )
                for dpid in self._datapaths
            }
        return self._edges

    def _forget_edges(self) -> None:
        self._edges = None

    def _send(self, frame: bytes, dpid: str, ports: Iterable[int]) -> None:
        actions = tuple(Output(number) for number in ports)
        if actions:
            message = packet_out(frame, CONTROLLER, actions, next(self._xids))
            framework.send(self._datapaths[dpid], message)

    def _refuse(self, reason: str, spoken: Spoken, port: Port) -> None:
        self._measures.refused.labels(reason).inc()
        if self._complaints.allows((port.key, reason), time.monotonic()):
            claimed = f"{spoken.mac} {spoken.address}".strip()
            place = f"port {port.name} of switch {port.switch}"
            LOG.warning("%s claims to be %s: refused (%s)", place, claimed, reason)

    def _became(self, result: str) -> None:
        self._measures.packets.labels(result).inc()

    # ------------------------------------------------------------------ rows

    def _review_all(self) -> None:
        with self._nib.view() as view:
            hosts = {host.mac for host in view.all(Host)}
        self._review(hosts)

    def _review(self, macs: Iterable[str]) -> None:
        """Take from hosts what they may not claim any more."""
        with self._nib.view() as view:
            known = [host for mac in macs if (host := view.get(Host, mac)) is not None]
            unlawful = [host.mac for host in known if lawful(host, view) != host]
        for mac in unlawful:
            self._status.note(("host", mac, "review"), _bound(mac))


def _refusal(spoken: Spoken, port: Port, view: Lookups) -> str:
    if not spoken.is_consistent:
        return "mismatch"
    return obstacle(spoken.mac, spoken.address, port, view)


def _learn(spoken: Spoken, port: Port) -> Callable[[Draft], object]:
    """Store what a station said, unless the database has come to know better."""

    def change(draft: Draft) -> object:
        now = draft.get(Port, port.key)
        if now is None or obstacle(spoken.mac, spoken.address, now, draft):
            return None
        return [draft.put(row) for row in learned(spoken.mac, spoken.address, now, draft)]

    return change


def _bound(mac: str) -> Callable[[Draft], object]:
    """Keep of a host what is lawful."""

    def change(draft: Draft) -> object:
        host = draft.get(Host, mac)
        kept = None if host is None else lawful(host, draft)
        if kept is not None:
            return draft.put(kept)
        return host and draft.delete(Host, mac)

    return change
