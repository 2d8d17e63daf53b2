"""The table of kinds, what a stream tells of objects, and what is read of a switch's trace."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from prewire.commands.kinds import KINDS, kind_called, missing
from prewire.commands.watching import Watched
from prewire.documents.models import ApplyIn
from prewire.explaining.tracing import ports_of, read_trace


def test_every_word_means_one_kind() -> None:
    words = [word for kind in KINDS for word in {kind.name, kind.plural, *kind.aliases}]
    assert len(words) == len(set(words))
    for kind in KINDS:
        for word in (kind.name, kind.plural, *kind.aliases):
            assert kind_called(word.upper()) is kind


def test_everything_that_apply_takes_is_a_kind() -> None:
    assert {kind.member for kind in KINDS if kind.member} == set(ApplyIn.model_fields)


def test_a_word_that_is_no_kind_is_wrong_usage_that_tells_what_is_near() -> None:
    with pytest.raises(typer.BadParameter, match="did you mean services"):
        kind_called("servces")


def test_a_name_that_nobody_has_is_told_with_what_is_near() -> None:
    said = str(missing(kind_called("svc"), "wbe", ["web", "shop"]))
    assert "there is no service wbe; did you mean web?" in said


def test_parts_of_names_are_quoted_in_paths() -> None:
    assert kind_called("ctr").path_of(["web", "c1"]) == "/v1/services/web/containers/c1"
    assert kind_called("link-rate").path_of(["br0", "a/b ?"]) == "/v1/link-rates/br0/a%2Fb%20%3F"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("web", True), ("web/c1", True), ("web/c2", False), ("we", False)],
)
def test_the_first_part_of_a_name_stands_for_all_that_begin_with_it(name: str, meant: bool) -> None:
    kind = kind_called("container")
    assert kind.is_meant({"service": "web", "id": "c1"}, kind.parts_of(name)) is meant


def test_switches_go_by_their_names_too() -> None:
    kind = kind_called("switch")
    assert kind.is_meant({"dpid": "0000000000000001", "name": "br0"}, ["br0"])


# ------------------------------------------------------------------------------- streams


def put(name: str, ready: int) -> dict[str, Any]:
    return {"kind": "services", "key": name, "object": {"name": name, "ready": ready}}


def test_only_objects_that_differ_are_changes() -> None:
    watched = Watched(kind_called("service"), [])
    assert [each.event for each in watched.heard("put", put("web", 0))] == ["put"]
    assert watched.heard("ready", {}) == []
    assert watched.heard("put", put("web", 0)) == []
    assert [each.object["ready"] for each in watched.heard("put", put("web", 1))] == [1]


def test_after_a_reset_what_is_not_told_again_is_gone() -> None:
    watched = Watched(kind_called("service"), [])
    for name in ("web", "shop"):
        watched.heard("put", put(name, 1))
    watched.heard("ready", {})
    assert watched.heard("reset", {}) == []
    assert watched.heard("put", put("shop", 1)) == []
    assert [(each.event, each.key) for each in watched.heard("ready", {})] == [("delete", "web")]
    assert watched.heard("ready", {}) == []


def test_one_that_was_resumed_forgets_nothing() -> None:
    watched = Watched(kind_called("service"), [])
    watched.heard("put", put("web", 1))
    watched.heard("ready", {})
    assert watched.heard("ready", {}) == []
    assert set(watched.objects) == {"web"}


def test_others_than_those_asked_for_are_not_told() -> None:
    watched = Watched(kind_called("service"), ["web"])
    assert watched.heard("put", put("shop", 1)) == []
    assert watched.heard("delete", {"key": "shop"}) == []


# ------------------------------------------------------------------------------- traces

TRACE = """\
Flow: tcp,in_port=1,nw_dst=10.0.0.100

bridge("br0")
-------------
 0. ip, priority 100, cookie 0x7000010000000000
    goto_table:20
20. tcp,nw_dst=10.0.0.100,tp_dst=80, priority 100, cookie 0x7000010300000001
    ct(table=30,zone=1)
    drop
     -> A clone of the packet is forked to recirculate.

Final flow: unchanged
Megaflow: recirc_id=0,eth,tcp,in_port=1
Datapath actions: ct(zone=1),recirc(0x3)

===============================================================================
recirc(0x3) - resume conntrack with default ct_state=trk|new (use --ct-next to customize)
===============================================================================

Flow: recirc_id=0x3

bridge("br0")
-------------
    thaw
        Resuming from table 30
30. priority 1
    group:7
     -> using bucket 5
    bucket 5
            resubmit(,40)
        40. No match.
            drop

Final flow: unchanged
Megaflow: recirc_id=0x3
Datapath actions: ct(commit,zone=1,mark=0x2/0xffffffff),set(tcp(dst=8080)),2
This flow is handled by the userspace slow path because it:
  - Uses action(s) not supported by datapath.
"""


def test_a_trace_is_read_pass_by_pass() -> None:
    first, second = read_trace(TRACE)
    assert [(each.table, each.priority) for each in first.steps] == [(0, 100), (20, 100)]
    assert first.steps[1].match == "tcp,nw_dst=10.0.0.100,tp_dst=80"
    assert first.steps[1].cookie == 0x7000010300000001
    assert first.steps[1].actions == ("ct(table=30,zone=1)", "drop")
    assert first.steps[1].notes == ("A clone of the packet is forked to recirculate.",)
    assert second.why.startswith("resume conntrack")
    assert [(each.table, each.priority) for each in second.steps] == [(30, 1), (40, None)]
    assert second.steps[0].notes == ("using bucket 5",)
    assert second.remarks[1] == "Uses action(s) not supported by datapath."
    assert ports_of((first, second)) == ["2"]


def test_no_text_breaks_the_reading_of_traces() -> None:
    for text in ("", "\n", "nonsense\n -> note", TRACE[40:200], TRACE[::-1]):
        assert read_trace(text)
