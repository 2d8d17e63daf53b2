"""The app that answers packets which switches hand to the controller.

The pipeline sends them, metered, from three places, which the table and the cookie tell apart: an
established connection whose container is gone (reset it), a service without a container (raise
demand; reject the packet, or hold it until there is one), a capped service (admit or refuse).

Must not know: how slots are dealt, how switches are programmed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway_lb.admission import Answer, Attempt
from nib.intent import Service
from nib.mirror import Mirror
from nib.observed import Demand
from nib.records import Record, SlotTable
from nib.topology import Switch
from nib.watch import Batch
from openflow import tables
from openflow.cookies import Kind, read
from openflow.fields import ENDPOINT, PROTO_TCP
from openflow.values import Action, Ct, Output, Resubmit, SetField
from ryu_apps import framework, punt_packets, wire
from ryu_apps.context import ControllerContext
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.mailbox import Mailbox
from ryu_apps.message_ids import PUNT, message_ids
from ryu_apps.packet_ins import PacketIns
from ryu_apps.punt_admission import Gate
from ryu_apps.punt_demand import Demands, has_slots
from ryu_apps.punt_hold import Held, Holding
from ryu_apps.punt_measures import PuntMeasures
from ryu_apps.punt_packets import Punted
from ryu_apps.punt_wire import CONTROLLER, TABLE, packet_out
from ryu_apps.status import StatusWriter
from ryu_apps.ticks import now_ms

_EXPIRY_SECONDS: Final = 1.0
_OF_SERVICES: Final = (tables.SERVICE, tables.EMPTY, tables.ENDPOINT)


@dataclass(frozen=True, slots=True)
class _Came:
    """A packet-in: from which switch, by which port, and the packet in it."""

    datapath: Any
    port: int
    frame: bytes
    packet: Punted

    @property
    def dpid(self) -> str:
        return framework.dpid_of(self.datapath)


class Punt(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nib = controller.nib
        self._leadership = controller.leadership
        self._measures = PuntMeasures(controller.registry)
        self._mailbox = Mailbox("punt")
        self._demands = Demands(StatusWriter(self._nib, self._mailbox), self._mailbox)
        self._view = Mirror()
        self._gate = Gate()
        self._holding = Holding()
        self._datapaths: dict[str, Any] = {}
        overflowed = partial(self._became, "overflow")
        self._packets = PacketIns(_OF_SERVICES, self._mailbox, self._packet, overflowed)
        self._xids = message_ids(PUNT)
        self._on_the_way: dict[int, tuple[Any, str, bytes]] = {}

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._nib.watch(lambda batch: self._mailbox.post(lambda: self._absorb(batch)))
        self._leadership.subscribe(lambda leads: self._mailbox.post(lambda: self._turn(leads)))
        self._mailbox.after(_EXPIRY_SECONDS, self._expire)
        return super().start()

    def close(self) -> None:
        """End; held packets are lost, and their clients send them again."""
        self._mailbox.close()

    # ------------------------------------------------------------------ what switches say

    @on(ofp_event.EventOFPPacketIn, MAIN)
    def _heard_packet(self, event: Any) -> None:
        self._packets.heard(event.msg)

    @on(ofp_event.EventOFPStateChange, [MAIN, DEAD])
    def _heard_state(self, event: Any) -> None:
        self._mailbox.post(lambda: self._state(event.datapath, event.state))

    @on(ofp_event.EventOFPBarrierReply, MAIN)
    def _heard_barrier(self, event: Any) -> None:
        if event.msg.xid in self._on_the_way:
            self._mailbox.post(lambda: self._passed(event.msg.xid))

    def _state(self, datapath: Any, state: str) -> None:
        dpid = framework.dpid_of(datapath)
        if state == MAIN:
            self._datapaths[dpid] = datapath
            return
        if self._datapaths.get(dpid) is datapath:
            del self._datapaths[dpid]
        for xid in [xid for xid, (via, *_) in self._on_the_way.items() if via is datapath]:
            self._passed(xid)

    def _packet(self, message: Any) -> None:
        packet = punt_packets.read(message.data)
        if packet is None:
            self._became("malformed")
            return
        came = _Came(message.datapath, message.match["in_port"], message.data, packet)
        self._became(self._dealt_with(came, message.table_id, message.cookie))

    def _dealt_with(self, came: _Came, table: int, cookie: int) -> str:
        """Do what the packet asks for; returns the word that counts it."""
        origin = read(cookie)
        if origin is not None and origin.kind is Kind.BASE and table == tables.ENDPOINT.number:
            return self._reset_gone(came)
        service = None
        if origin is not None and origin.kind is Kind.SERVICE:
            service = self._view.service_numbered(origin.number)
        if service is None:
            return "stale"
        if table == tables.SERVICE.number:
            return self._admitted(came, service)
        return self._without_container(came, service)

    # ------------------------------------------------------------------ answers

    def _reset_gone(self, came: _Came) -> str:
        """End a connection as the VIP, by way of conntrack, which closes its entry."""
        switch = self._view.get(Switch, came.dpid)
        frame = punt_packets.reset(came.packet)
        if frame is None or switch is None:
            return "stale"
        look_up = Ct(switch.ct_zone)
        self._send(came.datapath, punt_packets.closing(came.packet), CONTROLLER, (look_up,))
        self._send(came.datapath, frame, CONTROLLER, (look_up, Output(came.port)))
        return "reset"

    def _without_container(self, came: _Came, service: Service) -> str:
        if self._gate.is_full(service.name, self._view):
            return self._refused(came, service)
        is_served = has_slots(service.name, self._view)
        if came.packet.begins and not is_served:
            self._demands.count(service, self._view)
        if not came.packet.begins or (service.on_empty == "reject" and not is_served):
            self._reject(came)
            return "reject"
        held = Held(came.dpid, came.port, came.packet.client, came.frame, since=time.monotonic())
        if not self._holding.keep(service.number, held):
            return "overflow"
        self._measures.held.set(self._holding.held)
        if is_served:  # the switch goes by what it cached for some milliseconds more
            self._release(service)
        return "hold"

    def _reject(self, came: _Came) -> None:
        is_tcp = came.packet.protocol == PROTO_TCP
        frame = punt_packets.reset(came.packet) if is_tcp else punt_packets.unreachable(came.packet)
        if frame is not None:
            self._send(came.datapath, frame, CONTROLLER, (Output(came.port),))

    # ------------------------------------------------------------------ caps

    def _admitted(self, came: _Came, service: Service) -> str:
        packet = came.packet
        if not has_slots(service.name, self._view):
            return self._without_container(came, service)
        if packet.protocol != PROTO_TCP or not packet.begins:
            self._reject(came)
            return "reject"
        attempt = Attempt(packet.client, packet.sequence, came.dpid)
        verdict = self._gate.admit(service.name, attempt, self._view, now_ms())
        if verdict is None:
            return "wait"  # the cap is new here, or gone; the client asks again
        if verdict.answer is Answer.REFUSE:
            return self._refused(came, service)
        if verdict.answer is Answer.ADMIT:
            self._let_through(came, service, verdict.container)
            if not verdict.again:
                self._measures.admitted.labels(service.name).inc()
        return str(verdict.answer.value)

    def _refused(self, came: _Came, service: Service) -> str:
        self._reject(came)
        self._measures.refused.labels(service.name).inc()
        return "refuse"

    def _let_through(self, came: _Came, service: Service, container: int) -> None:
        """Send a SYN on to a container; a barrier tells when it is out."""
        actions = (SetField(ENDPOINT, container), Resubmit(tables.REMEMBER.number))
        self._send(came.datapath, came.frame, came.port, actions)
        xid = next(self._xids)
        self._on_the_way[xid] = (came.datapath, service.name, came.packet.client)
        framework.send(came.datapath, wire.barrier(xid))
        if not framework.is_open(came.datapath):
            self._passed(xid)

    def _passed(self, xid: int) -> None:
        _, service, client = self._on_the_way.pop(xid, (None, "", b""))
        self._gate.passed(service, client, now_ms())

    # ------------------------------------------------------------------ what the database says

    def _turn(self, leads: bool) -> None:
        """What the leader before let through is not known here."""
        if leads:
            self._gate.begin(self._view, now_ms())

    def _absorb(self, batch: Batch) -> None:
        for change in batch.changes:
            self._view.apply(change)
        self._gate.absorb(batch, self._view, now_ms())
        for change in batch.changes:
            match change.record:
                case SlotTable(service=name) | Demand(service=name):
                    self._slots(name)
                case Service():
                    self._may_be_gone(change.old)

    def _slots(self, name: str) -> None:
        """A service's slots changed, or demand for it did."""
        service = self._view.get(Service, name)
        if service is None:
            return
        if not has_slots(name, self._view):
            self._holding.stop(service.number)
            return
        self._demands.met(name, self._view)
        self._release(service)

    def _may_be_gone(self, service: Record | None) -> None:
        """Forget a service that was deleted, even if another of its name is there at once."""
        if not isinstance(service, Service) or self._view.service_numbered(service.number):
            return
        self._demands.forget(service.name)
        self._holding.drop(service.number)
        self._measures.forget(service.name)

    # ------------------------------------------------------------------ held packets

    def _release(self, service: Service) -> None:
        if self._holding.begin(service.number):
            self._step(service.number)

    def _step(self, service: int) -> None:
        packets, pause = self._holding.step(service, time.monotonic())
        for held in packets:
            datapath = self._datapaths.get(held.dpid)
            if datapath is not None:
                self._send(datapath, held.frame, held.port, (Output(TABLE),))
        self._measures.held.set(self._holding.held)
        if pause is not None:
            self._mailbox.after(pause, partial(self._step, service))

    def _expire(self) -> None:
        self._holding.expire(time.monotonic())
        self._measures.held.set(self._holding.held)
        self._mailbox.after(_EXPIRY_SECONDS, self._expire)

    # ------------------------------------------------------------------

    def _send(self, datapath: Any, frame: bytes, in_port: int, actions: tuple[Action, ...]) -> None:
        framework.send(datapath, packet_out(frame, in_port, actions, next(self._xids)))

    def _became(self, reason: str) -> None:
        self._measures.packets.labels(reason).inc()
