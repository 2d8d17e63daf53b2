"""Targets: texts. Rules and dumps of Open vSwitch, metrics, agent-check words, and short words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway_lb.agent_check import said
from gateway_lb.conntrack_view import Tally
from gateway_lb.lifecycle import parse_duration
from nib.errors import FieldError, ServerError
from nib.fields import check_address, check_host_address, check_mac, check_name, check_text
from nib.paging import Page, _place_of, cursor_of
from nib.policy import HealthCheck, read_extra_ports, read_policy
from nib.preconditions import _tags
from nib.prewarm import Schedule
from nib.raft import check_server_address, read_status
from nib.rates import read_rate, show_rate
from nib.times import read_duration, read_instant, show_instant
from openflow.packet import packet_text, parse_packet
from openflow.parse import parse_match, parse_rules
from openflow.text import rules_text
from predictor.outward.drivers.contract import parse_target
from predictor.outward.tokens import read_token
from predictor.planning.schedules import check_schedule, last_start, next_start
from predictor.series.scrape import WANTED, Parser
from prewire.api.watching.choice import choice_of, is_watch
from prewire.api.watching.frames import EventId
from prewire.explaining.tracing import ports_of, read_trace
from tests.fuzz.taker import Taker
from tests.fuzz.target import Target

_GOLDEN: Final = Path(__file__).parent.parent / "golden"
_NOW_MS: Final = 1_790_000_000_000


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# ------------------------------------------------------------------------------- OpenFlow


def _rules(data: bytes) -> None:
    """What is read is written so that it is read again as the same."""
    text = _text(data)
    read = parse_rules(text)
    assert set(parse_rules(rules_text(read, "ovs")).flows) == {*read.flows} or read.flows
    parse_match(text)


def _packets(data: bytes) -> None:
    shown = parse_packet(_text(data))
    assert parse_packet(packet_text(shown)) == shown


def _rule_seeds() -> Iterator[bytes]:
    for file in sorted(_GOLDEN.glob("*.txt"))[::3]:
        yield file.read_bytes()[:1500]
    yield b"group_id=1,type=select,bucket=weight:1,actions=output:2"
    yield b"meter=1 kbps burst stats bands=\ntype=drop rate=1000 burst_size=100"
    yield b" cookie=0x1, duration=1.5s, table=3, priority=5,ip actions=ct(commit,zone=1)"


# ------------------------------------------------------------------------------- dumps


def _dumps(data: bytes) -> None:
    """Traces, connection tables and what a server says of its cluster."""
    text = _text(data[1:])
    match data[:1]:
        case b"t":
            ports_of(read_trace(text))
        case b"c":
            Tally(frozenset({1, 7})).add(data[1:].split(b"\n"))
        case _:
            read_status(text)


def _dump_seeds() -> Iterator[bytes]:
    yield (
        b"t"
        b'Flow: in_port=1\n\nbridge("br0")\n-----------\n 0. in_port=1, priority 100, cookie '
        b"0x7\n    resubmit(,5)\n 5. No match.\n            -> using bucket 1\n    drop\n\n"
        b"Final flow: unchanged\nMegaflow: recirc_id=0\nDatapath actions: ct(zone=1),recirc(0x1)\n"
        b"recirc(0x1) - resume conntrack with default ct_state=trk|new\nDatapath actions: 2\n"
    )
    yield (
        b"ctcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=2),reply=(src=10.0.0.2,dst=10.0.0.1,"
        b"sport=2,dport=1),id=3,zone=5,status=SEEN_REPLY|CONFIRMED,timeout=9,mark=7,labels=0x1,"
        b"protoinfo=(state_orig=ESTABLISHED,state_reply=ESTABLISHED,wscale_orig=7)"
    )
    yield (
        b"s5f1e\nName: Prewire\nCluster ID: 04ab (04abf3)\nServer ID: 5f1e (5f1e77)\n"
        b"Address: tcp:10.0.0.1:6644\nStatus: cluster member\nRole: leader\nTerm: 2\nLeader: self\n"
        b"Vote: self\n\nElection timer: 1000\nLog: [2, 15]\nEntries not yet committed: 0\n"
        b"Entries not yet applied: 0\nServers:\n    5f1e (5f1e at tcp:10.0.0.1:6644) (self) "
        b"next_index=2 match_index=14\n    a1b2 (a1b2 at tcp:10.0.0.2:6644) next_index=15 "
        b"match_index=14 last msg 20 ms ago\n"
    )


# ------------------------------------------------------------------------------- metrics


def _metrics(data: bytes) -> None:
    """Two pages after each other, as a scraper reads them."""
    first, _, second = data.partition(b"\0")
    pages = Parser()
    for text in (first, second, first):
        for name, family in pages.parse(text).families.items():
            assert family.values.shape == (len(family.series),), name


def _block(name: str, labels: tuple[str, ...]) -> bytes:
    said = ",".join(f'{each}="a"' for each in labels)
    kind = name.removesuffix("_total")
    return f"# HELP {name} x\n# TYPE {kind} counter\n{name}{{{said}}} 1.5\n".encode()


def _metric_seeds() -> Iterator[bytes]:
    page = b"".join(_block(name, labels) for name, labels in WANTED.items())
    yield page + b"\0" + page.replace(b"1.5", b"NaN 17000")
    yield b'prewire_leader_epoch 1\nprewire_service_panic{service="a\\"b\\\\"} +Inf\n'


# ------------------------------------------------------------------------------- words


def _agent_check(data: bytes) -> None:
    found = said(_text(data))
    assert found.percent is None or 0 <= found.percent <= 100
    assert found.word in (None, "", "drain", "down")


def _cursor(text: str) -> None:
    place = _place_of(text)
    Page(2, place).cut([("a", 1), ("b", 2), ("c", 3)], lambda row: row)


def _rate(text: str) -> None:
    show_rate(read_rate(text))


def _instant(text: str) -> None:
    show_instant(read_instant(text))


def _watch(text: str) -> None:
    query = dict(part.split("=", 1) for part in text.split("&") if "=" in part)
    if is_watch(query):
        choice_of(query, query.get("after", ""))


_WORDS: Final[tuple[tuple[Any, bytes], ...]] = (
    (_cursor, cursor_of(("a", 1)).encode()),
    (_rate, b"1.5 Gbps"),
    (_instant, b"2026-11-22T18:30:00.5+01:00"),
    (_watch, b"watch=true&kinds=services,switches&timeout=5&snapshot=0&last_event_id=0a-1"),
    (read_duration, b"1.5ms"),
    (parse_duration, b"60s"),
    (EventId.parsed, b"0123abcd-15"),
    (parse_target, b"kubernetes:default/deployment/web"),
    (lambda text: read_token(text, "plans"), b"1.plans.0123abcd.7.1790000000000"),
    (lambda text: _tags("If-Match", text), b'"12-5f3a9c01", W/"3"'),
    (lambda text: read_policy("health", HealthCheck, text), b'{"kind":"http","rise":2}'),
    (read_extra_ports, b'[{"port":1,"target":2,"protocol":"udp"}]'),
    (check_server_address, b"ssl:[fd00::1]:6644"),
    (lambda text: check_name("name", text), b"web-1"),
    (lambda text: check_text("text", text), b"free text"),
    (lambda text: check_address("vip", text), b"10.0.0.1"),
    (lambda text: check_host_address("address", text), b"fe80::1"),
    (lambda text: check_mac("mac", text), b"02:00:00:00:00:01"),
)


def _short(data: bytes) -> None:
    """One of the short texts that requests and rows have; the first byte says which."""
    _WORDS[data[0] % len(_WORDS) if data else 0][0](_text(data[1:]))


def _short_seeds() -> Iterator[bytes]:
    yield from (bytes((place,)) + word for place, (_, word) in enumerate(_WORDS))


# ------------------------------------------------------------------------------- schedules


def _schedule(data: bytes) -> None:
    """A cron line in a time zone at some time."""
    taker = Taker(data)
    at_ms = taker.number(2**42)
    zone = taker.one_of(("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", ""))
    zone = zone or taker.text()
    line = _text(taker.rest())
    schedule = Schedule("a", line, 600, service="web", timezone=zone, containers=1)
    check_schedule(schedule, at_ms)
    start = next_start(schedule, at_ms)
    assert start is None or start > at_ms
    last_start(schedule, at_ms)


def _schedule_seeds() -> Iterator[bytes]:
    for line in ("55 7 * * MON-FRI", "*/5 0-4,22 L 2 *", "0 2 29 2 1#5", "0 0 31 */2 7L"):
        yield _NOW_MS.to_bytes(6, "big") + b"\1" + line.encode()


TARGETS: Final = (
    Target(
        "openflow-text",
        _rules,
        (ValueError,),
        _rule_seeds,
        (
            *("table=", "priority=", "cookie=", "actions=", "ct(", "set_field:", "->"),
            *("group_id=", "bucket=", "meter=", "type=", "load:", "move:", "resubmit(,"),
            "NXM_NX_REG0[0..15]",
        ),
    ),
    Target(
        "packet-text", _packets, (ValueError, KeyError), lambda: [b"in_port=1,tcp,nw_src=1.2.3.4"]
    ),
    Target("dumps", _dumps, (ServerError,), _dump_seeds, ("Servers:\n", "match_index=", "Log: [")),
    Target("metrics-page", _metrics, (), _metric_seeds, ("# TYPE ", *WANTED)),
    Target(
        "agent-check",
        _agent_check,
        (FieldError,),
        lambda: [b"ready 50% maxconn:30", b"down # why", b"DRAIN,up\tmaint"],
        ("maxconn:", "ready", "stopped", "failed", "%"),
    ),
    Target("short-texts", _short, (FieldError, ValueError), _short_seeds),
    Target("schedules", _schedule, (FieldError,), _schedule_seeds, ("MON", "JAN", "#", "L", "*/")),
)
