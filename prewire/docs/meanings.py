"""What the flows of the pipeline are for, and what its registers hold: words for the documentation.

Must not know: how flows are made, or how a page is written.
"""

from __future__ import annotations

from typing import Final

from openflow.cookies import Kind

# (table, priority, kind of owner) -> what the flows there are for.
MEANINGS: Final[dict[tuple[str, int, Kind], str]] = {
    ("classify", 210, Kind.PORT): (
        "probes (LLDP) of a link that is known: without a meter, so that no host can end it by a "
        "flood of its own."
    ),
    ("classify", 200, Kind.BASE): (
        "other LLDP, perhaps of a link that is not known yet. A meter bounds how much of it the "
        "controller is told, here and wherever packets go to it."
    ),
    ("classify", 150, Kind.PORT): (
        "whatever comes from another switch: it was load-balanced where it came in, and only "
        "passes, until it has come to its station's switch. Every other port is an edge port."
    ),
    ("classify", 110, Kind.BASE): (
        "neighbour solicitations and advertisements, which are IPv6's ARP: to the same table."
    ),
    ("classify", 100, Kind.BASE): "ARP, IPv4 and IPv6 packets: each kind goes to its own table.",
    ("arrive", 100, Kind.STATION): (
        "packets that came through the fabric to a station behind this switch: they may be replies "
        "to a VIP's client, so conntrack is asked. All others go on through the fabric."
    ),
    ("learn", 100, Kind.STATION): (
        "ARP and neighbour discovery that says nothing new: a known station speaks at its port "
        "from its own address. What else is said is told to the controller, and goes on likewise."
    ),
    ("arp", 110, Kind.BASE): (
        "a host that asks whether its own IPv6 address is taken already: no answer, it is not for "
        "the switch to say."
    ),
    ("arp", 100, Kind.VIP): (
        "requests for a VIP. The packet itself is turned into the reply and sent back out of the "
        "port it came in by; no controller is asked."
    ),
    ("arp", 100, Kind.HOST): (
        "requests for a container's address, wherever it is: answered likewise, so that no request "
        "ever floods the fabric."
    ),
    ("arp", 100, Kind.STATION): (
        "requests for an address that a host was heard with: answered likewise."
    ),
    ("arp", 10, Kind.BASE): (
        "requests for an address that nobody known has: the controller has them sent out of the "
        "edge ports, and learns from the answer."
    ),
    ("advertise", 100, Kind.BASE): (
        "neighbour advertisements made of solicitations that told the asker's MAC address: that "
        "option becomes the one that tells the VIP's."
    ),
    ("advertise", 90, Kind.BASE): "those of solicitations that did not: they leave as they are.",
    ("conntrack", 110, Kind.CONTAINER): (
        "packets from a container's port to a VIP: the container reached itself by the VIP, and "
        "answers. The connection is looked up as the container asked for it."
    ),
    ("conntrack", 100, Kind.SERVICE): (
        "packets from a client to the service. Conntrack looks the connection up in this switch's "
        "zone, and the packet goes on with its state known."
    ),
    ("conntrack", 90, Kind.CONTAINER): (
        "the first packet of a connection straight to a container's port. A look-up by the VIP has "
        "conntrack forget a closed connection to the VIP that had the same client's port; else the "
        "replies would be taken for that one's."
    ),
    ("conntrack", 80, Kind.CONTAINER): (
        "packets from a container's port, which may be replies. Their source is kept in registers "
        "and replaced by the VIP's, because conntrack knows the connection by the VIP."
    ),
    ("conntrack", 60, Kind.VIP): "ping of a VIP: the switch answers it.",
    ("conntrack", 50, Kind.VIP): (
        "whatever else is sent to a VIP and no service takes: it is dropped, never flooded."
    ),
    ("service", 100, Kind.SERVICE): (
        "the first packet of a connection. The service's group chooses a slot, and the slot's "
        "bucket writes the container's number into the register `endpoint`."
    ),
    ("service", 60, Kind.BASE): (
        "packets of established UDP connections: `recall` looks whether their container is still "
        "there, as UDP can choose another."
    ),
    ("service", 45, Kind.BASE): (
        "packets that conntrack finds invalid and knows no container for: dropped."
    ),
    ("service", 40, Kind.BASE): (
        "packets that conntrack finds invalid in a connection it knows, as a SYN of a client that "
        "lost its state: the container's own TCP judges them."
    ),
    ("service", 50, Kind.BASE): (
        "packets of established connections, of all services: conntrack remembers the container. "
        "A change of the group therefore never moves a connection."
    ),
    ("remember", 100, Kind.CONTAINER): (
        "committing a new connection: conntrack keeps the container's number, the client's MAC "
        "address and the port it came in by. A draining container keeps its flow, but no bucket "
        "leads here any more."
    ),
    ("endpoint", 110, Kind.CONTAINER): (
        "a container that reaches itself by the VIP: the VIP is the source too, because a host "
        "drops packets that seem to come from itself."
    ),
    ("endpoint", 10, Kind.BASE): (
        "connections whose container is gone: the controller answers with a reset, so that the "
        "client need not wait. A meter bounds how many it is told."
    ),
    ("endpoint", 100, Kind.CONTAINER): (
        "rewriting the destination to the container, wherever it is: `forward` knows the port or "
        "the way. The packet may leave by the port it came in by, so that port is forgotten."
    ),
    ("reply", 100, Kind.BASE): (
        "replies that conntrack knows. They return to the client's MAC address, by the port its "
        "packets come in by, from the VIP's MAC address; no MAC learning is needed. They too are "
        "somebody's traffic to somebody, and pass the policies."
    ),
    ("reply", 95, Kind.BASE): (
        "packets to a VIP that conntrack finds invalid in a connection it does not know: they get "
        "back the addresses they had."
    ),
    ("reply", 94, Kind.BASE): "the same, to anybody else.",
    ("reply", 90, Kind.BASE): (
        "packets that conntrack finds invalid in a connection that it knows: they go that "
        "connection's way. With the container's address the client would reset it."
    ),
    ("reply", 60, Kind.BASE): (
        "packets of a container to a VIP that are no reply: they get back the addresses they had."
    ),
    ("reply", 59, Kind.BASE): (
        "packets that are no reply of a VIP's connection, as when somebody talks to the "
        "container directly: they get their own source back and are forwarded as ordinary ones."
    ),
    ("source", 60, Kind.MEMBER): (
        "a service that shares its container's address with others, by its own port."
    ),
    ("source", 50, Kind.MEMBER): "the service that a container's address stands for.",
    ("source", 10, Kind.CLASS): (
        "everybody else: no service that a policy names. Like all flows of quality of service "
        "it is there only while there is a policy."
    ),
    ("destination", 60, Kind.MEMBER): "the same of where a packet goes to, by port.",
    ("destination", 50, Kind.MEMBER): "the same, by address.",
    ("police", 200, Kind.CLASS): (
        "packets that came through the fabric: they were policed where they came in, and carry "
        "the mark of their class."
    ),
    ("police", 105, Kind.POLICY): "new connections of a policy that has all that it may have.",
    ("police", 100, Kind.POLICY): (
        "policies of a pair of services: the meter, where there is a limit, and the class."
    ),
    ("police", 85, Kind.POLICY): "the same of a policy of a destination.",
    ("police", 80, Kind.POLICY): "policies of a destination, whatever the source.",
    ("police", 65, Kind.POLICY): "the same of a policy of a source.",
    ("police", 60, Kind.POLICY): "policies of a source, whatever the destination.",
    ("police", 10, Kind.CLASS): "what no policy is about: the class `default`.",
    ("pace", 100, Kind.POLICY): "the meter of packets, of a policy of a pair that limits both.",
    ("pace", 80, Kind.POLICY): "the same of a policy of a destination.",
    ("pace", 60, Kind.POLICY): "the same of a policy of a source.",
    ("mark", 100, Kind.CLASS): (
        "a class found here: its DSCP, by which other switches know it, and its queue. Whatever "
        "mark a packet came with is overwritten."
    ),
    ("mark", 90, Kind.CLASS): "a class known by its DSCP: its queue.",
    ("forward", 200, Kind.BASE): "replies, whose port conntrack remembers.",
    ("forward", 80, Kind.STATION): (
        "packets to a station: out of its port, or by the group that leads to its switch."
    ),
    ("forward", 20, Kind.BASE): "broadcast and multicast: nothing is ever flooded.",
    ("output", 100, Kind.BASE): "packets whose port is in the register `out_port`.",
}

# Name of a register or of what conntrack remembers -> what it holds.
HOLDS: Final = {
    "endpoint": "the container's number, chosen by the group or recalled from conntrack",
    "out_port": "the OpenFlow port the packet leaves by",
    "port_known": "1: `out_port` holds the port already, and nobody need look for it",
    "source_service": (
        "the number of the service that a packet comes from; 0: it came through the fabric, or "
        "there is no policy"
    ),
    "target_service": "the number of the service that it goes to; 0: none that a policy names",
    "class": "the number of its class, DSCP + 1; 0: it came through the fabric",
    "hairpin": "1: a container answers its own connection to a VIP",
    "reply_source": "a container's own IPv4 address, while its reply is looked up",
    "reply_source6": "a container's own IPv6 address, likewise",
    "reply_port": "a container's own port, likewise",
    "asking_port": "a client's port, while its address alone chooses a slot",
    "client_mac": "the client's MAC address: replies go back to it",
    "client_port": "the OpenFlow port the client's packets come in by: replies leave by it",
    "origin_port": "the VIP's port, where a container's port stands behind several of them",
    "ct_mark": "the number of the container chosen",
}
