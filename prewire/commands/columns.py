"""The columns of tables, by kind of object: heading -> key of a row.

Must not know: how rows are made.
"""

from __future__ import annotations

from typing import Final

SERVICE: Final = {
    "NAME": "name",
    "VIP": "vip",
    "PORT": "port",
    "PROTOCOL": "protocol",
    "READY": "ready",
    "DRAINING": "draining",
}
CONTAINER: Final = {
    "ID": "id",
    "ADDRESS": "address",
    "PORT": "port",
    "MAC": "mac",
    "STATE": "state",
    "PLACED": "placed",
    "SLOTS": "slots",
    "OF": "slots_in_all",
    "INFLIGHT": "inflight",
    "CONNECTIONS": "connections",
    "REASON": "reason",
}
CLASS: Final = {
    "NAME": "name",
    "DSCP": "dscp",
    "QUEUE": "queue",
    "PRIORITY": "priority",
    "MIN %": "min_percent",
    "MAX %": "max_percent",
    "WEIGHT": "weight",
    "ORIGIN": "origin",
    "POLICIES": "policies",
}
POLICY: Final = {
    "NAME": "name",
    "FROM": "source",
    "TO": "destination",
    "CLASS": "class",
    "GUARANTEE": "guaranteed_bps",
    "MAX": "max_bps",
    "STATE": "state",
    "METERED": "metered_bps",
    "REASON": "reason",
}
LINK_RATE: Final = {
    "SWITCH": "switch",
    "NAME": "switch_name",
    "PORT": "port",
    "RATE": "bps",
    "STATE": "state",
    "REASON": "reason",
}
SCALING: Final = {
    "SERVICE": "service",
    "MODE": "mode",
    "MIN": "min_containers",
    "MAX": "max_containers",
    "PLANNED": "planned",
    "PRESENT": "present",
    "READY": "ready",
    "BY": "by",
    "STALE": "stale",
}
PROVISIONING: Final = {
    "POLICY": "policy",
    "RATES": "rates",
    "FLOOR": "floor_bps",
    "CEILING": "ceiling_bps",
    "MAX IN FORCE": "max_bps",
    "GUARANTEE IN FORCE": "guaranteed_bps",
    "BY": "by",
    "STALE": "stale",
}
SCHEDULE: Final = {
    "NAME": "name",
    "CRON": "cron",
    "ZONE": "timezone",
    "FOR": "duration",
    "OF": "of",
    "CONTAINERS": "containers",
    "MAX": "max_bps",
    "GUARANTEE": "guaranteed_bps",
    "NOW": "now",
    "NEXT": "next",
    "REASON": "reason",
}
OVERRIDE: Final = {
    "KIND": "kind",
    "NAME": "name",
    "CONTAINERS": "containers",
    "MAX": "max_bps",
    "GUARANTEE": "guaranteed_bps",
    "UNTIL": "until",
    "LEFT": "left",
    "REASON": "reason",
}
DEPENDENCY: Final = {
    "PARENT": "parent",
    "CHILD": "child",
    "LAG": "lag",
    "SOURCE": "source",
    "GAIN": "gain",
    "REQUESTS EACH": "slope",
}
PLAN: Final = {
    "KIND": "kind",
    "NAME": "name",
    "PLANNED": "planned",
    "BY": "source",
    "FROM": "from",
    "UNTIL": "until",
    "STALE": "stale",
    "REASON": "reason",
}
REQUEST: Final = {
    "ID": "id",
    "SERVICE": "service",
    "CONTAINERS": "containers",
    "MISSING": "missing",
    "STATE": "state",
    "ACCEPTED BY": "accepted_by",
    "REQUESTED": "requested",
    "NEEDED": "needed",
    "TOOK": "took",
    "IN TIME": "in_time",
    "REASON": "reason",
}
SWITCH: Final = {
    "DPID": "dpid",
    "NAME": "name",
    "CONNECTED": "connected",
    "APPLIED": "applied",
    "PROBLEM": "problem",
}
LINK: Final = {
    "SWITCH": "switch",
    "NAME": "switch_name",
    "PORT": "port",
    "PEER": "peer",
    "PEER NAME": "peer_name",
    "PEER PORT": "peer_port",
    "BOTH WAYS": "both_ways",
    "UP": "up",
    "CAPACITY": "capacity",
    "PROBLEM": "problem",
}
HOST: Final = {
    "MAC": "mac",
    "ADDRESSES": "addresses",
    "SWITCH": "switch",
    "NAME": "switch_name",
    "PORT": "port",
    "SOURCE": "source",
    "CONTAINERS": "containers",
    "PROBLEM": "problem",
}
BANDWIDTH: Final = {
    "SWITCH": "switch",
    "NAME": "switch_name",
    "PORT": "port",
    "PEER": "peer",
    "RATE": "rate_bps",
    "SOURCE": "source",
    "GUARANTEED": "guaranteed_bps",
    "FREE": "free_bps",
    "BY CLASS": "by_class",
    "METHOD": "method",
    "PROBLEM": "problem",
}
DEMAND: Final = {"SERVICE": "service", "PACKETS": "packets", "LAST": "at"}
PREDICTOR: Final = {
    "NAME": "name",
    "ADDRESS": "address",
    "METRICS": "metrics",
    "SINCE": "since",
    "SHARDS": "shards",
    "SERVICES": "services",
}
EVENT: Final = {
    "AT": "at",
    "SEVERITY": "severity",
    "KIND": "kind",
    "NAME": "name",
    "ACTION": "action",
    "BY": "actor",
    "REASON": "reason",
}
