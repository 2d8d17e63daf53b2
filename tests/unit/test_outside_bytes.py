"""Bytes from outside that were once a crash, or took for ever; fuzzing found them."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_lb.conntrack_view import Tally
from nib.errors import FieldError, NibError, ServerError
from nib.raft import read_status
from nib.rates import read_rate
from nib.transaction import refusal
from openflow.tables import LEARN
from predictor.outward.drivers.commands import read_commands
from predictor.outward.drivers.contract import DriverError
from predictor.outward.drivers.kube import _driver_error
from predictor.planning.table import Table
from predictor.series.queries import PrometheusRefused, RangeQueries, _problem
from predictor.series.scrape import Parser
from prewire.api.access.jwks import _named
from prewire.commands.client import RequestFailed, _frames, _told
from prewire.documents.document import BadDocument, read
from prewire.explaining.tracing import read_trace
from prewire.settings import SettingsError, load
from ryu_apps import reports
from ryu_apps.entries import FlowEntry, GroupCountsEntry, GroupEntry
from ryu_apps.framework import ofproto, parser
from ryu_apps.mailbox import Mailbox
from ryu_apps.packet_ins import PacketIns
from ryu_apps.ports import described

DEEP = b"[" * 100_000
LONG = "9" * 5000  # more digits than Python makes a number of


# ------------------------------------------------------------------------------- OpenFlow


def parsed(kind: int, body: bytes) -> Any:
    """What the framework's parser makes of a message."""
    raw = struct.pack("!BBHI", ofproto.OFP_VERSION, kind, 8 + len(body), 1) + body
    return parser.msg_parser(None, ofproto.OFP_VERSION, kind, len(raw), 1, raw)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", [0, 1])
def test_a_hello_whose_element_has_no_length_ends(kind: int) -> None:
    with pytest.raises(ValueError, match="element of 0 bytes"):
        parsed(ofproto.OFPT_HELLO, struct.pack("!HHI", kind, 0, 0))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "kind", ["GROUP", "METER", "METER_CONFIG", "TABLE_FEATURES", "GROUP_DESC", "FLOW"]
)
def test_a_reply_whose_entry_has_no_length_ends(kind: str) -> None:
    number = getattr(ofproto, f"OFPMP_{kind}")
    with pytest.raises((ValueError, struct.error)):
        parsed(ofproto.OFPT_MULTIPART_REPLY, struct.pack("!HH4x", number, 0) + bytes(80))


@pytest.mark.timeout(20)
def test_a_queue_without_a_length_ends() -> None:
    with pytest.raises(ValueError, match="has no length"):
        parsed(ofproto.OFPT_QUEUE_GET_CONFIG_REPLY, bytes(64))


@pytest.mark.timeout(20)
def test_an_instruction_of_an_unknown_type_ends() -> None:
    match = struct.pack("!HH4x", 1, 4)
    with pytest.raises(ValueError, match="has no length"):
        parsed(ofproto.OFPT_FLOW_MOD, bytes(40) + match + struct.pack("!HH4x", 99, 8))


def flow_entry(rest: bytes) -> FlowEntry:
    head = struct.pack("!HBxIIHHHH4xQQQ", 48 + len(rest), 1, 0, 0, 5, 0, 0, 0, 7, 0, 0)
    return FlowEntry.parser(head + rest, 0)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "action",
    [
        struct.pack("!HHI8x", ofproto.OFPAT_EXPERIMENTER, 0, 0x1234),  # no length
        struct.pack("!HH4x", 77, 8),  # no such type
        struct.pack("!HHI4x", ofproto.OFPAT_EXPERIMENTER, 12, 0x2320),  # cut off
    ],
)
def test_a_flow_that_cannot_be_read_is_not_ours_and_can_be_shown(action: bytes) -> None:
    instruction = struct.pack("!HH4x", ofproto.OFPIT_APPLY_ACTIONS, 8 + len(action)) + action
    entry = flow_entry(struct.pack("!HH4x", 1, 4) + instruction)
    with pytest.raises(reports.NotOurs):
        reports.flow_of(entry)
    assert str(entry)


def test_a_flow_that_goes_on_before_its_last_action_is_not_ours() -> None:
    goto = struct.pack("!HHB3x", ofproto.OFPIT_GOTO_TABLE, 8, 5)
    output = struct.pack("!HH4xHHIH6x", ofproto.OFPIT_APPLY_ACTIONS, 24, 0, 16, 1, 0)
    with pytest.raises(reports.NotOurs, match="last"):
        reports.flow_of(flow_entry(struct.pack("!HH4x", 1, 4) + goto + output))


def test_a_match_that_is_cut_off_is_not_ours() -> None:
    entry = flow_entry(struct.pack("!HHI", 1, 60, 0x80000004))
    with pytest.raises(reports.NotOurs):
        reports.match_of(entry)
    assert entry.raw.hex() in str(entry)


def test_counters_of_buckets_that_end_in_the_middle_are_refused() -> None:
    raw = struct.pack("!H2xII4xQQII", 57, 1, 2, 3, 4, 5, 0) + bytes(17)
    with pytest.raises(ValueError, match="counters of buckets in 17 bytes"):
        GroupCountsEntry.parser(raw, 0)


def test_a_group_of_an_unknown_type_is_not_ours() -> None:
    entry = GroupEntry.parser(struct.pack("!HBxI", 8, 9, 1), 0)
    with pytest.raises(reports.NotOurs, match="type 9"):
        reports.group_of(entry)


@pytest.mark.timeout(20)
def test_a_bucket_whose_length_is_wrong_is_not_ours() -> None:
    entry = GroupEntry.parser(struct.pack("!HBxIHH12x", 24, 1, 1, 0, 0), 0)
    with pytest.raises(reports.NotOurs):
        reports.group_of(entry)
    assert str(entry)


def test_a_packet_in_without_a_port_is_none() -> None:
    heard: list[object] = []
    mailbox = Mailbox("test")
    packets = PacketIns((LEARN,), mailbox, heard.append, lambda: None)
    message = parser.OFPPacketIn(None, table_id=LEARN.number, match=parser.OFPMatch())
    packets.heard(message)
    mailbox.start()
    mailbox.close()
    assert not heard


@pytest.mark.parametrize("name", [b"", b"\0" * 16, b"veth\x01"])
def test_a_port_that_no_row_can_name_has_no_row(name: bytes) -> None:
    told = {"port_no": 1, "hw_addr": "02:00:00:00:00:01", "state": 0, "config": 0}
    port = SimpleNamespace(name=name, curr_speed=0, **told)
    assert described("0000000000000001", port, {}) is None


# ------------------------------------------------------------------------------- texts


@pytest.mark.parametrize("digits", [5000, 1_000_001])
def test_a_rate_of_very_many_digits_is_refused_at_once(digits: int) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        read_rate("9" * digits + "M")


def test_a_line_of_metrics_of_many_blanks_takes_no_longer_than_others() -> None:
    began = time.process_time()
    Parser().parse(b"prewire_leader_epoch" + b" " * 100_000 + b"\n")
    assert time.process_time() - began < 1


def test_a_connection_of_very_many_digits_is_not_counted() -> None:
    tally = Tally()
    line = f"udp,orig=(src=1),reply=(src=2),zone={LONG},mark=1"
    tally.add([line.encode(), line.replace(LONG, "5").replace("mark=1", f"mark={LONG}").encode()])
    assert not tally.counts


@pytest.mark.parametrize(
    "said", ["Log: [1]\n", f"Term: {LONG}\n", f"Servers:\n  a (a at tcp:b:1) match_index={LONG}\n"]
)
def test_a_cluster_status_with_odd_numbers_is_refused(said: str) -> None:
    with pytest.raises(ServerError, match="cannot read"):
        read_status(f"Server ID: a\nAddress: b\nStatus: c\n{said}")


def test_a_trace_of_very_many_digits_has_no_such_step() -> None:
    assert read_trace(f"{LONG}. No match.\n 1. priority {LONG}\n")[0].steps == ()


# ------------------------------------------------------------------------------- documents


@pytest.mark.parametrize(
    "text",
    ["a: !!bool x", "a: !!timestamp x", 'a: !!int ""', 'a: !!int "-"', 'a: !!bool ""'],
)
def test_a_tag_that_its_value_does_not_have_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadDocument):
        read("f", text.encode())
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(FieldError):
        read_commands(tmp_path / "f.yaml")


def test_a_key_that_is_null_is_refused() -> None:
    with pytest.raises(BadDocument, match="the key None"):
        read("f", b"~: 1")


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_commands_that_are_nested_too_deep_are_refused(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"f.{suffix}"
    file.write_bytes(DEEP)
    with pytest.raises(FieldError, match="nested too deep"):
        read_commands(file)


def test_settings_that_are_nested_too_deep_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "f.toml").write_bytes(b"api_port = " + DEEP)
    monkeypatch.setenv("PREWIRE_CONFIG", str(tmp_path / "f.toml"))
    with pytest.raises(SettingsError, match="nested too deep"):
        load()


def test_a_saved_state_with_a_file_that_is_no_array_is_refused() -> None:
    table = Table({"level": ((), 0.0)})
    table.rows(("a",))
    saved = io.BytesIO(table.save({}, {"version": 1}))
    with zipfile.ZipFile(saved) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    odd = io.BytesIO()
    with zipfile.ZipFile(odd, "w") as changed:
        for name, content in parts.items():
            changed.writestr(name, b"no array" if name == "column_level.npy" else content)
    with pytest.raises(ValueError, match="no saved state"):
        table.load(odd.getvalue(), {"version": 1})


@pytest.mark.parametrize("names", [5, [1], ["a", "a"], None])
def test_a_saved_state_with_odd_names_is_refused(names: object) -> None:
    table = Table({"level": ((), 0.0)})
    with pytest.raises(ValueError, match="no saved state"):
        table.load(table.save({}, {"version": 1, "names": names}), {"version": 1})


# ------------------------------------------------------------------------------- answers


def test_an_answer_of_prometheus_with_a_huge_time_is_refused() -> None:
    points = b'{"data":{"result":[{"metric":{},"values":[[1' + b"0" * 400 + b',"1"]]}]}}'
    with pytest.raises(PrometheusRefused):
        RangeQueries("http://a")._window(points, 0, 240, 60.0, None)


def test_a_problem_of_prometheus_that_is_nested_too_deep_says_nothing() -> None:
    assert _problem(400, DEEP) == "answers 400"


def test_a_key_that_is_for_no_signature_is_left_out() -> None:
    assert _named({"keys": [{"kty": "RSA", "alg": "none"}]}) == []


def test_an_error_of_kubernetes_that_is_nested_too_deep_is_told_as_it_is() -> None:
    error: Any = SimpleNamespace(status=500, body=DEEP.decode(), reason="")
    assert isinstance(_driver_error("a", error), DriverError)


@pytest.mark.parametrize(
    "error", ["[1]", DEEP.decode(), "5", '{"error":"constraint violation","details":{}}']
)
def test_an_error_of_the_database_that_is_no_object_is_told_as_it_is(error: str) -> None:
    assert isinstance(refusal("unix:a", error), NibError)


@pytest.mark.parametrize("data", ["{", DEEP.decode()])
def test_an_event_that_is_no_json_is_a_failed_request(data: str) -> None:
    with pytest.raises(RequestFailed):
        list(_frames(iter([f"data: {data}", ""])))


@pytest.mark.parametrize("errors", [5, [1], "x", [{"field": "a"}]])
def test_a_problem_with_odd_faults_is_told(errors: object) -> None:
    assert "; " in _told({"errors": errors, "detail": "d", "remedy": "r"})
