"""Link probes under way: signs and sends those that are due, and takes in those that arrive.

The key is drawn anew whenever it begins: only the leader sends probes, and gets to see them.

Must not know: the database, what becomes of a link.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from nib.topology import Link
from openflow.values import Output
from ryu_apps import lldp, wire
from ryu_apps.discovery_measures import LinkMeasures
from ryu_apps.framework import port_name
from ryu_apps.link_states import End
from ryu_apps.links import FRESH_SECONDS, Links
from ryu_apps.mailbox import Mailbox
from ryu_apps.message_ids import PROBER, message_ids
from ryu_apps.ports import is_up
from ryu_apps.punt_wire import CONTROLLER, packet_out
from ryu_apps.spacing import Spacing

LOG = logging.getLogger(__name__)

_COMPLAINT_SECONDS: Final = 60.0


class Prober:
    """To be used in the mailbox's thread only.

    send: queues messages to a switch; changed: called with every port whose link is another.
    """

    def __init__(
        self,
        interval_s: float,
        mailbox: Mailbox,
        measures: LinkMeasures,
        *,
        is_claimed: Callable[[End], bool],
        send: Callable[[str, bytes], object],
        changed: Callable[[End], object],
    ) -> None:
        self._interval_s = interval_s
        self._mailbox = mailbox
        self._measures = measures
        self._send = send
        self._changed = changed
        self._links = Links(interval_s, is_claimed)
        self._key = secrets.token_bytes(lldp.KEY_BYTES)
        self._term: object | None = None
        self._began = 0.0
        self._macs: dict[str, dict[int, str]] = {}
        self._barriers: dict[int, str] = {}
        self._xids = message_ids(PROBER)
        self._complaints = Spacing(_COMPLAINT_SECONDS)

    def begin(self, links: Iterable[Link]) -> None:
        """Begin to probe, from the links that the database has."""
        self._key = secrets.token_bytes(lldp.KEY_BYTES)
        self._barriers = {}
        self._term = object()
        self._began = time.monotonic()
        self._ended(self._links.begin(links, self._began))
        self._tick(self._term)

    def end(self) -> None:
        """Probe no more."""
        self._term = None

    @property
    def runs(self) -> bool:
        """Whether it probes, and so knows better than the database."""
        return self._term is not None

    def link_from(self, end: End) -> Link | None:
        """The link that leaves by a port."""
        return self._links.link_from(end)

    def ports(self, dpid: str, ports: Iterable[Any]) -> None:
        """A connected switch has these ports."""
        up = [port for port in ports if is_up(port)]
        self._macs[dpid] = {port.port_no: port.hw_addr for port in up}
        names = {port.port_no: port_name(port) for port in up}
        self._ended(self._links.ports(dpid, names, time.monotonic()))

    def ready(self, dpid: str, is_ready: bool) -> None:
        """Whether a connected switch holds the flows for probes, and has us as its master."""
        self._links.ready(dpid, is_ready, time.monotonic())

    def disconnected(self, dpid: str) -> None:
        """A switch's connection ended."""
        self._macs.pop(dpid, None)
        self._barriers = {xid: to for xid, to in self._barriers.items() if to != dpid}
        self._links.disconnected(dpid)

    def forgotten(self, dpid: str) -> None:
        """A switch's row was deleted."""
        self._ended(self._links.forgotten(dpid))

    def has_asked(self, xid: int) -> bool:
        """Whether a barrier is one of ours; from any thread."""
        return xid in self._barriers

    def answered(self, xid: int, dpid: str) -> None:
        """A switch answered a barrier."""
        if self._term is None or self._barriers.pop(xid, None) != dpid:
            return
        lost = self._links.answered(dpid, time.monotonic())
        self._measures.lost.inc(len(lost))
        self._ended(lost)

    def heard(self, frame: bytes, dpid: str, number: int) -> None:
        """An LLDP frame came in by a port of a switch."""
        if self._term is None:
            return
        now = time.monotonic()
        probe = lldp.read(frame, self._key)
        if isinstance(probe, str):
            # what the leader before sent may still be under way
            is_old = probe == "forged" and now - self._began < FRESH_SECONDS
            self._reject("stale" if is_old else probe, dpid, number)
            return
        heard = self._links.heard(probe, dpid, number, now)
        if heard.refused:
            self._reject(heard.refused, dpid, number)
        self._ended(heard.ended)
        if heard.link is not None:
            LOG.info("link: %s", _told(heard.link))
            self._changed(End(heard.link.switch, heard.link.port))

    def _tick(self, term: object) -> None:
        if term is not self._term:
            return
        # more often than a link is probed: a lost one shows with the barrier after the last probe
        self._mailbox.after(self._interval_s / 2, lambda: self._tick(term))
        for dpid, probes in self._links.probes(time.monotonic()).items():
            messages = [
                packet_out(self._frame(probe), CONTROLLER, (Output(probe.port),), next(self._xids))
                for probe in probes
            ]
            barrier = next(self._xids)
            self._barriers[barrier] = dpid
            self._send(dpid, b"".join((*messages, wire.barrier(barrier))))

    def _frame(self, probe: lldp.Probe) -> bytes:
        return lldp.probe_frame(probe, self._macs[probe.dpid][probe.port], self._key)

    def _reject(self, reason: str, dpid: str, number: int) -> None:
        self._measures.rejected.labels(dpid, reason).inc()
        # others may speak LLDP
        if reason != "foreign" and self._complaints.allows((dpid, number), time.monotonic()):
            LOG.warning("no link: %s LLDP at port %d of switch %s", reason, number, dpid)

    def _ended(self, links: Iterable[Link]) -> None:
        for link in links:
            LOG.warning("no link any more: %s", _told(link))
            self._changed(End(link.switch, link.port))


def _told(link: Link) -> str:
    return f"{link.port} of {link.switch} to {link.peer_port} of {link.peer}"
