"""What this machine's Open vSwitch has: its database, its flows and meters, its counters.

Must not know: the NIB, what is wrong.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from openflow import cookies
from prewire.doctor.facts import Host, HostBridge, HostMeter, HostPort, QosRow, RuleList
from prewire.doctor.kernel import devices
from prewire.host.ovs import OpenVSwitch, OvsFailed

_VERSIONS: Final = "OpenFlow13,OpenFlow14,OpenFlow15"
_TIMEOUT_S: Final = 15
_USUAL_BACKOFF_MS: Final = 8000
_CHECKSUMS: Final = b"conntrack_l4csum_err"
_VIRTUAL: Final = ("internal", "patch")  # kinds of interfaces that no link is behind
_SET_QUEUE: Final = re.compile(r"\bset_queue:(\d+)")
_COOKIE: Final = re.compile(r"\bcookie=(0x[0-9a-f]+|\d+)")
_STATISTICS: Final = re.compile(r"\b(duration|n_packets|n_bytes|idle_age|hard_age)=[^ ,]+, ?")
_METER: Final = re.compile(
    r"meter=(\d+) (kbps|pktps)[^\n]*\n[^\n]*?\brate=(\d+)(?:[^\n]*?\bburst_size=(\d+))?"
)
_COUNTED: Final = re.compile(
    r"meter:(\d+) flow_count:(\d+) packet_in_count:(\d+) byte_in_count:\d+ "
    r"duration:([\d.]+)s bands:\s*(?:0: packet_count:(\d+))?"
)


class HostReader(OpenVSwitch):
    """Reads the Open vSwitch whose database is at `remote`. Methods raise OvsFailed."""

    def host(self, known: Collection[str]) -> tuple[Host, list[str]]:
        """The bridges of these datapath ids, and what else there is that was not looked at."""
        bridges, unseen = self._bridges(known)
        ((settings, is_up),) = self._rows(
            "list", "Open_vSwitch", columns="other_config,dpdk_initialized"
        )
        wanted = dict(settings).get("dpdk-init", "false") in ("true", "try")
        host = Host(bridges, wanted, is_up is True, _hugepages(), self._checksum_errors())
        unseen += [text for bridge in bridges for text in _unseen(bridge)]
        return host, unseen

    def _bridges(self, known: Collection[str]) -> tuple[tuple[HostBridge, ...], list[str]]:
        ports = self._ports()
        backoffs = self._backoffs()
        found, unseen = [], []
        columns = "name,datapath_id,datapath_type,fail_mode,controller,ports"
        for name, dpid, datapath, mode, controllers, members in self._rows(
            "list", "Bridge", columns=columns
        ):
            if dpid not in known:
                unseen.append(f"bridge {name}: the database knows no switch of its datapath id")
                continue
            held = tuple(each for uuid in _many(members) for each in ports.get(uuid, ()))
            bridge = HostBridge(
                name,
                dpid,
                datapath,
                _text(mode),
                dict(backoffs[uuid] for uuid in _many(controllers) if uuid in backoffs),
                tuple(sorted(held, key=lambda port: port.name)),
            )
            try:
                found.append(self._with_rules(bridge))
            except OvsFailed as error:
                unseen.append(f"bridge {name}: {error}")
        return tuple(found), unseen

    def _ports(self) -> dict[str, list[HostPort]]:
        """The ports that something is behind, by the number of their row."""
        columns = "_uuid,name,type,error,options"
        interfaces = {row[0]: row[1:] for row in self._rows("list", "Interface", columns=columns)}
        rows = self._rows("list", "Port", columns="_uuid,qos,interfaces")
        qos = self._qos()
        named = {_device_name(name, options) for name, _, _, options in interfaces.values()}
        seen = devices(named)
        found: dict[str, list[HostPort]] = {}
        for uuid, configured, members in rows:
            for name, kind, error, options in (interfaces[each] for each in _many(members)):
                if kind in _VIRTUAL:
                    continue
                device = seen.get(_device_name(name, options))
                row = qos.get(configured) if isinstance(configured, str) else None
                found.setdefault(uuid, []).append(HostPort(name, kind, _text(error), row, device))
        return found

    def _qos(self) -> dict[str, QosRow]:
        queues = {
            uuid: dict(config)
            for uuid, config in self._rows("list", "Queue", columns="_uuid,other_config")
        }
        return {
            uuid: QosRow(
                kind,
                dict(config),
                {number: queues.get(_uuid(queue), {}) for number, queue in members},
            )
            for uuid, kind, config, members in self._rows(
                "list", "QoS", columns="_uuid,type,other_config,queues"
            )
        }

    def _backoffs(self) -> dict[str, tuple[str, int]]:
        """By the number of its row, each controller's target and how long a retry may wait."""
        rows = self._rows("list", "Controller", columns="_uuid,target,max_backoff")
        return {
            uuid: (target, most if isinstance(most, int) else _USUAL_BACKOFF_MS)
            for uuid, target, most in rows
        }

    def _with_rules(self, bridge: HostBridge) -> HostBridge:
        flows = self._ofctl("dump-flows", bridge.name)
        counted = self._ofctl("meter-stats", bridge.name)
        return replace(
            bridge,
            queues_set=frozenset(map(int, _SET_QUEUE.findall(flows))),
            meters=meters_in(self._ofctl("dump-meters", bridge.name), counted),
            alien=alien_in(flows),
        )

    def _checksum_errors(self) -> float:
        """Of this kind, a second: over the last five seconds, or over the last minute."""
        for line in self._call("coverage/show"):
            if line.startswith(_CHECKSUMS):
                rates = re.findall(rb"([\d.]+)/sec", line)
                return max(map(float, rates[:2]), default=0.0)
        return 0.0

    def _ofctl(self, command: str, bridge: str) -> str:
        argv = ["ovs-ofctl", f"--timeout={_TIMEOUT_S}", "-O", _VERSIONS, command]
        done = subprocess.run(
            [*argv, f"unix:{self.run_dir / bridge}.mgmt"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OvsFailed(f"ovs-ofctl {command} {bridge}: {done.stderr.strip() or 'timed out'}")
        return done.stdout


def _unseen(bridge: HostBridge) -> Iterator[str]:
    """What of its ports was not looked at."""
    no_device = [
        port.name
        for port in bridge.ports
        if port.device is None and not port.error and not port.is_dpdk
    ]
    if no_device:
        yield f"bridge {bridge.name}: no device here is called {', '.join(no_device)}"
    hidden = [port.name for port in bridge.ports if port.device and port.device.hides_peer]
    if hidden:
        yield (
            f"bridge {bridge.name}: the other ends of {', '.join(hidden)}, in network namespaces "
            "that cannot be reached from here; there, `ethtool -k` shows offloads"
        )


def alien_in(flows: str) -> RuleList:
    """The flows of a dump that do not carry prewire's cookie, without what they counted."""
    found = [
        _STATISTICS.sub("", line.strip())
        for line in flows.splitlines()
        if (cookie := _COOKIE.search(line)) and not cookies.is_ours(int(cookie[1], 0))
    ]
    return RuleList(len(found), tuple(found))


def meters_in(dump: str, counted: str) -> dict[int, HostMeter]:
    """Meters, from what dump-meters and meter-stats print."""
    counts = {int(found[1]): found for found in _COUNTED.finditer(counted)}
    meters = {}
    for found in _METER.finditer(dump):
        number, unit, rate, burst = found.groups()
        seen = counts.get(int(number))
        meters[int(number)] = HostMeter(
            rate=int(rate),
            burst=int(burst or 0),
            per_packet=unit == "pktps",
            packets=int(seen[3]) if seen else 0,
            dropped=int(seen[5] or 0) if seen else 0,
            seconds=float(seen[4]) if seen else 0.0,
            flows=int(seen[2]) if seen else 0,
        )
    return meters


def _device_name(name: str, options: Any) -> str:
    """The network device behind an interface: of an af_packet port of DPDK it has another name."""
    found = re.search(r"\biface=([^,]+)", dict(options).get("dpdk-devargs", ""))
    return found[1] if found else name


def _hugepages() -> int:
    text = Path("/proc/meminfo").read_text()
    found = re.search(r"HugePages_Total:\s+(\d+)", text)
    return int(found[1]) if found else 0


def _many(members: Any) -> list[str]:
    """The members of a set, which as one stands alone."""
    return members if isinstance(members, list) else [members]


def _text(value: Any) -> str:
    """An optional text; "" where there is none."""
    return value if isinstance(value, str) else ""


def _uuid(value: Any) -> str:
    """A reference within a map, which is not made plain."""
    return value[1] if isinstance(value, list) else str(value)
