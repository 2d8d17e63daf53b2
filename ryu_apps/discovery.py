"""The app that keeps the database's ports as the switches have them.

Joins what OpenFlow says of a port with what the switch's own database says of who is behind it;
every change of either becomes a transaction on the Port rows of that switch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nib.draft import Draft
from nib.records import Port
from ryu_apps import framework
from ryu_apps.context import ControllerContext
from ryu_apps.framework import MAIN, ofp_event, ofproto, on
from ryu_apps.mailbox import Mailbox
from ryu_apps.ports import Attachments, described
from ryu_apps.status import StatusWriter
from ryu_apps.switch_db import SwitchDatabase


class Discovery(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mailbox = Mailbox("discovery")
        self._status = StatusWriter(controller.nib, self._mailbox)
        self._ports: dict[str, dict[int, Any]] = {}
        self._attachments: Attachments = {}
        remote = controller.settings.switch_db
        self._switch_db = SwitchDatabase(remote, self._heard_attachments) if remote else None

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        if self._switch_db is not None:
            self._switch_db.start()
        return super().start()

    def close(self) -> None:
        """End."""
        if self._switch_db is not None:
            self._switch_db.close()
        self._mailbox.close()

    def _heard_attachments(self, attachments: Attachments) -> None:
        self._mailbox.post(lambda: self._attached(attachments))

    @on(ofp_event.EventOFPStateChange, MAIN)
    def _heard_up(self, event: Any) -> None:
        ports = dict(event.datapath.ports or {})
        dpid = f"{event.datapath.id:016x}"
        self._mailbox.post(lambda: self._switch(dpid, ports))

    @on(ofp_event.EventOFPPortStatus, MAIN)
    def _heard_port(self, event: Any) -> None:
        dpid = f"{event.msg.datapath.id:016x}"
        gone = event.msg.reason == ofproto.OFPPR_DELETE
        self._mailbox.post(lambda: self._port(dpid, event.msg.desc, gone=gone))

    def _switch(self, dpid: str, ports: dict[int, Any]) -> None:
        self._ports[dpid] = ports
        self._save(dpid)

    def _port(self, dpid: str, port: Any, *, gone: bool) -> None:
        ports = self._ports.setdefault(dpid, {})
        if gone:
            ports.pop(port.port_no, None)
        else:
            ports[port.port_no] = port
        self._save(dpid)

    def _attached(self, attachments: Attachments) -> None:
        self._attachments = attachments
        for dpid in self._ports:
            self._save(dpid)

    def _save(self, dpid: str) -> None:
        rows = [described(dpid, port, self._attachments) for port in self._ports[dpid].values()]
        self._status.note(("ports", dpid), _ports_are(dpid, rows))


def _ports_are(dpid: str, ports: list[Port]) -> Callable[[Draft], object]:
    """The switch has these ports and no others."""
    names = {port.name for port in ports}

    def change(draft: Draft) -> object:
        for known in draft.ports_of(dpid):
            if known.name not in names:
                draft.delete(Port, known.key)
        for port in ports:
            draft.put(port)
        return None

    return change
