"""A controller's end of OpenFlow 1.3, just enough to talk to a bridge by its management socket.

It stands where the framework's datapath does: `ryu_apps.link` can use it. What arrives is parsed by
the framework that `ryu_apps.framework` chose.
"""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Self

from ryu_apps import framework, reports, wire
from ryu_apps.diff import Changes, Installed
from ryu_apps.framework import ofproto, ofproto_protocol, parser
from tests.ovs import PrivateOvs
from tests.switch_model import messages

_HEADER: Final = 8
_TIMEOUT_S: Final = 60.0
_PROTOCOL: Final = ofproto_protocol.ProtocolDesc(version=ofproto.OFP_VERSION)
_parse: Final = importlib.import_module(f"{framework.NAME}.ofproto.ofproto_parser")


class Management:
    """Connected to a bridge from `with` to its end."""

    state = framework.MAIN  # what the framework's datapath says while its connection stands

    def __init__(self, ovs: PrivateOvs, bridge: str) -> None:
        self._path = str(ovs.directory / f"{bridge}.mgmt")
        self.socket = socket.socket(socket.AF_UNIX)
        self._xid = 1 << 30  # far from those of a Link

    def __enter__(self) -> Self:
        self.socket.settimeout(_TIMEOUT_S)
        self.socket.connect(self._path)
        hello = parser.OFPHello(_PROTOCOL)
        hello.serialize()
        self.send(bytes(hello.buf))
        assert self.receive().msg_type == ofproto.OFPT_HELLO
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, messages: bytes) -> None:
        self.socket.sendall(messages)

    def receive(self) -> Any:
        """The next message, parsed; echo requests are answered."""
        while True:
            header = self._exactly(_HEADER)
            version, kind, length, xid = _parse.header(header)
            body = self._exactly(length - _HEADER)
            if kind != ofproto.OFPT_ECHO_REQUEST:
                return _parse.msg(self, version, kind, length, xid, header + body)
            answer = parser.OFPEchoReply(_PROTOCOL, body)
            answer.set_xid(xid)
            answer.serialize()
            self.send(bytes(answer.buf))

    def refusals(self, messages: Sequence[Callable[[int], bytes]]) -> dict[int, str]:
        """Send messages; the errors that come back before the barrier's answer, by place."""
        xids = [self._next() for _ in messages]
        barrier = self._next()
        sent = b"".join(make(xid) for make, xid in zip(messages, xids, strict=True))
        self.send(sent + wire.barrier(barrier))
        refused: dict[int, str] = {}
        while (message := self.receive()).msg_type != ofproto.OFPT_BARRIER_REPLY:
            error = reports.error_of(message)
            refused[xids.index(message.xid)] = f"{error.kind} {error.code}"
        assert message.xid == barrier
        return refused

    def program(self, changes: Changes) -> None:
        """Carry changes out; a refusal fails the test."""
        refused = self.refusals(encoded(changes))
        rules = [rule for _, rule in messages(changes)]
        assert not refused, [(rules[place], error) for place, error in refused.items()]

    def holding(self) -> Installed:
        """All that the switch says it holds. NotOurs where prewire has no such thing."""
        held = Installed()
        for entry in self.asked(wire.flows_request):
            flow = reports.flow_of(entry)
            held.flows[flow.key] = flow
        for entry in self.asked(wire.groups_request):
            group = reports.group_of(entry)
            held.groups[group.group_id] = group
        for entry in self.asked(wire.meters_request):
            meter = reports.meter_of(entry)
            held.meters[meter.meter_id] = meter
        return held

    def asked(self, request: Callable[[int], bytes]) -> list[Any]:
        """The entries of all parts of the answer to a statistics request."""
        xid = self._next()
        self.send(request(xid))
        entries: list[Any] = []
        while True:
            message = self.receive()
            assert message.xid == xid, message
            entries += message.body if isinstance(message.body, list) else [message.body]
            if not message.flags & reports.MORE:
                return entries

    def _next(self) -> int:
        self._xid += 1
        return self._xid

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part, "the switch closed the connection"
            data += part
        return data


_ENCODERS: Final[dict[str, Callable[[Any, int], bytes]]] = {
    "add_meters": wire.meter_add,
    "modify_meters": wire.meter_modify,
    "add_groups": wire.group_add,
    "modify_groups": wire.group_modify,
    "put_flows": wire.flow_put,
    "delete_flows": wire.flow_delete,
    "delete_groups": wire.group_delete,
    "delete_meters": wire.meter_delete,
}


def encoded(changes: Changes) -> list[Callable[[int], bytes]]:
    """The messages of some changes, each to be given its id."""
    return [partial(_ENCODERS[kind], rule) for kind, rule in messages(changes)]
