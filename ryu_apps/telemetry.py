"""The app that reads switches' counters and serves them to Prometheus at /metrics.

Polls flow, group, port, queue and meter statistics of every connected switch while this controller
leads, flows slice by slice, and hears the last readings of meters that are about to start again at
zero (`ryu_apps.link`). Names come from the database, by the numbers in cookies and ids. No label
names a client or a flow.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from prometheus_client import start_http_server

from nib.intent import Container, Service
from openflow import tables
from openflow.cookies import Cookie, Kind
from ryu_apps import framework, reports, wire
from ryu_apps.collectors import collectors
from ryu_apps.context import ControllerContext
from ryu_apps.counted_slices import KIND_MASK, counted_slices
from ryu_apps.errors import ControllerFailed
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.mailbox import Mailbox
from ryu_apps.message_ids import LAST_READINGS, QUEUES, TELEMETRY, is_of, message_ids
from ryu_apps.multipart import Asked

_OF_POLICIES: Final = Cookie(Kind.POLICY, 0).value


class Telemetry(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = controller.settings
        self._nib = controller.nib
        self._leadership = controller.leadership
        self._registry = controller.registry
        self._read_at = controller.measures.read_at
        self._read = collectors(controller.nib)
        for collector in self._read:
            self._registry.register(collector)
        self._mailbox = Mailbox("telemetry")
        self._datapaths: dict[str, Any] = {}
        self._xids = message_ids(TELEMETRY)
        self._queue_xids = message_ids(QUEUES)  # of queues that are asked for one by one
        self._asked: dict[str, Asked] = {}
        self._policy_flows: dict[str, list[Any]] = {}  # read, while meters are not yet

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._mailbox.post(self._poll)
        if self._settings.metrics_port:
            self._serve(self._settings.metrics_host, self._settings.metrics_port)
        return super().start()

    def _serve(self, host: str, port: int) -> None:
        try:
            start_http_server(port, host, self._registry)
        except OSError as error:
            raise ControllerFailed(
                f"metrics_port: cannot listen on {host}:{port} ({error.strerror}); "
                "end what uses it, or choose another port"
            ) from None

    def close(self) -> None:
        """End."""
        self._mailbox.close()

    @on(ofp_event.EventOFPStateChange, [MAIN, DEAD])
    def _heard_state(self, event: Any) -> None:
        self._mailbox.post(lambda: self._state(event.datapath, event.state))

    @on(ofp_event.EventOFPFlowStatsReply, MAIN)
    def _heard_flows(self, event: Any) -> None:
        if is_of(TELEMETRY, event.msg.xid):
            self._take(event.msg, self._read.traffic.flows)
            self._take_whole(event.msg, self._policy_flows.__setitem__)
            self._mailbox.post(lambda: self._slice_read(event.msg))

    @on(ofp_event.EventOFPGroupStatsReply, MAIN)
    def _heard_groups(self, event: Any) -> None:
        self._take(event.msg, self._read.traffic.groups)

    @on(ofp_event.EventOFPPortStatsReply, MAIN)
    def _heard_ports(self, event: Any) -> None:
        self._take(event.msg, self._read.traffic.ports)
        self._take(event.msg, self._read.bandwidth.ports)

    @on(ofp_event.EventOFPQueueStatsReply, MAIN)
    def _heard_queues(self, event: Any) -> None:
        if is_of(QUEUES, event.msg.xid):
            self._take(event.msg, self._read.queues.read_apart)
        else:
            self._take_whole(event.msg, self._read.queues.read)

    @on(ofp_event.EventOFPMeterStatsReply, MAIN)
    def _heard_meters(self, event: Any) -> None:
        if is_of(LAST_READINGS, event.msg.xid):
            self._take(event.msg, self._read.policies.last_of)
        else:
            self._take_whole(event.msg, self._read_meters)

    def _take(self, message: Any, read: Callable[[str, Any], None]) -> None:
        dpid = framework.dpid_of(message.datapath)
        self._mailbox.post(lambda: read(dpid, message.body))

    def _take_whole(self, message: Any, read: Callable[[str, list[Any]], None]) -> None:
        """Read an answer to the last poll when all parts of it have come."""
        dpid = framework.dpid_of(message.datapath)

        def take() -> None:
            asked = self._asked.get(dpid)
            if asked is not None:
                asked.parts.part(message, partial(read, dpid))

        self._mailbox.post(take)

    def _read_meters(self, dpid: str, meters: list[Any]) -> None:
        self._read.told.read(dpid, meters)
        flows = self._policy_flows.pop(dpid, None)
        if flows is not None:
            self._read.policies.read(dpid, flows, meters)
        if dpid in self._datapaths:
            self._rest(dpid)

    def _state(self, datapath: Any, state: str) -> None:
        dpid = framework.dpid_of(datapath)
        if state == MAIN:
            self._datapaths[dpid] = datapath
            self._ask(dpid, datapath)
        elif self._datapaths.get(dpid) is datapath:
            del self._datapaths[dpid]
            self._asked.pop(dpid, None)
            with suppress(KeyError):  # it was never read
                self._read_at.remove(dpid)

    def _poll(self) -> None:
        if not self._leadership.leading:
            self._read.policies.clear()  # meters start again at zero, and another hears it
            self._asked.clear()
        now = time.monotonic()
        for dpid, datapath in self._datapaths.items():
            asked = self._asked.get(dpid)
            if asked is None or asked.is_due(now, self._settings.stats_seconds):
                self._ask(dpid, datapath)
        self._mailbox.after(self._settings.stats_seconds, self._poll)

    def _ask(self, dpid: str, datapath: Any) -> None:
        if not self._leadership.leading:
            return
        before = self._asked.get(dpid)
        flows = before.flows if before is not None and before.ended else self._most_flows()
        self._asked[dpid] = Asked(time.monotonic(), deque(counted_slices(flows)))
        self._policy_flows.pop(dpid, None)
        self._ask_all_else(dpid, datapath)

    def _most_flows(self) -> Mapping[Kind, int]:
        """How many counted flows a switch may have that was not read yet, about."""
        with self._nib.view() as view:
            return {
                Kind.SERVICE: 2 * view.count(Service),
                Kind.CONTAINER: 6 * view.count(Container),
            }

    def _ask_all_else(self, dpid: str, datapath: Any) -> None:
        """All but the flows that come in slices, and at once: a switch that has just connected
        tells so that it counts from zero, before it counts anything."""
        groups, ports, queues, policies, meters = itertools.islice(self._xids, 5)
        self._asked[dpid].parts.expect(queues, policies, meters)
        messages = (
            wire.group_stats_request(groups),
            wire.port_stats_request(ports),
            wire.queue_stats_request(queues),
            wire.flows_request(
                policies, table=tables.POLICE.number, cookie=_OF_POLICIES, mask=KIND_MASK
            ),
            wire.meter_stats_request(meters),
        )
        apart = (
            wire.queue_stats_request(next(self._queue_xids), port, queue)
            for port, queue in self._read.queues.apart(dpid)
        )
        framework.send(datapath, b"".join((*messages, *apart)))

    def _rest(self, dpid: str) -> None:
        """An answer was dealt with; go on after a while, if there is more to ask for."""
        asked, now = self._asked[dpid], time.monotonic()
        if asked.left:
            rest_s = asked.answered(now) if asked.is_long else 0.0
            self._mailbox.after(rest_s, partial(self._ask_slice, dpid, asked))
        else:
            asked.end(now)
            self._read_at.labels(dpid).set_to_current_time()

    def _ask_slice(self, dpid: str, asked: Asked) -> None:
        if self._asked.get(dpid) is not asked:
            return
        xid = next(self._xids)
        asked.ask(xid, time.monotonic())
        _, cookie, mask = asked.left[0]
        framework.send(self._datapaths[dpid], wire.flows_request(xid, cookie=cookie, mask=mask))

    def _slice_read(self, message: Any) -> None:
        """A part of a slice was dealt with."""
        dpid = framework.dpid_of(message.datapath)
        asked = self._asked.get(dpid)
        if asked is None or asked.xid != message.xid:
            return
        asked.flows[asked.left[0].kind] += len(message.body)
        if not message.flags & reports.MORE:
            asked.left.popleft()
            self._rest(dpid)
