"""The queues of a DPDK port as Open vSwitch's trtcm-policer: policed two times, never shaped.

A queue's own policer (RFC 4115) marks packets green up to what its class is sure of, yellow up to
what it may use at most, and drops the rest. The port's policer lets all green through, and as much
yellow as the port has beyond what all classes are sure of. So a class always has what it is sure
of, but what one class leaves of that is lost to the others: a class alone has at most what it is
sure of and what no class is sure of. Nobody waits: nothing is delayed, TCP sees losses instead.

Open vSwitch counts bytes a second, and a frame without its 14 bytes of Ethernet header. Rates here
are of whole frames, and are turned into its own for frames of full size; of small ones more passes
(frames of 60 bytes: 29 %).

Pure. Must not know: OVSDB, which ports are DPDK's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prewire.host.queues import QosColumns
from qos.queues import POLICER, PortQueues

# Of every rate; TCP has 0.9 of a rate of 10 to 100 Mb/s with 200 ms of it, and half with 100 ms.
BURST_MS: Final = 500

_FRAME: Final = 1514  # bytes
_ETHERNET: Final = 14
_LEAST_BURST: Final = 10 * (_FRAME - _ETHERNET)  # bytes: a port's policer drops what is larger


def policer_rows(plan: PortQueues) -> QosColumns:
    """The port's policer, and that of each queue.

    There is a queue 0 always: without one, packets of queues that are not there are dropped.
    """
    sure = sum(queue.min_bps for queue in plan.queues)
    queues = {0: _policer(0, plan.rate_bps)}
    for queue in plan.queues:
        queues[queue.queue] = _policer(queue.min_bps, queue.max_bps)
    return QosColumns(POLICER, _policer(sure, plan.rate_bps), queues)


def _policer(sure_bps: int, most_bps: int) -> Mapping[str, str]:
    """Rates and bursts as Open vSwitch reads them: committed, and in excess of that."""
    committed = _bytes(sure_bps)
    excess = _bytes(max(0, most_bps - sure_bps))
    values = {
        "cir": committed,
        "cbs": _burst(committed),
        "eir": excess,
        "ebs": _burst(excess),
    }
    return {name: str(value) for name, value in values.items()}


def _bytes(bps: int) -> int:
    """Bytes a second behind the Ethernet header, of frames of full size."""
    return bps * (_FRAME - _ETHERNET) // (_FRAME * 8)


def _burst(bytes_a_second: int) -> int:
    return max(_LEAST_BURST, bytes_a_second * BURST_MS // 1000) if bytes_a_second else 0
