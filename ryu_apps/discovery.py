"""The app that keeps the database's ports and links as the switches have them.

Joins what OpenFlow says of a port with what the switches' own databases say of who is behind it;
probes say which ports are linked. Every change becomes a transaction while this controller leads;
one that begins to lead writes all it knows.

Must not know: how links are proven (`ryu_apps.links`), what they are used for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from nib.places import port_called
from nib.topology import Link, Port, Switch
from nib.watch import Batch
from openflow import tables
from ryu_apps import framework, rows
from ryu_apps.attachments import Attached, Attachments
from ryu_apps.context import ControllerContext
from ryu_apps.discovery_measures import LinkMeasures
from ryu_apps.framework import DEAD, MAIN, ofp_event, ofproto, on
from ryu_apps.link_states import End
from ryu_apps.mailbox import Mailbox
from ryu_apps.ports import described, is_up, ports_are
from ryu_apps.prober import Prober
from ryu_apps.status import StatusWriter
from ryu_apps.switch_db import SwitchDatabases


@dataclass(slots=True)
class _Connected:
    """A switch's present connection, and its ports as it describes them, by number.

    is_ours: whether it has us as its master.
    """

    datapath: Any
    ports: dict[int, Any]
    is_ours: bool = False


class Discovery(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = controller.settings
        self._nib = controller.nib
        self._leadership = controller.leadership
        self._mailbox = Mailbox("discovery")
        self._status = StatusWriter(controller.nib, self._mailbox)
        self._switches: dict[str, _Connected] = {}
        self._changed: set[str] = set()
        self._attached = Attached()
        self._attachments: Attachments = {}
        self._switch_db = SwitchDatabases(settings.switch_db, self._heard_attachments)
        self._guessed: set[str] = set()  # saved before their own database was heard
        self._prober = Prober(
            settings.probe_ms / 1000,
            self._mailbox,
            LinkMeasures(controller.registry),
            is_claimed=self._is_claimed,
            send=self._send,
            changed=self._save_link,
        )

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._leadership.subscribe(lambda leads: self._mailbox.post(lambda: self._lead(leads)))
        self._nib.watch(self._heard_rows)
        self._switch_db.start()
        return super().start()

    def close(self) -> None:
        """End."""
        self._switch_db.close()
        self._mailbox.close()

    # ------------------------------------------------------------------ what is heard

    def _heard_attachments(self, attachments: Attachments) -> None:
        self._mailbox.post(lambda: self._attach(attachments))

    def _heard_rows(self, batch: Batch) -> None:
        gone = [change.old for change in batch.changes if change.new is None]
        links = [row.record for row in batch.changes if isinstance(row.record, Link)]
        switches = [row.dpid for row in gone if isinstance(row, Switch)]
        ports = {row.switch for row in gone if isinstance(row, Port)}
        if links or switches or ports:
            self._mailbox.post(lambda: self._rewrite(links, switches, ports))
        for change in batch.changes:
            if isinstance(change.new, Switch):
                self._mailbox.post(partial(self._tell_ready, change.new.dpid))

    @on(ofp_event.EventOFPStateChange, [MAIN, DEAD])
    def _heard_state(self, event: Any) -> None:
        datapath = event.datapath
        if event.state == MAIN:
            ports = dict(datapath.ports or {})
            self._mailbox.post(lambda: self._up(datapath, ports))
        else:
            self._mailbox.post(lambda: self._down(datapath))

    @on(ofp_event.EventOFPPortStatus, MAIN)
    def _heard_port(self, event: Any) -> None:
        gone = event.msg.reason == ofproto.OFPPR_DELETE
        self._mailbox.post(lambda: self._port(event.msg.datapath, event.msg.desc, gone=gone))

    @on(ofp_event.EventOFPRoleReply, MAIN)
    def _heard_role(self, event: Any) -> None:
        is_ours = event.msg.role == ofproto.OFPCR_ROLE_MASTER
        self._mailbox.post(lambda: self._role(event.msg.datapath, is_ours=is_ours))

    @on(ofp_event.EventOFPBarrierReply, MAIN)
    def _heard_barrier(self, event: Any) -> None:
        dpid = framework.dpid_of(event.msg.datapath)
        if self._prober.has_asked(event.msg.xid):
            self._mailbox.post(lambda: self._prober.answered(event.msg.xid, dpid))

    @on(ofp_event.EventOFPPacketIn, MAIN)
    def _heard_packet(self, event: Any) -> None:
        if event.msg.table_id == tables.CLASSIFY.number:
            self._mailbox.post(lambda: self._packet(event.msg))

    # ------------------------------------------------------------------ leading

    def _lead(self, leads: bool) -> None:
        self._prober.end()
        if not leads:
            return
        with self._nib.view() as view:
            links = view.all(Link)
        self._prober.begin(links)
        for dpid, connected in self._switches.items():
            connected.is_ours = False
            self._save_ports(dpid)

    # ------------------------------------------------------------------ switches and ports

    def _up(self, datapath: Any, ports: dict[int, Any]) -> None:
        dpid = framework.dpid_of(datapath)
        self._prober.disconnected(dpid)
        self._switches[dpid] = _Connected(datapath, ports)
        self._ports_changed(dpid)

    def _down(self, datapath: Any) -> None:
        connected = self._of(datapath)
        if connected is not None:
            dpid = framework.dpid_of(datapath)
            del self._switches[dpid]
            self._prober.disconnected(dpid)

    def _port(self, datapath: Any, port: Any, *, gone: bool) -> None:
        connected = self._of(datapath)
        if connected is None:
            return
        if gone:
            connected.ports.pop(port.port_no, None)
        else:
            connected.ports[port.port_no] = port
        self._ports_changed(framework.dpid_of(datapath))

    def _role(self, datapath: Any, *, is_ours: bool) -> None:
        connected = self._of(datapath)
        if connected is not None and connected.is_ours != is_ours:
            connected.is_ours = is_ours
            self._tell_ready(framework.dpid_of(datapath))

    def _tell_ready(self, dpid: str) -> None:
        """A switch that holds its flows says so in its row; it tells its master alone of probes."""
        connected = self._switches.get(dpid)
        with self._nib.view() as view:
            row = view.get(Switch, dpid)
        is_programmed = row is not None and row.connected
        self._prober.ready(dpid, connected is not None and connected.is_ours and is_programmed)

    def _of(self, datapath: Any) -> _Connected | None:
        """The switch whose present connection this is."""
        connected = self._switches.get(framework.dpid_of(datapath))
        return connected if connected and connected.datapath is datapath else None

    def _ports_changed(self, dpid: str) -> None:
        """Take a switch's ports up when all that was heard of ports so far has been looked at."""
        if not self._changed:
            self._mailbox.post(self._take_ports)
        self._changed.add(dpid)

    def _take_ports(self) -> None:
        changed, self._changed = self._changed & self._switches.keys(), set()
        for dpid in changed:
            self._prober.ports(dpid, self._switches[dpid].ports.values())
        if not self._place_attachments():
            for dpid in changed:
                self._save_ports(dpid)

    def _attach(self, attachments: Attachments) -> None:
        self._attached.heard(attachments)
        if not self._place_attachments():
            for dpid in self._guessed & self._switches.keys():
                if self._switch_db.knows(dpid):
                    self._save_ports(dpid)

    def _place_attachments(self) -> bool:
        """Settle who is behind which port; whether that changed, and all ports were saved."""
        up = {
            (dpid, framework.port_name(port))
            for dpid, connected in self._switches.items()
            for port in connected.ports.values()
            if is_up(port)
        }
        before, self._attachments = self._attachments, self._attached.places(up.__contains__)
        if self._attachments == before:
            return False
        for dpid in self._switches:
            self._save_ports(dpid)
        return True

    def _save_ports(self, dpid: str) -> None:
        ports = self._switches[dpid].ports.values()
        rows_of_all = (described(dpid, port, self._attachments) for port in ports)
        found = [row for row in rows_of_all if row is not None]
        may_be_said = not self._switch_db.knows(dpid)
        (self._guessed.add if may_be_said else self._guessed.discard)(dpid)
        self._status.note(("ports", dpid), ports_are(dpid, found, may_be_said=may_be_said))

    # ------------------------------------------------------------------ links

    def _packet(self, message: Any) -> None:
        if self._of(message.datapath) is not None:
            dpid = framework.dpid_of(message.datapath)
            self._prober.heard(message.data, dpid, message.match["in_port"])

    def _send(self, dpid: str, messages: bytes) -> None:
        connected = self._switches.get(dpid)
        if connected is not None:
            framework.send(connected.datapath, messages)

    def _is_claimed(self, end: End) -> bool:
        """Whether a container or an interface with an iface-id is at a port."""
        with self._nib.view() as view:
            port = port_called(end.dpid, end.name, view)
            if port is not None and (port.iface_id or port.attached_mac):
                return True
            called = [end.name] if port is None else [end.name, str(port.number)]
            return any(view.containers_on_port(end.dpid, name) for name in called)

    def _save_link(self, end: End) -> None:
        self._status.note(("link", *end), rows.save(Link, end, self._prober.link_from(end)))

    def _rewrite(self, links: list[Link], switches: list[str], ports: set[str]) -> None:
        """Rows changed in the database: have those that we know better say it again."""
        for dpid in switches:
            self._prober.forgotten(dpid)
        for link in links if self._prober.runs else ():
            self._restore(link)
        for dpid in ports & self._switches.keys():
            self._save_ports(dpid)

    def _restore(self, link: Link) -> None:
        end = End(link.switch, link.port)
        with self._nib.view() as view:
            stored = view.get(Link, link.key)
        if stored != self._prober.link_from(end):
            self._save_link(end)
