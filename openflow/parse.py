"""Reads flows, groups and meters from text: either dialect of `openflow.text`, or a switch's dump.

Takes what `ovs-ofctl -O OpenFlow13 dump-flows`, `dump-groups` and `dump-meters` print for flows of
our kinds, and skips statistics. Whatever it does not know is a ValueError that names the word:
a text is understood wholly or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from openflow.fields import CT_STATE_BITS, FIELDS, IPV4, IPV6, NAMED, Field, Subfield, whole
from openflow.tables import table_number
from openflow.text import FLAG_FIELDS, SHORTHANDS, TRANSPORT_FIELDS
from openflow.values import (
    CONTROLLER,
    RESERVED_PORTS,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    Flow,
    Goto,
    Group,
    GroupKind,
    Match,
    Meter,
    Move,
    Nat,
    NatKind,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    SetQueue,
    ToGroup,
    match,
)

DEFAULT_PRIORITY: Final = 32768

_STATISTICS: Final = {"duration", "n_packets", "n_bytes", "idle_age", "hard_age"}
_PORTS: Final = {name.lower(): port for port, name in RESERVED_PORTS.items()}
_GROUP_KINDS: Final[dict[str, GroupKind]] = {
    "select": "select",
    "all": "all",
    "indirect": "indirect",
    "ff": "ff",
    "fast_failover": "ff",
}
_METER_WORDS: Final = {"meter", "kbps", "pktps", "burst", "stats", "type", "rate", "burst_size"}
_NAT_KINDS: Final[dict[str, NatKind]] = {"src": "src", "dst": "dst"}
_LABELS: Final = {named.label: named for named in NAMED}


def _aliases() -> dict[str, str]:
    names: dict[str, str] = {}
    for name, declared in FIELDS.items():
        for alias in (name, declared.match, declared.oxm, declared.nxm):
            if not alias.startswith("tp_"):
                names[alias] = name
    return names


_ALIASES: Final = _aliases()


def parse_rules(text: str) -> Rules:
    """Flows, groups and meters, a line each; blank lines and lines starting with # are skipped."""
    flows: list[Flow] = []
    groups: list[Group] = []
    meters: list[Meter] = []
    for line in text.splitlines():
        words = line.strip()
        if words.startswith("group_id="):
            groups.append(parse_group(words))
        elif words.startswith("meter="):
            meters.append(parse_meter(words))
        elif words and not words.startswith("#"):
            flows.append(parse_flow(words))
    return Rules(tuple(flows), tuple(groups), tuple(meters))


def parse_flow(text: str) -> Flow:
    """One flow. Table 0, priority 32768 and cookie 0 where the text does not say."""
    body, origin = _without_comment(text)
    head, found, actions = _partition(body, "actions=")
    if not found:
        raise ValueError(f"{text!r} has no actions=")
    numbers = {"priority": DEFAULT_PRIORITY, "cookie": 0, "idle_timeout": 0}
    table = 0
    words: list[str] = []
    for word in _split(head):
        name, _, value = word.partition("=")
        if name == "table":
            table = table_number(value)
        elif name in numbers:
            numbers[name] = _number(value, word)
        elif name not in _STATISTICS:
            words.append(word)
    return Flow(
        table,
        numbers["priority"],
        _match(words),
        parse_actions(actions),
        numbers["cookie"],
        numbers["idle_timeout"],
        origin,
    )


def parse_group(text: str) -> Group:
    """One group; a bucket_id must be the bucket's place, which is all a Group can say."""
    body, origin = _without_comment(text)
    head, *rest = re.split(r"[,\s]\s*bucket=", body)
    given = dict(_assignment(word) for word in _split(head))
    unknown = set(given) - {"group_id", "type", "selection_method"}
    if unknown:
        raise ValueError(f"{unknown.pop()!r} is not known of a group")
    if "group_id" not in given or given.get("type") not in _GROUP_KINDS:
        raise ValueError(f"{head!r} needs group_id= and a type= of {', '.join(_GROUP_KINDS)}")
    buckets = tuple(_bucket(place, part) for place, part in enumerate(rest))
    kind = _GROUP_KINDS[given["type"]]
    return Group(_number(given["group_id"], head), kind, buckets, origin)


def parse_meter(text: str) -> Meter:
    """One meter with one drop band, on one line or the two that dump-meters prints."""
    body, origin = _without_comment(text)
    given: dict[str, str] = {}
    for word in re.split(r"[,\s]+", body.strip()):
        name, _, value = word.removeprefix("band=").removeprefix("bands=").partition("=")
        if name and name not in _METER_WORDS:
            raise ValueError(f"{word!r} is not known of a meter")
        if name in given:
            raise ValueError(f"{word!r}: a meter has one band here")
        given[name] = value
    if given.get("type") != "drop" or "meter" not in given or "rate" not in given:
        raise ValueError(f"{text!r} needs meter=, type=drop and rate=")
    numbers = [_number(given.get(name, "0"), body) for name in ("meter", "rate", "burst_size")]
    return Meter(numbers[0], numbers[1], numbers[2], "pktps" in given, origin)


def parse_match(text: str) -> Match:
    """Words such as "tcp,nw_dst=10.9.1.100,tp_dst=80"; "" matches everything."""
    return _match(list(_split(text)))


def parse_actions(text: str) -> tuple[Action, ...]:
    """Actions separated by commas; () for "drop"."""
    words = list(_split(text))
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
        return Output(_port(name if name.lower() == RESERVED_PORTS[CONTROLLER].lower() else word))
    except ValueError as error:
        raise ValueError(f"action {word!r}: {error}") from None


def parse_subfield(text: str) -> Subfield:
    """Bits of a field: "reg0", "reg1[0..15]", "NXM_NX_REG1[]" or a label such as "out_port"."""
    if text in _LABELS:
        return _LABELS[text]
    found = re.fullmatch(r"(\w+)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?", text)
    if not found or found[1] not in _ALIASES:
        raise ValueError(f"no field {text!r}")
    field = whole(_ALIASES[found[1]])
    if found[2]:
        start = int(found[2])
        field = Subfield(field.field, start, int(found[3] or start) - start + 1)
    return next((named for named in NAMED if named == field), field)


def _match(words: list[str]) -> Match:
    fields: dict[str, tuple[int, int]] = {}
    transport: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if word in SHORTHANDS:
            eth_type, ip_proto = SHORTHANDS[word]
            _add(fields, "eth_type", (eth_type, FIELDS["eth_type"].full_mask), word)
            if ip_proto is not None:
                _add(fields, "ip_proto", (ip_proto, FIELDS["ip_proto"].full_mask), word)
        elif name in ("tp_src", "tp_dst"):
            transport.append(word)
        elif name == "nw_tos":
            _add(fields, "ip_dscp", (_number(value, word) >> 2, FIELDS["ip_dscp"].full_mask), word)
        elif name in _LABELS:
            named = _LABELS[name]
            given = _number(value, word) << named.start, named.mask << named.start
            _add(fields, named.field, given, word)
        elif equals and name in _ALIASES:
            _add(fields, _ALIASES[name], _read(FIELDS[_ALIASES[name]], value, word), word)
        else:
            raise ValueError(f"{word!r} is not known in a match")
    protocol = fields.get("ip_proto", (None, 0))[0]
    for word in transport:
        ports = [name for name, proto in TRANSPORT_FIELDS.items() if proto == protocol]
        field = next((name for name in ports if name.endswith(word[2:6])), None)
        if field is None:
            raise ValueError(f"{word!r} needs tcp or udp beside it")
        _add(fields, field, _read(FIELDS[field], word[7:], word), word)
    return match(**fields)


def _add(fields: dict[str, tuple[int, int]], name: str, given: tuple[int, int], word: str) -> None:
    if fields.get(name, given) != given:
        raise ValueError(f"{word!r} contradicts another word of the match")
    value, mask = given
    if not 0 <= value <= FIELDS[name].full_mask or not 0 < mask <= FIELDS[name].full_mask:
        raise ValueError(f"{word!r} does not fit {FIELDS[name].bits} bits")
    fields[name] = given


def _read(declared: Field, text: str, word: str) -> tuple[int, int]:
    """Value and mask."""
    try:
        return _value_and_mask(declared, text)
    except ValueError as error:
        raise ValueError(f"{word!r}: {error}") from None


def _value_and_mask(declared: Field, text: str) -> tuple[int, int]:
    flags = FLAG_FIELDS.get(declared.name)
    if flags and re.match(r"[+-]", text):
        return _signed_flags(flags, text)
    if flags and re.match(r"[a-z]", text):
        return sum({_flag(flags, flag) for flag in text.split("|")}), _exact(declared)
    if declared.name == "in_port":
        return _port(text), declared.full_mask
    shown, slash, mask = text.partition("/")
    value = declared.form.read(shown)
    if not slash:
        return value, _exact(declared)
    if declared.form in (IPV4, IPV6) and mask.isdigit() and int(mask) <= declared.bits:
        zeros = declared.bits - int(mask)
        return value, declared.full_mask >> zeros << zeros
    return value, declared.form.read(mask)


def _exact(declared: Field) -> int:
    """The mask of a value without one: for ct_state the flags there are, as a switch has it."""
    return sum(CT_STATE_BITS.values()) if declared.name == "ct_state" else declared.full_mask


def _signed_flags(flags: dict[str, int], text: str) -> tuple[int, int]:
    if not re.fullmatch(r"([+-][a-z]+)+", text):
        raise ValueError(f"{text!r} is not a set of flags such as +new-est")
    value = mask = 0
    for sign, flag in re.findall(r"([+-])([a-z]+)", text):
        bit = _flag(flags, flag)
        mask |= bit
        value |= bit if sign == "+" else 0
    return value, mask


def _flag(flags: dict[str, int], flag: str) -> int:
    if flag not in flags:
        raise ValueError(f"{flag!r} is not one of the flags {', '.join(flags)}")
    return flags[flag]


def _bucket(place: int, text: str) -> Bucket:
    head, _, actions = _partition(text, "actions=")
    weight, watch_port = 1, None
    for word in _split(head):
        name, value = _assignment(word)
        if name == "weight":
            weight = _number(value, word)
        elif name == "watch_port":
            watch_port = _port(value)
        elif name != "bucket_id":
            raise ValueError(f"{word!r} is not known of a bucket")
        elif _number(value, word) != place:
            raise ValueError(f"{word!r}: the bucket stands at place {place}")
    return Bucket(parse_actions(actions), weight, watch_port)


def _output(argument: str) -> Action:
    if argument.isdigit() or argument.lower() in _PORTS:
        return Output(_port(argument))
    return OutputField(parse_subfield(argument))


def _set_field(argument: str) -> Action:
    """`set_field:VALUE[/MASK]->FIELD`; a mask must be one run of bits."""
    text, _, name = argument.partition("->")
    target = parse_subfield(name)
    if not target.is_whole:
        return SetField(target, _number(text, text))
    value, mask = _value_and_mask(FIELDS[target.field], text)
    start = (mask & -mask).bit_length() - 1
    run = Subfield(target.field, start, (mask >> start).bit_length()) if mask else target
    if run.mask << run.start != mask or value & ~mask:
        raise ValueError(f"the mask of {text!r} is not one run of bits that holds the value")
    return SetField(run, value >> start)


def _load(argument: str) -> Action:
    text, _, name = argument.partition("->")
    return SetField(parse_subfield(name), _number(text, text))


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
    for word in _split(argument):
        name, value = _call(word) if "(" in word else _assignment(word)
        if name not in ("commit", "table", "zone", "nat", "exec"):
            raise ValueError(f"{word!r} is not known in ct()")
        given[name] = value
    inner = parse_actions(given.get("exec", ""))
    table = given.get("table")
    return Ct(
        zone=_number(given.get("zone", "0"), f"zone={given.get('zone')}"),
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
        _number(port, text) if port else 0,
    )


_ACTIONS: Final[dict[str, Callable[[str], Action]]] = {
    "output": _output,
    "set_field": _set_field,
    "load": _load,
    "move": _move,
    "goto_table": lambda argument: Goto(table_number(argument)),
    "group": lambda argument: ToGroup(_number(argument, argument)),
    "meter": lambda argument: ApplyMeter(_number(argument, argument)),
    "set_queue": lambda argument: SetQueue(_number(argument, argument)),
}


def _port(text: str) -> int:
    if text.lower() in _PORTS:
        return _PORTS[text.lower()]
    if not text.isdigit():
        raise ValueError(
            f"{text!r} is neither a port number nor {', '.join(RESERVED_PORTS.values())}"
        )
    return int(text)


def _number(text: str, word: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{word!r} needs a number") from None


def _without_comment(text: str) -> tuple[str, str]:
    body, _, origin = text.strip().partition(" # ")
    return body, origin


def _partition(text: str, mark: str) -> tuple[str, bool, str]:
    """What stands before and after a mark that begins a word, and whether it is there."""
    found = re.search(rf"(?:^|[,\s]){mark}", text)
    if not found:
        return text, False, ""
    return text[: found.start()], True, text[found.end() :].strip()


def _assignment(word: str) -> tuple[str, str]:
    """`name=value` or `name:value`, whichever sign comes first."""
    found = re.match(r"(\w+)(?:[=:](.*))?$", word)
    return (found[1], found[2] or "") if found else (word, "")


def _call(word: str) -> tuple[str, str]:
    name, _, argument = word.partition("(")
    if not argument.endswith(")"):
        raise ValueError(f"{word!r} lacks its closing bracket")
    return name, argument[:-1]


def _split(text: str) -> Iterator[str]:
    """Words separated by commas or blanks outside brackets."""
    word, depth = "", 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in ", \t\n":
            if word:
                yield word
            word = ""
        else:
            word += letter
    if word:
        yield word
