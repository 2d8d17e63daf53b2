"""The node agent: what only a host with switches can do, one process a host, as root.

It puts a health port into every bridge of this host that the database knows as a switch, checks
the containers behind it from there, counts their connections, and sets up the queues of ports. It
decides nothing: verdicts and counts are rows, and queues follow from rows.

Must not know: what a verdict does to traffic.
"""

from __future__ import annotations

import logging
import resource
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import Final, TypeVar

from gateway_lb import health
from gateway_lb.health import Target
from nib.database import Nib
from nib.events import Event
from nib.intent import Container, Service
from nib.mirror import Lookups, RowChange
from nib.records import LocalSlots, SlotTable
from nib.topology import Port, Switch
from nib.watch import Batch, Watch
from prewire.errors import CommandFailed
from prewire.host.checks import Key
from prewire.host.connections import ConnectionCounter
from prewire.host.notices import QueueNotices
from prewire.host.ovs import Bridge, OpenVSwitch, OvsFailed, obstacle, switch_database
from prewire.host.place import Place
from prewire.host.port import PortFailed
from prewire.host.qos import KINDS, QueueKeeper
from prewire.host.tc import TcFailed
from prewire.settings import Settings
from ryu_apps.mailbox import Mailbox

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_S: Final = 5.0  # how often bridges, and the queues of their ports, are looked at anew
_QUEUES_S: Final = 0.1  # how long changes that queues depend on are collected
_NOTICES_S: Final = 0.5  # the same of changes in the kernel, our own among them
_UNUSED: Final = (Event, SlotTable, LocalSlots)  # they change with every container


class CannotRun(CommandFailed):
    """There is no agent to be had here; the text says why and what helps."""


def run(settings: Settings, ending: threading.Event) -> None:
    """Run until `ending` is set. Raises CannotRun, NibError."""
    why = obstacle(settings)
    if why is not None:
        raise CannotRun(f"node: {why}")
    _allow_files()
    ovs = OpenVSwitch(switch_database(settings))
    with (
        Nib(settings.nib_remote, "node", without=_UNUSED) as nib,
        closing(Node(nib, ovs, settings)) as node,
    ):
        node.start()
        ending.wait()


class Node:
    """The agent at work. Everything but `start` and `close` happens in its mailbox's thread."""

    def __init__(self, nib: Nib, ovs: OpenVSwitch, settings: Settings) -> None:
        self._nib = nib
        self._ovs = ovs
        self._mailbox = Mailbox("node")
        self._counter = ConnectionCounter(nib, ovs, settings.node_poll_ms / 1000)
        self._queues = QueueKeeper(nib, ovs)
        self._are_queues_due = False
        self._notices = QueueNotices(lambda: self._mailbox.post(self._heard_of_queues))
        self._bridges: dict[str, Bridge] = {}  # by datapath id
        self._places: dict[str, Place] = {}
        self._targets: dict[str, dict[Key, Target]] = {}  # by service
        self._waiting: set[str] = set()  # services with targets that no switch is ready for
        self._is_wanted = False  # by any service
        self._complaint = ""
        self._watch: Watch | None = None

    def start(self) -> None:
        """Begin."""
        self._mailbox.start()
        self._mailbox.post(self._clean)
        self._mailbox.after(_LOOK_S, self._look_again)
        self._counter.start()
        self._notices.start()
        self._watch = self._nib.watch(lambda batch: self._mailbox.post(partial(self._heard, batch)))

    def close(self) -> None:
        """Take away what was made."""
        if self._watch is not None:
            self._watch.close()
        self._notices.close()
        self._counter.close()
        self._mailbox.post(self._leave)
        self._mailbox.close()

    def _leave(self) -> None:
        for place in self._places.values():
            place.close()
        self._places.clear()

    def _clean(self) -> None:
        """Take out ports of an agent that was killed: nothing is behind them any more."""
        nothing: list[tuple[str, bool]] = []
        for port, is_alive in self._asked(self._ovs.health_ports, nothing):
            if not is_alive:
                LOG.info("removing the port %s of an agent that is gone", port)
                self._asked(partial(self._ovs.delete_port, port), None)

    def _look_again(self) -> None:
        self._mailbox.after(_LOOK_S, self._look_again)
        self._look()
        self._settle_queues()

    def _look(self) -> None:
        """See which bridges there are, and have a health port in each that needs one."""
        bridges = self._asked(self._ovs.bridges, list(self._bridges.values()))
        self._bridges = {bridge.dpid: bridge for bridge in bridges if bridge.dpid}
        self._settle_places()
        self._targets_of_all()

    def _settle_places(self) -> None:
        with self._nib.view() as view:
            known = {dpid for dpid in self._bridges if view.get(Switch, dpid) is not None}
            self._is_wanted = view.count(Service) > 0
        self._counter.set(frozenset(known))
        for dpid, place in list(self._places.items()):
            bridge = self._bridges.get(dpid) if dpid in known else None
            if bridge is None or not place.is_whole(bridge):
                del self._places[dpid]
                place.close()
        for dpid in known - self._places.keys() if self._is_wanted else ():
            made = self._asked(partial(Place, self._bridges[dpid], self._ovs, self._nib), None)
            if made is not None:
                self._places[dpid] = made

    def _heard_of_queues(self) -> None:
        self._queues.doubt()
        self._look_at_queues(_NOTICES_S)

    def _look_at_queues(self, seconds: float) -> None:
        """See that the queues of ports are as they should be, once in that time."""
        if not self._are_queues_due:
            self._are_queues_due = True
            self._mailbox.after(seconds, self._settle_queues)

    def _settle_queues(self) -> None:
        self._are_queues_due = False
        self._asked(partial(self._queues.settle, frozenset(self._bridges)), None)

    def _heard(self, batch: Batch) -> None:
        if any(change.kind in KINDS for change in batch.changes):
            self._look_at_queues(_QUEUES_S)
        if any(self._may_need_a_place(change) for change in batch.changes):
            self._look()
        elif any(change.kind is Port for change in batch.changes):
            self._targets_of_all()
        else:
            touched = _services_of(batch)
            if any(change.kind is Switch for change in batch.changes):
                touched |= self._waiting
            if touched:
                self._find_targets(touched)

    def _may_need_a_place(self, change: RowChange) -> bool:
        """Whether a switch has come or gone, or the first service has come."""
        if change.kind is Service:
            return not self._is_wanted
        return change.kind is Switch and (change.old is None or change.new is None)

    def _targets_of_all(self) -> None:
        with self._nib.view() as view:
            names = {service.name for service in view.all(Service)}
        self._find_targets(names | self._targets.keys())

    def _find_targets(self, services: Iterable[str]) -> None:
        """Find out what is to be checked of these services, and tell the places."""
        with self._nib.view() as view:
            for name in services:
                self._find_targets_of(name, view)
            vips = {service.vip for service in view.all(Service)}
        for dpid, place in self._places.items():
            targets = (each for found in self._targets.values() for each in found.values())
            place.set(vips, {each.key: each for each in targets if each.switch == dpid})

    def _find_targets_of(self, name: str, view: Lookups) -> None:
        service = view.get(Service, name)
        before = self._targets.pop(name, {})
        self._waiting.discard(name)
        if service is None:
            return
        now = {}
        for target in health.targets_of(service, self._places, view).values():
            known = before.get(target.key)
            if known == target:
                now[target.key] = known
            elif health.is_programmed(target, view):
                now[target.key] = target
            else:
                self._waiting.add(name)
        if now:
            self._targets[name] = now

    def _asked(self, ask: Callable[[], T], otherwise: T) -> T:
        """What Open vSwitch or the kernel answers; a complaint is logged once."""
        try:
            answer = ask()
        except (OvsFailed, PortFailed, TcFailed) as error:
            if str(error) != self._complaint:
                LOG.warning("%s", error)
            self._complaint = str(error)
            return otherwise
        return answer


def _services_of(batch: Batch) -> set[str]:
    """The services that a batch says something of, or of whose containers."""
    found = set()
    for change in batch.changes:
        record = change.record
        if isinstance(record, Service):
            found.add(record.name)
        elif isinstance(record, Container):
            found.add(record.service)
    return found


def _allow_files() -> None:
    """Every check under way has a socket: allow as many as the system does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
