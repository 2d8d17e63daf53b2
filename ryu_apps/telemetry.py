"""The app that reads switches' counters and serves them to Prometheus at /metrics.

Polls flow, group and port statistics of every connected switch while this controller leads. Names
of services and containers come from the database, by the numbers in cookies. No label names a
client or a flow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import start_http_server

from openflow.cookies import OWNER_COOKIE, OWNER_MASK
from ryu_apps import framework, wire
from ryu_apps.context import ControllerContext
from ryu_apps.errors import ControllerFailed
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.mailbox import Mailbox
from ryu_apps.message_ids import TELEMETRY, message_ids
from ryu_apps.readings import Readings
from ryu_apps.states import States


class Telemetry(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = controller.settings
        self._leadership = controller.leadership
        self._registry = controller.registry
        self._readings = Readings(controller.nib)
        self._registry.register(self._readings)
        self._registry.register(States(controller.nib))
        self._mailbox = Mailbox("telemetry")
        self._datapaths: dict[str, Any] = {}
        self._xids = message_ids(TELEMETRY)
        self._asked: set[int] = set()

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
        if event.msg.xid in self._asked:
            self._take(event.msg, self._readings.flows)

    @on(ofp_event.EventOFPGroupStatsReply, MAIN)
    def _heard_groups(self, event: Any) -> None:
        self._take(event.msg, self._readings.groups)

    @on(ofp_event.EventOFPPortStatsReply, MAIN)
    def _heard_ports(self, event: Any) -> None:
        self._take(event.msg, self._readings.ports)

    def _take(self, message: Any, read: Callable[[str, Iterable[Any]], None]) -> None:
        dpid = framework.dpid_of(message.datapath)
        self._mailbox.post(lambda: read(dpid, message.body))

    def _state(self, datapath: Any, state: str) -> None:
        dpid = framework.dpid_of(datapath)
        if state == MAIN:
            self._datapaths[dpid] = datapath
            self._ask(datapath)
        elif self._datapaths.get(dpid) is datapath:
            del self._datapaths[dpid]

    def _poll(self) -> None:
        self._asked.clear()
        for datapath in self._datapaths.values():
            self._ask(datapath)
        self._mailbox.after(self._settings.stats_seconds, self._poll)

    def _ask(self, datapath: Any) -> None:
        if not self._leadership.leading:
            return
        flows, groups, ports = itertools.islice(self._xids, 3)
        self._asked.add(flows)
        messages = (
            wire.flows_request(flows, cookie=OWNER_COOKIE, mask=OWNER_MASK),
            wire.group_stats_request(groups),
            wire.port_stats_request(ports),
        )
        framework.send(datapath, b"".join(messages))
