"""Which of the controllers' metrics are read, and the labels that name their series.

Must not know: what is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from predictor.series.scrape import LEADER_EPOCH, Labels

READ_AT: Final = "prewire_switch_read_timestamp_seconds"

_SWITCH: Final = ("switch",)
_PORT: Final = ("switch", "port")
_QUEUE: Final = ("switch", "port", "queue", "class")
_SERVICE: Final = ("service",)
_CONTAINER: Final = ("service", "container")
_POLICY: Final = ("policy",)
_POLICY_AT: Final = ("policy", "switch")

# Counters of switches: they move when a switch is read. Without the label `switch`: of them all.
COUNTERS: Final[Mapping[str, Labels]] = {
    "prewire_port_transmit_bytes_total": _PORT,
    "prewire_port_receive_bytes_total": _PORT,
    "prewire_port_transmit_dropped_total": _PORT,
    "prewire_port_receive_dropped_total": _PORT,
    "prewire_service_new_connections_total": _SERVICE,
    "prewire_service_bytes_total": (*_SERVICE, "direction"),
    "prewire_container_new_connections_total": _CONTAINER,
    "prewire_container_bytes_total": (*_CONTAINER, "direction"),
    "prewire_policy_offered_bytes_total": _POLICY_AT,
    "prewire_policy_passed_bytes_total": _POLICY_AT,
    "prewire_policy_dropped_bytes_total": _POLICY_AT,
    "prewire_policy_passed_packets_total": _POLICY_AT,
    "prewire_policy_dropped_packets_total": _POLICY_AT,
    "prewire_queue_bytes_total": _QUEUE,
    "prewire_queue_packets_total": _QUEUE,
    "prewire_queue_dropped_packets_total": _QUEUE,
}
# What the controller itself counts: it moves at any time.
OWN_COUNTERS: Final[Mapping[str, Labels]] = {
    "prewire_service_demand_packets_total": _SERVICE,
    "prewire_connections_refused_total": _SERVICE,
}
GAUGES: Final[Mapping[str, Labels]] = {
    LEADER_EPOCH: (),
    READ_AT: _SWITCH,
    "prewire_link_rate_bps": _PORT,
    "prewire_link_guaranteed_bps": _PORT,
    "prewire_link_free_bps": _PORT,
    "prewire_service_containers": (*_SERVICE, "state"),
    "prewire_service_panic": _SERVICE,
    "prewire_container_state": (*_CONTAINER, "state"),
    "prewire_container_weight": _CONTAINER,
    "prewire_container_slots": _CONTAINER,
    "prewire_container_inflight": _CONTAINER,
    "prewire_container_connections": _CONTAINER,
    "prewire_policy_state": (*_POLICY, "state"),
    "prewire_policy_limit_bps": _POLICY_AT,
    "prewire_policy_max_bps": _POLICY,
    "prewire_policy_guaranteed_bps": _POLICY,
    "prewire_policy_connections": _POLICY,
}
WANTED: Final[Mapping[str, Labels]] = {**COUNTERS, **OWN_COUNTERS, **GAUGES}
