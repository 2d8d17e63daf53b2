"""Bad requests: each a problem that names field and remedy, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.switch.rest_server import DPID, MAC, RestServer, problem, serving

WEB = "/v1/services/web"
C9 = f"{WEB}/containers/c9"
SERVICE = {"vip": "10.0.0.101", "port": 80}
CONTAINER = {"address": "10.0.0.12", "port": 8080, "iface_id": "web-2"}
AT_PORT = {"address": "10.0.0.12", "port": 8080, "mac": MAC, "switch": "br0"}


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    """With a service `web` of one container `c1`."""
    with serving() as up:
        web = up.put(WEB, vip="10.0.0.100", port=80)
        assert web.status_code == 201, web.text
        c1 = up.put(f"{WEB}/containers/c1", address="10.0.0.11", port=8080, iface_id="web-1")
        assert c1.status_code == 201, c1.text
        yield up


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


@pytest.mark.parametrize("name", [
    "Web", "-web", "web-", "web.", "a" * 64, "we b", "web\u00e9", "\u65e5\u672c", "web%00", "a_b!",
    "%", "'; drop", "<b>", "web\n", "\U0001f600",
])  # fmt: skip
def test_names_with_odd_characters(server: RestServer, name: str) -> None:
    before = server.generation()
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert problem(server.put(f"/v1/services/{quoted}", **SERVICE), 422)["field"] == "name"
    container = server.put(f"{WEB}/containers/{quoted}", **CONTAINER)
    assert problem(container, 422)["field"] == "id"
    assert server.generation() == before


@pytest.mark.parametrize("path", [
    "/v1/services/a%2Fb", "/v1/services/%2E%2E%2Fstatus", "/v1/services//", "/v1/services/",
    f"{WEB}/containers/a%2Fb", f"{WEB}/containers/",
])  # fmt: skip
def test_names_that_are_no_part_of_a_path(server: RestServer, path: str) -> None:
    before = server.generation()
    for body in (SERVICE, CONTAINER):
        assert problem(server.put(path, **body), 404)["field"] == "path"
    assert server.generation() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"vip": "10.0.0.256"}, "vip"),
        ({"vip": "10.0.0"}, "vip"),
        ({"vip": "010.0.0.1"}, "vip"),
        ({"vip": "10.0.0.1/24"}, "vip"),
        ({"vip": ""}, "vip"),
        ({"vip": "fe80::1"}, "vip"),
        ({"vip": "FD00::1"}, "vip"),
        ({"vip": "fd00:0::1"}, "vip"),
        ({"vip": "::ffff:10.0.0.1"}, "vip"),
        ({"vip": "224.0.0.1"}, "vip"),
        ({"vip": "127.0.0.1"}, "vip"),
        ({"vip": "0.0.0.0"}, "vip"),
        ({"vip": "255.255.255.255"}, "vip"),
        ({"vip": 7}, "vip"),
        ({"vip": None}, "vip"),
        ({"vip": ["10.0.0.1"]}, "vip"),
        ({"port": 0}, "port"),
        ({"port": -1}, "port"),
        ({"port": 70000}, "port"),
        ({"port": 10**30}, "port"),
        ({"port": "80"}, "port"),
        ({"port": 80.5}, "port"),
        ({"port": True}, "port"),
        ({"port": None}, "port"),
        ({"protocol": "sctp"}, "protocol"),
        ({"protocol": 6}, "protocol"),
        ({"weight": 5}, "weight"),
        ({"name": "other"}, "name"),
        ({"extra_ports": [{"port": 443}]}, "extra_ports[0].target"),
        ({"extra_ports": [{"port": 80, "target": 81}]}, "extra_ports"),
        ({"extra_ports": [{"port": 443, "target": 70000}]}, "extra_ports.target"),
        ({"extra_ports": [{"port": 1000 + n, "target": 1} for n in range(16)]}, "extra_ports"),
        ({"extra_ports": {}}, "extra_ports"),
        ({"mode": "loose"}, "mode"),
        ({"policy": "round_robin"}, "policy"),
        ({"policy": ""}, "policy"),
        ({"affinity_seconds": 60}, "affinity_seconds"),
        ({"policy": "source_affinity", "affinity_seconds": -1}, "affinity_seconds"),
        ({"on_empty": "drop"}, "on_empty"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 5, "mode": "stateless"}, "max_connections"),
        ({"max_connections": 5, "protocol": "udp"}, "max_connections"),
        ({"slow_start_seconds": -1}, "slow_start_seconds"),
        ({"panic_percent": 101}, "panic_percent"),
        ({"health": {"kind": "ping"}}, "health.kind"),
        ({"health": {"port": 0}}, "health.port"),
        ({"health": {"port": 70000}}, "health.port"),
        ({"health": {"interval_ms": 0}}, "health.interval_ms"),
        ({"health": {"rise": 0}}, "health.rise"),
        ({"health": {"path": "/"}, "protocol": "udp"}, "health.port"),
        ({"health": {"path": "ready", "kind": "http"}}, "health.path"),
        ({"health": {"path": "/ready"}}, "health.path"),
        ({"health": {"kind": "http", "status_from": 300, "status_to": 200}}, "health.status_to"),
        ({"health": {"speed": 1}}, "health.speed"),
        ({"health": "tcp"}, "health"),
        ({"ejection": {"failure_percent": 0}}, "ejection.failure_percent"),
        ({"ejection": {}, "protocol": "udp"}, "ejection"),
        ({"canary": {"version": "v2"}}, "canary.percent"),
        ({"canary": {"version": "v2", "percent": 101}}, "canary.percent"),
        ({"canary": {"version": "", "percent": 1}}, "canary.version"),
        ({"canary": {"version": "v2", "percent": 1, "started_ms": 1}}, "canary.started_ms"),
    ],
)
def test_bad_services(server: RestServer, change: dict[str, Any], field: str) -> None:
    before = server.generation()
    found = problem(server.put("/v1/services/new", **{**SERVICE, **change}), 422)
    assert found["field"] == field, found
    assert server.http.get("/v1/services/new").status_code == 404
    assert server.generation() == before


@pytest.mark.parametrize("field", ["vip", "port"])
def test_missing_fields(server: RestServer, field: str) -> None:
    answer = server.put("/v1/services/new", **without(SERVICE, field))
    assert problem(answer, 422)["field"] == field


def test_several_faults_are_all_told(server: RestServer) -> None:
    found = problem(server.put("/v1/services/new", vip=1, port="x", colour="red"), 422)
    assert [each["field"] for each in found["errors"]] == ["vip", "port", "colour"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"address": "10.0.0.999"}, "address"),
        ({"address": "224.0.0.5"}, "address"),
        ({"address": "::1"}, "address"),
        ({"address": None}, "address"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"port": "8080"}, "port"),
        ({"mac": "02:00"}, "mac"),
        ({"mac": "01:00:5e:00:00:01"}, "mac"),
        ({"mac": "00:00:00:00:00:00"}, "mac"),
        ({"iface_id": "web-99"}, "iface_id"),
        ({"iface_id": ""}, "iface_id"),
        ({"iface_id": None}, "switch"),
        ({"iface_id": 3}, "iface_id"),
        ({"switch": "br0", "switch_port": "veth2"}, "iface_id"),
        ({"state": "draining"}, "state"),
        ({"address": "fd00::12"}, "address"),
        ({"weight": -1}, "weight"),
        ({"weight": 257}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"weight": None}, "weight"),
        ({"version": "V2"}, "version"),
        ({"max_inflight": 0}, "max_inflight"),
        ({"max_connections": 0}, "max_connections"),
        ({"lease_seconds": 0}, "lease_seconds"),
        ({"lease_seconds": -5}, "lease_seconds"),
        ({"lease_seconds": 86_401}, "lease_seconds"),
        ({"lease_seconds": "10"}, "lease_seconds"),
    ],
)
def test_bad_containers(server: RestServer, change: dict[str, Any], field: str) -> None:
    before = server.generation()
    found = problem(server.put(C9, **{**CONTAINER, **change}), 422)
    assert found["field"] == field, found
    assert server.http.get(C9).status_code == 404
    assert server.generation() == before


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"switch": "br7", "switch_port": "veth2"}, "switch", DPID),
        ({"switch": "0000000000000007", "switch_port": "veth2"}, "switch", "br0"),
        ({"switch": "", "switch_port": "veth2"}, "switch", "br0"),
        ({"switch_port": "veth7"}, "switch_port", "veth1, veth2, veth3, veth9"),
        ({"switch_port": "77"}, "switch_port", "veth1"),
        ({"switch_port": ""}, "switch_port", "veth1"),
        ({"switch_port": "\u0663"}, "switch_port", "veth1"),
        ({}, "switch_port", "switch_port"),
        ({"switch_port": "veth9", "mac": None}, "mac", "MAC"),
    ],
)
def test_containers_outside_any_known_switch(
    server: RestServer, change: dict[str, Any], field: str, remedy: str
) -> None:
    before = server.generation()
    found = problem(server.put(C9, **{**AT_PORT, **change}), 422)
    assert found["field"] == field, found
    assert remedy in found["remedy"], found
    assert server.generation() == before


def test_unknown_objects(server: RestServer) -> None:
    before = server.generation()
    for method, path in (
        ("GET", "/v1/services/none"),
        ("DELETE", "/v1/services/none"),
        ("GET", "/v1/services/none/containers"),
        ("GET", "/v1/services/none/containers/c1"),
        ("GET", f"{WEB}/containers/none"),
        ("DELETE", f"{WEB}/containers/none"),
        ("GET", "/v1/services/none/slots"),
        ("POST", f"{WEB}/containers/none/renew"),
        ("POST", "/v1/services/none/containers/c1/renew"),
        ("GET", "/v1/switches/00000000000000ff"),
        ("DELETE", "/v1/switches/00000000000000ff"),
        ("POST", "/v1/switches/00000000000000ff/diff"),
        ("GET", "/v2/services"),
    ):
        found = problem(server.http.request(method, path), 404)
        assert found["field"] == "path", f"{method} {path}: {found}"
    container = server.put("/v1/services/none/containers/c1", **CONTAINER)
    assert "none" in problem(container, 404)["detail"]
    assert problem(server.http.post(WEB), 405)["field"] == "path"
    assert server.generation() == before


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/services/two", {"vip": "10.0.0.100", "port": 80}, "vip"),
        ("/v1/services/two", {"vip": "10.0.0.11", "port": 81}, "vip"),
        (C9, {**CONTAINER, "address": "10.0.0.11"}, "address"),
        (C9, {**CONTAINER, "address": "10.0.0.11", "iface_id": "web-1"}, "port"),
        (C9, {**CONTAINER, "address": "10.0.0.100"}, "address"),
        (
            "/v1/services/two",
            {"vip": "10.0.0.100", "port": 81, "extra_ports": [{"port": 80, "target": 1}]},
            "extra_ports",
        ),
    ],
)
def test_conflicts(server: RestServer, path: str, body: dict[str, Any], field: str) -> None:
    before = server.generation()
    assert problem(server.put(path, **body), 409)["field"] == field
    assert server.http.get(path).status_code == 404
    assert server.generation() == before


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"vip": "10.0.0.101", "port": 80', "application/json"),
        (b"", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"{'vip': 1}", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"vip": "10.0.0.101", "port": 80}', "text/plain"),
        (b"vip=10.0.0.101&port=80", "application/x-www-form-urlencoded"),
    ],
)
def test_bodies_that_are_no_json_object(server: RestServer, content: bytes, kind: str) -> None:
    before = server.generation()
    headers = {"content-type": kind}
    answer = server.http.put("/v1/services/new", content=content, headers=headers)
    assert problem(answer, 422)["field"] == "body"
    assert server.generation() == before


def test_a_body_nested_too_deeply(server: RestServer) -> None:
    headers = {"content-type": "application/json"}
    answer = server.http.put("/v1/services/new", content=b"[" * 100_000, headers=headers)
    assert problem(answer, 400)["field"] == "body"


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("DELETE", f"{WEB}/containers/c1?drain=-1", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=soon", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=nan", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=inf", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=1e9", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=60x", "drain"),
        ("DELETE", f"{WEB}/containers/c1?drain=25h", "drain"),
        ("DELETE", f"{WEB}?wait=now", "wait"),
        ("DELETE", f"{WEB}?wait=applied&timeout=0", "timeout"),
        ("DELETE", f"{WEB}?wait=applied&timeout=1e9", "timeout"),
        ("POST", f"/v1/switches/{DPID}/diff?timeout=x", "timeout"),
        ("GET", "/v1/explain/packet", "packet"),
        ("GET", "/v1/explain/packet?packet=", "packet"),
        ("GET", "/v1/explain/packet?packet=in_port%3D1,tcp,nw_src%3D10.0.0.256", "packet"),
        ("GET", "/v1/explain/packet?packet=in_port%3D1,tcp&switch=br7", "switch"),
        ("GET", "/v1/explain/flow?flow=table%3D20", "flow"),
        ("GET", "/v1/explain/flow?flow=table%3D20,ip,actions%3Dfly", "flow"),
    ],
)
def test_bad_parameters(server: RestServer, method: str, path: str, field: str) -> None:
    before = server.generation()
    assert problem(server.http.request(method, path), 422)["field"] == field
    assert server.generation() == before


def test_a_change_that_a_switch_does_not_acknowledge_is_stored_and_504_names_it(
    server: RestServer,
) -> None:
    before = server.generation()
    given = {"wait": "applied", "timeout": "0.2"}
    answer = server.http.put("/v1/services/late", json=SERVICE, params=given)
    found = problem(answer, 504)
    assert f"br0 ({DPID})" in found["detail"]
    assert "stored" in found["detail"]
    assert server.http.get("/v1/services/late").status_code == 200
    assert server.generation() == before + 1
    assert server.http.delete("/v1/services/late").status_code == 204


def test_a_connected_switch_cannot_be_forgotten_nor_read_back_without_a_controller(
    server: RestServer,
) -> None:
    assert problem(server.http.delete(f"/v1/switches/{DPID}"), 409)["field"] == "dpid"
    diff = server.http.post(f"/v1/switches/{DPID}/diff", params={"timeout": 0.2})
    assert DPID in problem(diff, 504)["detail"]
