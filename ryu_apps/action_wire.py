"""From our actions to the framework's, which knows their bytes; `ryu_apps.flow_reader` reads them.

Must not know: flows, groups, messages.
"""

from __future__ import annotations

from typing import Any, Final

from openflow.fields import FIELDS, Subfield
from openflow.values import (
    Action,
    Ct,
    CtClear,
    Move,
    Nat,
    NatKind,
    Output,
    OutputField,
    Resubmit,
    SetField,
    SetQueue,
    ToGroup,
)
from ryu_apps.framework import nicira_ext, ofproto, parser

SAME_PORT: Final = ofproto.OFPP_IN_PORT & 0xFFFF  # in_port of a resubmit is 16 bits wide
NO_RECIRCULATION: Final = nicira_ext.NX_CT_RECIRC_NONE
# enum nx_nat_flags of Open vSwitch's nicira-ext.h, which the frameworks leave out.
NAT_FLAGS: Final[dict[NatKind, int]] = {"": 0, "src": 1, "dst": 2}
PORT_16: Final = "in_port_nxm"  # what Open vSwitch calls its low half


def action_of(action: Action) -> Any:  # noqa: PLR0911 - one return a kind of action
    """The framework's message of an action; ValueError for what is an instruction."""
    match action:
        case Output(port):
            return parser.OFPActionOutput(port, ofproto.OFPCML_NO_BUFFER)
        case OutputField(source):
            return parser.NXActionOutputReg(_bits(source), FIELDS[source.field].oxm, 0)
        case SetField(target, value) if target.is_whole:
            # Open vSwitch takes in_port by its 16-bit name alone
            is_port = target.field == "in_port"
            name = PORT_16 if is_port else FIELDS[target.field].oxm
            return parser.OFPActionSetField(**{name: value})
        case SetField(target, value):
            return parser.NXActionRegLoad(_bits(target), _header(target), value)
        case Move(source, target):
            return parser.NXActionRegMove(
                src_field=_header(source),
                dst_field=_header(target),
                n_bits=source.bits,
                src_ofs=source.start,
                dst_ofs=target.start,
            )
        case Resubmit(table):
            return parser.NXActionResubmitTable(SAME_PORT, table)
        case ToGroup(group_id):
            return parser.OFPActionGroup(group_id)
        case SetQueue(queue_id):
            return parser.OFPActionSetQueue(queue_id)
        case Ct():
            return _ct(action)
        case CtClear():
            return parser.NXActionCTClear()
        case _:
            raise ValueError(f"{action} is an instruction: it stands first or last in a flow only")


def _ct(action: Ct) -> Any:
    nested = [action_of(inner) for inner in action.exec]
    if action.nat is not None:
        nested.append(_nat(action.nat))
    return parser.NXActionCT(
        flags=nicira_ext.NX_CT_F_COMMIT if action.commit else 0,
        zone_src="",
        zone_ofs_nbits=action.zone,
        recirc_table=NO_RECIRCULATION if action.table is None else action.table,
        alg=0,
        actions=nested,
    )


def _nat(nat: Nat) -> Any:
    address = FIELDS["ip_dst"].form.show(nat.address) if nat.address else ""
    return parser.NXActionNAT(
        flags=NAT_FLAGS[nat.kind], range_ipv4_min=address, range_proto_min=nat.port or None
    )


def _header(part: Subfield) -> str:
    """The field's name in a move or load; in_port's low half goes by its 16-bit name."""
    return PORT_16 if part.field == "in_port" and part.bits == 16 else FIELDS[part.field].oxm


def _bits(part: Subfield) -> int:
    return (part.start << 6) + part.bits - 1
