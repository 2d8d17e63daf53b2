"""Reads actions from text: either dialect of `openflow.text`, or a switch's dump.

ValueError names the action that is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from openflow.fields import FIELDS, IN_PORT_NUMBER, IPV4, NAMED, Subfield, whole
from openflow.parse_words import (
    ALIASES,
    LABELS,
    PORTS,
    assignment,
    call_of,
    number,
    port_number,
    value_and_mask,
    words_of,
)
from openflow.tables import table_number
from openflow.values import (
    CONTROLLER,
    RESERVED_PORTS,
    Action,
    ApplyMeter,
    Ct,
    CtClear,
    Goto,
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

# Of in_port's 32 bits the older name has 16, which Open vSwitch then prints as all of it.
_NXM_IN_PORT: Final = FIELDS["in_port"].nxm
_NAT_KINDS: Final[dict[str, NatKind]] = {"src": "src", "dst": "dst"}


def parse_actions(text: str) -> tuple[Action, ...]:
    """Actions separated by commas; () for "drop"."""
    words = list(words_of(text))
    if words in (["drop"], []):
        return ()
    return tuple(parse_action(word) for word in words)


def parse_action(word: str) -> Action:
    """One action."""
    name, colon, argument = word.partition(":")
    try:
        if word == "ct_clear":
            return CtClear()
        call = re.fullmatch(r"(ct|resubmit)\((.*)\)", word)
        if call:
            return _ct(call[2]) if call[1] == "ct" else _resubmit(call[2])
        if colon and name in _ACTIONS:
            return _ACTIONS[name](argument)
        return Output(
            port_number(name if name.lower() == RESERVED_PORTS[CONTROLLER].lower() else word)
        )
    except ValueError as error:
        raise ValueError(f"action {word!r}: {error}") from None


def parse_subfield(text: str) -> Subfield:
    """Bits of a field: "reg0", "reg1[0..15]", "NXM_NX_REG1[]" or a label such as "out_port"."""
    if text in LABELS:
        return LABELS[text]
    found = re.fullmatch(r"(\w+)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?", text)
    if not found or found[1] not in ALIASES:
        raise ValueError(f"no field {text!r}")
    # Open vSwitch's own in_port is narrower than OpenFlow's
    field = IN_PORT_NUMBER if found[1] == _NXM_IN_PORT else whole(ALIASES[found[1]])
    if found[2]:
        start = int(found[2])
        field = Subfield(field.field, start, int(found[3] or start) - start + 1)
    return next((named for named in NAMED if named == field), field)


def _output(argument: str) -> Action:
    if argument.isdigit() or argument.lower() in PORTS:
        return Output(port_number(argument))
    return OutputField(parse_subfield(argument))


def _set_field(argument: str) -> Action:
    """`set_field:VALUE[/MASK]->FIELD`; a mask must be one run of bits."""
    text, _, name = argument.partition("->")
    target = parse_subfield(name)
    if not target.is_whole:
        return SetField(target, number(text, text))
    value, mask = value_and_mask(FIELDS[target.field], text)
    start = (mask & -mask).bit_length() - 1
    run = Subfield(target.field, start, (mask >> start).bit_length()) if mask else target
    if run.mask << run.start != mask or value & ~mask:
        raise ValueError(f"the mask of {text!r} is not one run of bits that holds the value")
    return SetField(run, value >> start)


def _load(argument: str) -> Action:
    text, _, name = argument.partition("->")
    return SetField(parse_subfield(name), number(text, text))


def _move(argument: str) -> Move:
    source, _, target = argument.partition("->")
    return Move(parse_subfield(source), parse_subfield(target))


def _resubmit(argument: str) -> Resubmit:
    port, _, table = argument.partition(",")
    if port:
        raise ValueError("resubmit keeps the packet's in_port here: resubmit(,TABLE)")
    return Resubmit(table_number(table))


def _ct(argument: str) -> Ct:
    given: dict[str, str] = {}
    for word in words_of(argument):
        name, value = call_of(word) if "(" in word else assignment(word)
        if name not in ("commit", "table", "zone", "nat", "exec"):
            raise ValueError(f"{word!r} is not known in ct()")
        given[name] = value
    inner = parse_actions(given.get("exec", ""))
    table = given.get("table")
    return Ct(
        zone=number(given.get("zone", "0"), f"zone={given.get('zone')}"),
        table=None if table is None else table_number(table),
        commit="commit" in given,
        nat=_nat(given["nat"]) if "nat" in given else None,
        exec=tuple(_written(action) for action in inner),
    )


def _written(action: Action) -> SetField | Move:
    if isinstance(action, SetField | Move):
        return action
    raise ValueError("exec() holds only set_field, load and move")


def _nat(text: str) -> Nat:
    if not text:
        return Nat()
    kind, _, target = text.partition("=")
    if kind not in _NAT_KINDS:
        raise ValueError(f"nat({text}) is neither src nor dst")
    address, _, port = target.partition(":")
    return Nat(
        _NAT_KINDS[kind],
        IPV4.read(address) if address else 0,
        number(port, text) if port else 0,
    )


_ACTIONS: Final[dict[str, Callable[[str], Action]]] = {
    "output": _output,
    "set_field": _set_field,
    "load": _load,
    "move": _move,
    "goto_table": lambda argument: Goto(table_number(argument)),
    "group": lambda argument: ToGroup(number(argument, argument)),
    "meter": lambda argument: ApplyMeter(number(argument, argument)),
    "set_queue": lambda argument: SetQueue(number(argument, argument)),
}
