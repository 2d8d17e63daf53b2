"""The flows that sort packets, forward them, and take them out of a port.

Traffic of VIPs leaves by ports that the load balancer knows. Everything else is forwarded as an
ordinary learning switch does it (NORMAL): it keeps flowing whatever happens to the controller.
"""

from __future__ import annotations

from typing import Final

from openflow import tables
from openflow.cookies import Cookie, Kind
from openflow.fields import (
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    IN_PORT_NUMBER,
    ND_SOLICITATION,
    OUT_PORT,
    PROTO_ICMPV6,
)
from openflow.values import (
    NORMAL,
    Action,
    Flow,
    Goto,
    Match,
    Output,
    OutputField,
    Rules,
    SetField,
    match,
)

_SOLICITATIONS: Final = match(
    eth_type=ETH_IPV6, ip_proto=PROTO_ICMPV6, icmpv6_type=ND_SOLICITATION, icmpv6_code=0
)

# A packet may leave by the port it came in by: a switch would not send it where it came from.
_FROM_NOWHERE: Final = SetField(IN_PORT_NUMBER, 0xFFFF)


def base_rules() -> Rules:
    """Classification, output, and the lowest flow of every table."""
    return Rules(
        (
            _flow(tables.CLASSIFY, 100, match(eth_type=ETH_ARP), Goto(tables.ARP.number)),
            _flow(tables.CLASSIFY, 110, _SOLICITATIONS, Goto(tables.ARP.number)),
            _flow(tables.CLASSIFY, 100, match(eth_type=ETH_IP), Goto(tables.CONNTRACK.number)),
            _flow(tables.CLASSIFY, 100, match(eth_type=ETH_IPV6), Goto(tables.CONNTRACK.number)),
            _flow(tables.OUTPUT, 100, match(), _FROM_NOWHERE, OutputField(OUT_PORT)),
            *(_flow(table, 0, match(), *_miss(table)) for table in tables.PIPELINE),
        )
    )


def _miss(table: tables.Table) -> tuple[Action, ...]:
    """What a packet does that no other flow of the table takes."""
    if table.miss == tables.DROP:
        return ()
    if table.miss == tables.SWITCH:
        return (Output(NORMAL),)
    return (Goto(tables.table_number(table.miss)),)


def _flow(table: tables.Table, priority: int, on: Match, *actions: Action) -> Flow:
    cookie = Cookie(Kind.BASE, 0).value
    return Flow(table.number, priority, on, actions, cookie, origin="base: forwarding")
