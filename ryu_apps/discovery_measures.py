"""What the controller counts of link probes and of stations that speak."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter

RESULTS: Final = (
    *("learned", "known", "refused", "asked", "announced", "waiting"),
    *("delivered", "unknown", "malformed", "overflow"),
)


class LinkMeasures:
    """What `ryu_apps.discovery` updates as it works."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rejected = Counter(
            "prewire_lldp_rejected_total",
            "LLDP frames that made no link, by reason: foreign (not prewire's), forged (not signed "
            "by this leader), stale, replayed (came in at two ports), self (its own switch), "
            "claimed (a container's port), second (a link that is alive says otherwise).",
            ["switch", "reason"],
            registry=registry,
        )
        self.lost = Counter(
            "prewire_links_lost_total",
            "Links, one direction each, over which probes stopped coming while both ports were up.",
            registry=registry,
        )


class StationMeasures:
    """What `ryu_apps.learning` updates as it works."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.packets = Counter(
            "prewire_station_packets_total",
            "Packets about stations that switches handed to the controller, by what became of "
            "them: learned and known (who speaks), refused (it claims what is another's), asked "
            "(sent to all edge ports), announced (asks for itself), waiting (was asked a second "
            "ago), delivered (its flows were still on the way), unknown (dropped: nobody knows "
            "the destination), malformed, overflow (too many at once).",
            ["result"],
            registry=registry,
        )
        for result in RESULTS:
            self.packets.labels(result)
        self.refused = Counter(
            "prewire_host_claims_refused_total",
            "Times a station claimed a MAC or IP address that is another's, by whose: vip, "
            "container, attached (the attached-mac of another port); or mismatch (the packet "
            "contradicts itself), full (too many stations at one port), fabric (a port to another "
            "switch).",
            ["reason"],
            registry=registry,
        )
