"""What `prewire top` shows."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from prewire.commands import top_view


def shown(readings: Any, room: int | None = None, plans: Any = None) -> str:
    out = io.StringIO()
    console = Console(file=out, width=150)
    console.print(top_view.view(readings, {"1": "edge"}, plans or {}, room))
    return out.getvalue()


def readings(**kinds: Any) -> dict[str, Any]:
    return {"at_ms": 1, "stale": False, "failure": "", **kinds}


def service(name: str, new: float | None, **fields: Any) -> dict[str, Any]:
    return {
        "service": name,
        "new_connections_per_s": new,
        "refused_per_s": 0.0,
        "without_container_pps": 0.0,
        "to_bps": 0.0,
        "from_bps": 0.0,
        "inflight": None,
        "panic": False,
        "containers": {"ready": 1, "failed": 1},
        **fields,
    }


def link(port: str, sent: float | None, rate: float | None) -> dict[str, Any]:
    return {
        "switch": "1",
        "port": port,
        "transmit_bps": sent,
        "receive_bps": 0.0,
        "transmit_dropped_pps": 0.0,
        "receive_dropped_pps": 0.0,
        "rate_bps": rate,
        "guaranteed_bps": None,
        "free_bps": None,
    }


def test_the_busiest_come_first_and_say_what_they_do() -> None:
    text = shown(
        readings(services=[service("calm", 0.5), service("busy", 1234.0, from_bps=1.2345e9)]),
        plans={"busy": 7},
    )
    lines = text.splitlines()
    assert lines[0].rstrip() == "2 services; 1234 new connections/s"
    busy, calm = (line.split() for line in lines[4:6])
    assert busy == ["busy", "1/2", "7", "1234", "-", "0", "1.23G", "0", "0"]
    assert calm == ["calm", "1/2", "-", "0.5", "-", "0", "0", "0", "0"]


def test_links_are_by_their_use_where_it_is_known() -> None:
    rows = [link("wide", 5e8, 1e10), link("full", 9.5e7, 1e8), link("unknown", 1e9, None)]
    lines = shown(readings(links=rows)).splitlines()
    assert [line.split()[:4] for line in lines[4:7]] == [
        ["edge", "full", "95M", "95%"],
        ["edge", "wide", "500M", "5%"],
        ["edge", "unknown", "1G", "-"],
    ]


def test_what_is_not_known_is_not_told_as_nothing() -> None:
    lines = shown(readings(links=[link("p1", None, 1e9)])).splitlines()
    assert lines[4].split()[:4] == ["edge", "p1", "-", "-"]


def test_rows_beyond_the_room_are_counted() -> None:
    many = [service(f"s{number}", float(number)) for number in range(100)]
    text = shown(readings(services=many, links=[link("p1", 1.0, None)]), room=24)
    assert len(text.splitlines()) <= 24
    assert "SERVICES (85 more)" in text
    assert "s99" in text
    assert "PORTS" in text


def test_stale_readings_say_why() -> None:
    assert shown(readings(links=[]) | {"stale": True, "failure": "no controller leads"}).startswith(
        "stale: no controller leads"
    )
