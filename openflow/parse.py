"""Reads flows, groups and meters from text: either dialect of `openflow.text`, or a switch's dump.

Takes what `ovs-ofctl -O OpenFlow13 dump-flows`, `dump-groups` and `dump-meters` print for flows of
our kinds, and skips statistics. Whatever it does not know is a ValueError that names the word:
a text is understood wholly or not at all.
"""

from __future__ import annotations

import re
from typing import Final

from openflow.fields import (
    FIELDS,
    Field,
)
from openflow.parse_actions import parse_actions
from openflow.parse_words import (
    ALIASES,
    LABELS,
    assignment,
    number,
    port_number,
    value_and_mask,
    words_of,
)
from openflow.tables import table_number
from openflow.text import SHORTHANDS, TRANSPORT_FIELDS
from openflow.values import (
    Bucket,
    Flow,
    Group,
    GroupKind,
    Match,
    Meter,
    Rules,
    match,
)

DEFAULT_PRIORITY: Final = 32768

_SHARED: Final = {FIELDS[field].match for field in TRANSPORT_FIELDS}
_STATISTICS: Final = {"duration", "n_packets", "n_bytes", "idle_age", "hard_age"}
_GROUP_KINDS: Final[dict[str, GroupKind]] = {
    "select": "select",
    "all": "all",
    "indirect": "indirect",
    "ff": "ff",
    "fast_failover": "ff",
}
_METER_WORDS: Final = {"meter", "kbps", "pktps", "burst", "stats", "type", "rate", "burst_size"}


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
    for word in words_of(head):
        name, _, value = word.partition("=")
        if name == "table":
            table = table_number(value)
        elif name in numbers:
            numbers[name] = number(value, word)
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
    given = dict(assignment(word) for word in words_of(head))
    unknown = set(given) - {"group_id", "type", "selection_method"}
    if unknown:
        raise ValueError(f"{unknown.pop()!r} is not known of a group")
    if "group_id" not in given or given.get("type") not in _GROUP_KINDS:
        raise ValueError(f"{head!r} needs group_id= and a type= of {', '.join(_GROUP_KINDS)}")
    buckets = tuple(_bucket(place, part) for place, part in enumerate(rest))
    kind = _GROUP_KINDS[given["type"]]
    return Group(number(given["group_id"], head), kind, buckets, origin)


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
    numbers = [number(given.get(name, "0"), body) for name in ("meter", "rate", "burst_size")]
    return Meter(numbers[0], numbers[1], numbers[2], "pktps" in given, origin)


def parse_match(text: str) -> Match:
    """Words such as "tcp,nw_dst=10.9.1.100,tp_dst=80"; "" matches everything."""
    return _match(list(words_of(text)))


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
        elif name in _SHARED:
            transport.append(word)
        elif name == "nw_tos":
            _add(fields, "ip_dscp", (number(value, word) >> 2, FIELDS["ip_dscp"].full_mask), word)
        elif name in LABELS:
            named = LABELS[name]
            given = number(value, word) << named.start, named.mask << named.start
            _add(fields, named.field, given, word)
        elif equals and name in ALIASES:
            _add(fields, ALIASES[name], _read(FIELDS[ALIASES[name]], value, word), word)
        else:
            raise ValueError(f"{word!r} is not known in a match")
    protocol = fields.get("ip_proto", (None, 0))[0]
    for word in transport:
        name, _, value = word.partition("=")
        field = _of_protocol(name, protocol)
        if field is None:
            raise ValueError(f"{word!r} needs tcp or udp beside it")
        _add(fields, field, _read(FIELDS[field], value, word), word)
    return match(**fields)


def _of_protocol(name: str, protocol: int | None) -> str | None:
    """The field that a shared name stands for beside an ip_proto; icmp_type is also one itself."""
    fields = (
        field
        for field, proto in TRANSPORT_FIELDS.items()
        if proto == protocol and FIELDS[field].match == name
    )
    return next(fields, name if name in FIELDS else None)


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
        return value_and_mask(declared, text)
    except ValueError as error:
        raise ValueError(f"{word!r}: {error}") from None


def _bucket(place: int, text: str) -> Bucket:
    head, _, actions = _partition(text, "actions=")
    weight, watch_port = 1, None
    for word in words_of(head):
        name, value = assignment(word)
        if name == "weight":
            weight = number(value, word)
        elif name == "watch_port":
            watch_port = port_number(value)
        elif name != "bucket_id":
            raise ValueError(f"{word!r} is not known of a bucket")
        elif number(value, word) != place:
            raise ValueError(f"{word!r}: the bucket stands at place {place}")
    return Bucket(parse_actions(actions), weight, watch_port)


def _without_comment(text: str) -> tuple[str, str]:
    body, _, origin = text.strip().partition(" # ")
    return body, origin


def _partition(text: str, mark: str) -> tuple[str, bool, str]:
    """What stands before and after a mark that begins a word, and whether it is there."""
    found = re.search(rf"(?:^|[,\s]){mark}", text)
    if not found:
        return text, False, ""
    return text[: found.start()], True, text[found.end() :].strip()
