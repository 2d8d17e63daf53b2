"""Classes, policies and rates of links through a real REST server and database."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest

from nib.database import Nib
from nib.draft import Draft
from nib.qos import PolicyConnections, PolicyShare, PortQos
from nib.topology import Port
from tests.switch.rest_server import DPID, RestServer, problem, serving
from tests.waiting import until

POLICY = "/v1/policies/p"
GOLD = "/v1/classes/gold"
RATE = "/v1/link-rates/br0/veth1"
TO_DB = {"source": "shop", "destination": "db", "class": "interactive"}
HUGE = 10**30


def _fast_ports(draft: Draft) -> None:
    for number in (1, 2):
        port = draft.need(Port, (DPID, f"veth{number}"))
        mac = f"02:00:00:00:00:1{number}"
        changed = Port(DPID, port.name, number, port.mac, port.iface_id, mac, True, 10**8)
        draft.put(changed)


def _put(server: RestServer, path: str, body: dict[str, Any]) -> bool:
    return server.put(path, **body).is_success


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    """With services `db` and `shop` of one container each, behind ports of 100 Mbit/s."""
    with serving() as up, Nib(up.settings.nib_remote, "test") as nib:
        nib.write(_fast_ports).result(60)
        for number, name in enumerate(("db", "shop"), 1):
            made = up.put(f"/v1/services/{name}", vip=f"10.0.0.10{number}", port=80)
            assert made.status_code == 201, made.text
            path = f"/v1/services/{name}/containers/c1"
            place = {"address": f"10.0.0.1{number}", "port": 80, "iface_id": f"web-{number}"}
            until(partial(_put, up, path, place), bool, "the server has heard of the ports")
        yield up


@pytest.fixture(autouse=True)
def _without_leftovers(server: RestServer) -> Iterator[None]:
    yield
    http = server.http
    for policy in http.get("/v1/policies").json()["items"]:
        assert http.delete(f"/v1/policies/{policy['name']}").status_code == 204
    for rate in http.get("/v1/link-rates").json()["items"]:
        path = f"/v1/link-rates/{rate['switch']}/{rate['port']}"
        assert http.delete(path).status_code == 204
    for each in http.get("/v1/classes").json()["items"]:
        if each["origin"] != "built-in":
            assert http.delete(f"/v1/classes/{each['name']}").status_code == 204


# ------------------------------------------------------------------------------- as it should be


def test_a_class_comes_and_goes(server: RestServer) -> None:
    made = server.put(GOLD, dscp=34, queue=4, min_percent=10)
    assert made.status_code == 201
    assert int(made.headers["Prewire-Generation"]) == server.generation()
    assert made.json() == server.http.get(GOLD).json()
    assert (made.json()["origin"], made.json()["weight"]) == ("stated", 1)
    assert server.put(GOLD, dscp=34, queue=4, weight=7).status_code == 200
    names = [each["name"] for each in server.http.get("/v1/classes").json()["items"]]
    assert names == ["default", "bulk", "interactive", "realtime", "gold"]
    assert server.http.delete(GOLD).status_code == 204
    assert problem(server.http.get(GOLD), 404)["detail"] == "there is no class gold"


def test_a_built_in_class_is_changed_and_restored(server: RestServer) -> None:
    before = server.http.get("/v1/classes/bulk").json()
    changed = server.put("/v1/classes/bulk", max_percent=30)
    assert changed.json() == before | {
        "max_percent": 30, "origin": "changed", "generation": server.generation(),
    }  # fmt: skip
    assert server.http.delete("/v1/classes/bulk").status_code == 204
    assert server.http.get("/v1/classes/bulk").json() == before
    told = problem(server.http.delete("/v1/classes/bulk"), 404)
    assert "built-in" in told["remedy"]


def test_a_policy_comes_and_goes(server: RestServer) -> None:
    made = server.put(POLICY, **TO_DB, guaranteed_bps="10M", max_bps="1.5Gbps", max_pps=7)
    assert made.status_code == 201
    assert int(made.headers["Prewire-Generation"]) == server.generation()
    told = made.json()
    assert told == server.http.get(POLICY).json()
    assert (told["guaranteed_bps"], told["max_bps"]) == (10_000_000, 1_500_000_000)
    assert (told["state"], told["class"]) == ("active", "interactive")
    assert told["links"] == [{"switch": DPID, "switch_name": "br0", "port": "veth1"}]
    again = server.put(POLICY, **TO_DB)
    assert (again.status_code, again.json()["guaranteed_bps"]) == (200, None)
    assert [each["name"] for each in server.http.get("/v1/policies").json()["items"]] == ["p"]
    assert server.http.delete(POLICY).status_code == 204
    assert problem(server.http.delete(POLICY), 404)["detail"] == "there is no policy p"


def test_a_policy_by_what_it_carries(server: RestServer) -> None:
    told = server.put(POLICY, destination="db", traffic="key-value").json()
    assert (told["class"], told["burst_ms"]) == ("realtime", 200)
    presets = server.http.get("/v1/traffic-presets").json()["items"]
    assert {"name": "sql", "class": "interactive", "burst_ms": 500} in presets
    told = problem(server.put(POLICY, destination="db", traffic="mysql"), 422)
    assert (told["field"], "sql" in told["remedy"]) == ("traffic", True)


@pytest.mark.parametrize(
    ("ends", "missing"),
    [
        ({"source": "shop", "destination": "buy"}, "no service buy"),
        ({"source": "buy", "destination": "db"}, "no service buy"),
    ],
)
def test_a_policy_of_what_is_not_there_yet_waits(
    server: RestServer, ends: dict[str, str], missing: str
) -> None:
    told = server.put(POLICY, **ends, traffic="sql", guaranteed_bps="10G").json()
    assert (told["state"], told["links"]) == ("waiting", [])
    assert missing in told["reason"]


def test_a_policy_of_a_service_without_containers_waits(server: RestServer) -> None:
    server.put("/v1/services/idle", vip="10.0.0.109", port=80)
    told = server.put(POLICY, destination="idle", max_bps="10M").json()
    assert (told["state"], told["reason"]) == ("waiting", "service idle has no container")
    assert server.http.delete("/v1/services/idle").status_code == 204
    assert "no service idle" in server.http.get(POLICY).json()["reason"]


def test_a_policy_tells_what_was_decided_and_seen(server: RestServer) -> None:
    server.put(POLICY, **TO_DB, max_bps="10M", max_connections=5)

    def others(draft: Draft) -> None:
        draft.put(PolicyShare("p", DPID, 10_000_000))
        draft.put(PolicyConnections("p", DPID, 3))
        draft.put(PortQos(DPID, "veth1", "set_queue + linux-htb", 10**8, "no queue 2"))

    with Nib(server.settings.nib_remote, "test") as nib:
        nib.write(others).result(60)
    told = until(
        lambda: server.http.get(POLICY).json(), lambda shown: shown["shares"], "shares are told"
    )
    assert told["shares"] == [
        {"switch": DPID, "switch_name": "br0", "bps": 10_000_000, "pps": None}
    ]
    assert (told["connections"], told["packet_meter"]) == (3, None)
    assert told["bit_meter"] > 0
    link = next(
        each for each in server.http.get("/v1/bandwidth").json()["items"] if each["port"] == "veth1"
    )
    assert (link["method"], link["problem"]) == ("set_queue + linux-htb", "no queue 2")


def test_a_rate_of_a_link_comes_and_goes(server: RestServer) -> None:
    made = server.put(RATE, bps="1G")
    assert (made.status_code, made.json()["state"]) == (201, "active")
    assert server.http.get(f"/v1/link-rates/{DPID}/1").json() == made.json(), "by number"
    assert server.put(f"/v1/link-rates/{DPID}/veth1", bps=10**9).status_code == 200
    later = server.put("/v1/link-rates/br0/veth77", bps="1G").json()
    assert (later["state"], "veth77" in later["reason"]) == ("waiting", True)
    assert len(server.http.get("/v1/link-rates").json()["items"]) == 2
    assert server.http.delete(RATE).status_code == 204
    assert problem(server.http.delete(RATE), 404)["field"] == "path"
    assert problem(server.http.get(RATE), 404)


def test_bandwidth_by_class(server: RestServer) -> None:
    server.put(POLICY, **TO_DB, guaranteed_bps="30M")
    (link,) = server.http.get("/v1/bandwidth", params={"switch": "br0"}).json()["items"]
    assert (link["switch"], link["port"], link["peer"]) == (DPID, "veth1", "")
    assert (link["rate_bps"], link["source"], link["guaranteed_bps"]) == (10**8, "port", 3 * 10**7)
    assert link["free_bps"] == 35_000_000
    by_class = {each["class"]: each for each in link["classes"]}
    assert by_class["interactive"] == {
        "class": "interactive", "guaranteed_bps": 30_000_000, "minimum_bps": 30_000_000,
        "free_bps": 35_000_000,
    }  # fmt: skip
    assert by_class["bulk"]["minimum_bps"] == 5_000_000
    server.put(RATE, bps="1G")
    (link,) = server.http.get("/v1/bandwidth").json()["items"]
    assert (link["rate_bps"], link["source"]) == (10**9, "stated")
    assert problem(server.http.get("/v1/bandwidth", params={"switch": "br9"}), 422)


def test_a_write_can_be_awaited(server: RestServer) -> None:
    """No controller runs here, so the switch acknowledges nothing: the change is kept."""
    answer = server.http.put(POLICY, json=TO_DB, params={"wait": "applied", "timeout": 0.2})
    assert "stored as generation" in problem(answer, 504)["detail"]
    assert server.http.get(POLICY).is_success


# ------------------------------------------------------------------------------- bad input


def refused(server: RestServer, path: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    """The problem of a PUT that must change nothing."""
    before = server.generation()
    told = problem(server.put(path, **body), status)
    assert server.generation() == before
    return told


NO_RATES: Final[tuple[Any, ...]] = (
    0, 1, 999, -10_000_000, HUGE, 1e7, 1.5, True, [], {}, "", "0", "10", "10000000", "0M", "10m",
    "10mbps", "10MB", "10 MB/s", "10Mi", "10MiB", "10g", "5T", "1,5G", "1e7", "ten", "10M 10M",
    "1.0001k", "9" * 21, "10\u00a0M", "\u0661M",
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": None, "destination": None}, "destination"),
        ({"source": "Shop"}, "source"),
        ({"destination": ""}, "destination"),
        ({"destination": 7}, "destination"),
        ({"class": "gold"}, "class"),
        ({"class": "Gold"}, "class"),
        ({"class": 7}, "class"),
        ({"qos_class": "bulk"}, "qos_class"),
        ({"traffic": "sq"}, "traffic"),
        ({"guaranteed_bps": "2M", "max_bps": "1M"}, "guaranteed_bps"),
        ({"guaranteed_bps": "2M", "class": "default"}, "guaranteed_bps"),
        ({"guaranteed_bps": "2M", "destination": None}, "guaranteed_bps"),
        ({"max_connections": 5, "destination": None}, "max_connections"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 1_000_001}, "max_connections"),
        ({"max_pps": 0}, "max_pps"),
        ({"max_pps": "10"}, "max_pps"),
        ({"burst_ms": 0}, "burst_ms"),
        ({"burst_ms": 60_000}, "burst_ms"),
        ({"name": "other"}, "name"),
        ({"state": "active"}, "state"),
        *(({"max_bps": rate}, "max_bps") for rate in NO_RATES),
        ({"guaranteed_bps": 0}, "guaranteed_bps"),
        ({"guaranteed_bps": "10"}, "guaranteed_bps"),
    ],
)
def test_a_bad_policy(server: RestServer, change: dict[str, Any], field: str) -> None:
    told = refused(server, POLICY, 422, TO_DB | change)
    assert told["field"] == field
    assert "errors" not in told, "one fault is told once"


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ({"queue": 4}, "dscp", 422),
        ({"dscp": 34}, "queue", 422),
        ({"dscp": 64, "queue": 4}, "dscp", 422),
        ({"dscp": -1, "queue": 4}, "dscp", 422),
        ({"dscp": "34", "queue": 4}, "dscp", 422),
        ({"dscp": 34, "queue": 16}, "queue", 422),
        ({"dscp": 34, "queue": HUGE}, "queue", 422),
        ({"dscp": 34, "queue": 4, "priority": 8}, "priority", 422),
        ({"dscp": 34, "queue": 4, "min_percent": 0}, "min_percent", 422),
        ({"dscp": 34, "queue": 4, "min_percent": 101}, "min_percent", 422),
        ({"dscp": 34, "queue": 4, "min_percent": 20, "max_percent": 10}, "min_percent", 422),
        ({"dscp": 34, "queue": 4, "weight": 0}, "weight", 422),
        ({"dscp": 34, "queue": 4, "speed": 1}, "speed", 422),
        ({"dscp": 46, "queue": 4}, "dscp", 409),
        ({"dscp": 34, "queue": 3}, "queue", 409),
        ({"dscp": 34, "queue": 4, "min_percent": 46}, "min_percent", 409),
    ],
)
def test_a_bad_class(server: RestServer, body: dict[str, Any], field: str, status: int) -> None:
    assert refused(server, GOLD, status, body)["field"] == field


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (RATE, {"bps": 0}, "bps"),
        (RATE, {"bps": "10"}, "bps"),
        (RATE, {"bps": "1GB"}, "bps"),
        (RATE, {"bps": None}, "bps"),
        (RATE, {}, "bps"),
        (RATE, {"bps": "1G", "rate": 1}, "rate"),
        ("/v1/link-rates/br9/veth1", {"bps": "1G"}, "switch"),
        (f"/v1/link-rates/{DPID[:-1]}7/veth1", {"bps": "1G"}, "switch"),
        (f"/v1/link-rates/br0/{'v' * 64}", {"bps": "1G"}, "port"),
        ("/v1/link-rates/br0/veth%001", {"bps": "1G"}, "port"),
    ],
)
def test_a_bad_rate(server: RestServer, path: str, body: dict[str, Any], field: str) -> None:
    assert refused(server, path, 422, body)["field"] == field


@pytest.mark.parametrize("name", ["Web", "-p", "p.", "a" * 64, "p%20q", "%00", "p\u00e9"])
def test_odd_names(server: RestServer, name: str) -> None:
    assert refused(server, f"/v1/policies/{name}", 422, TO_DB)["field"] == "name"
    assert refused(server, f"/v1/classes/{name}", 422, {"dscp": 34, "queue": 4})["field"] == "name"


def test_the_same_ends_twice(server: RestServer) -> None:
    server.put("/v1/policies/first", **TO_DB)
    told = refused(server, POLICY, 409, TO_DB)
    assert "policy first" in told["detail"]
    assert "prewire policy delete first" in told["remedy"]
    assert server.put(POLICY, destination="db").status_code == 201, "another governs the pair"


def test_a_class_in_use(server: RestServer) -> None:
    server.put(GOLD, dscp=34, queue=4)
    server.put(POLICY, **TO_DB | {"class": "gold"})
    told = problem(server.http.delete(GOLD), 409)
    assert (told["field"], "policy p" in told["detail"]) == ("class", True)


def test_a_guarantee_that_a_link_cannot_carry(server: RestServer) -> None:
    told = refused(server, POLICY, 409, TO_DB | {"guaranteed_bps": "200M"})
    assert told["type"] == "urn:prewire:problem:not-admitted"
    assert told["field"] == "guaranteed_bps"
    for words in ("200M asked", "65M are free", "br0 veth1"):
        assert words in told["detail"]
    assert "65M" in told["remedy"]
    assert server.put(POLICY, **TO_DB, guaranteed_bps="60M").status_code == 201
    told = refused(server, "/v1/policies/q", 409, {
        "destination": "db", "class": "interactive", "guaranteed_bps": "10M",
    })  # fmt: skip
    assert "5M are free" in told["detail"]
    assert refused(server, RATE, 409, {"bps": "50M"})["field"] == "bps"
    less = refused(server, "/v1/classes/interactive", 409, {"max_percent": 20})
    assert less["field"] == "max_percent"
