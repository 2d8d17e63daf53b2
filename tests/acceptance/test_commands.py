"""The command line as a user: services, containers, status, diff, explanations; JSON parses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.site import ON_OS_KEN, VIP, Site
from tests.commands import one_line

pytestmark = [pytest.mark.root, ON_OS_KEN]

PACKET = f"in_port=1,tcp,nw_src=10.0.0.1,nw_dst={VIP},tp_src=4000,tp_dst=80"


def run(site: Site, *arguments: str) -> str:
    """Standard output of a command that succeeds in silence on standard error."""
    done = site.prewire.cli_here(*arguments)
    assert (done.returncode, done.stderr) == (0, ""), f"{arguments}: {done}"
    return done.stdout


def parsed(site: Site, *arguments: str) -> Any:
    return json.loads(run(site, *arguments, "-o", "json"))


def refused(site: Site, *arguments: str) -> str:
    """The one line of a command that fails."""
    return one_line(site.prewire.cli_here(*arguments))


@pytest.fixture
def web(site: Site) -> Site:
    """The service `web` with two containers, made by commands."""
    run(site, "service", "set", "web", "--vip", VIP, "--port", "80", "--wait")
    for name, address in (("c1", "10.0.0.11"), ("c2", "10.0.0.12")):
        place = ["--address", address, "--port", "8080", "--iface-id", name]
        run(site, "container", "set", "web", name, *place, "--wait")
    return site


def test_what_wait_returned_for_works_at_once(web: Site) -> None:
    assert set(web.get(20)) == {"c1", "c2"}


def test_as_a_process_of_its_own(web: Site) -> None:
    done = web.prewire.cli("service", "list", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["name"] for each in json.loads(done.stdout)["items"]] == ["web"]
    assert one_line(web.prewire.cli("service", "show", "none")).startswith("prewire: path: ")


def test_services(web: Site) -> None:
    assert parsed(web, "service", "show", "web")["vip"] == VIP
    (listed,) = parsed(web, "service", "list")["items"]
    assert (listed["name"], listed["ready"]) == ("web", 2)
    table = run(web, "service", "list")
    assert table.splitlines()[0].split() == ["NAME", "VIP", "PORT", "PROTOCOL", "READY", "DRAINING"]
    assert table.splitlines()[1].split() == ["web", VIP, "80", "tcp", "2", "0"]
    run(web, "service", "delete", "web", "--wait")
    assert parsed(web, "service", "list") == {"items": [], "next": None}
    assert "web" in refused(web, "service", "show", "web")
    assert "web" in refused(web, "service", "delete", "web")


def test_containers(web: Site) -> None:
    shown = parsed(web, "container", "show", "web", "c1")
    assert (shown["slots"], shown["slots_in_all"], shown["placed"]) == (32, 64, True)
    listed = parsed(web, "container", "list", "web")["items"]
    assert [each["id"] for each in listed] == ["c1", "c2"]
    assert run(web, "container", "list", "web").splitlines()[1].split()[:8] == [
        "c1", "10.0.0.11", "8080", "02:70:77:00:00:0b", "ready", "yes", "32", "64"
    ]  # fmt: skip
    run(web, "container", "delete", "web", "c1", "--wait")
    assert parsed(web, "container", "show", "web", "c1")["state"] == "draining"
    run(web, "container", "delete", "web", "c1", "--drain", "0", "--wait")
    assert "c1" in refused(web, "container", "show", "web", "c1")
    host = web.container("c3")
    dpid, port = web.net.spec.port_of("c3")
    place = ["--switch", "pw-s1", "--switch-port", port, "--mac", host.mac]
    placed = ["--address", host.address, "--port", "8080", *place]
    made = parsed(web, "container", "set", "web", "c3", *placed, "--wait")
    assert (made["switch"], made["switch_port"]) == (dpid, port)


def test_status(web: Site) -> None:
    shown = parsed(web, "status")
    assert (shown["services"], shown["containers_ready"], shown["behind"]) == (1, 2, [])
    assert shown["switches"][0]["name"] == "pw-s1"
    text = run(web, "status")
    assert "1 services, containers: 2 ready, 0 draining, 0 not placed" in text
    assert "0000000000000001" in text


def test_diff_that_finds_nothing(web: Site) -> None:
    assert run(web, "diff").splitlines() == ["switch 0000000000000001: 0 missing, 0 alien"]
    (item,) = parsed(web, "diff", "--switch", "pw-s1")["items"]
    assert item == {"switch": "0000000000000001", "missing": 0, "alien": 0, "lines": []}
    assert "br9" in refused(web, "diff", "--switch", "br9")


def test_a_packet_is_explained_up_to_the_container_that_may_get_it(web: Site) -> None:
    found = parsed(web, "explain", PACKET)
    tables = [step["table"] for step in found["steps"]]
    assert tables == [
        *("classify", "source", "conntrack", "service", "remember", "endpoint"),
        *("destination", "police", "mark", "forward", "output"),
    ]
    assert found["steps"][2]["origin"] == "service web"
    assert "c1 32/64" in found["choices"][0]
    assert "c2 32/64" in found["choices"][0]
    assert len(found["outputs"]) == 1
    assert "service web" in run(web, "explain", PACKET)


def test_every_flow_of_the_switch_is_explained_by_the_intent_that_made_it(web: Site) -> None:
    lines = [line for line in web.ofctl("dump-flows").splitlines() if "actions=" in line]
    owners = []
    for line in lines:
        answer = web.prewire.http.get("/v1/explain/flow", params={"flow": line})
        assert answer.is_success, f"{line}: {answer.text}"
        assert answer.json()["wanted"], f"nobody wants {line}"
        owners.append(answer.json()["owner"].partition(",")[0])
    assert {owner for owner in owners if not owner.startswith(("station ", "port "))} == {
        "base", f"vip {VIP}", "host 10.0.0.11", "host 10.0.0.12", "service web",
        "container web/c1", "container web/c2",
    }  # fmt: skip
    assert f"station {web.container('c1').mac} (web/c1)" in owners
    chosen = next(line for line in lines if "group:" in line)
    text = run(web, "explain", chosen)
    assert text.splitlines()[0].startswith("owner   service web, written in epoch ")
    assert text.splitlines()[1] == "origin  service web"


def test_a_flow_of_nobody_is_explained_as_such(web: Site) -> None:
    text = run(web, "explain", "table=20,priority=7,ip,nw_src=192.0.2.1,actions=drop")
    assert "not prewire's" in text
    assert "wanted  no" in text


@pytest.mark.parametrize(
    ("what", "field"),
    [("in_port=1,tcp,nw_src=10.0.0.256", "packet"), ("nonsense", "packet"),
     ("table=20,priority=7,nonsense=1,actions=drop", "flow"), ("actions=fly", "flow")],
)  # fmt: skip
def test_what_cannot_be_explained_is_refused(web: Site, what: str, field: str) -> None:
    assert refused(web, "explain", what).startswith(f"prewire: {field}: ")
    assert "switch" in refused(web, "explain", PACKET, "--switch", "br9")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["service", "set", "web", "--vip", "10.0.0", "--port", "80"], "vip: "),
        (["service", "set", "web", "--vip", VIP, "--port", "0"], "port: "),
        (["service", "set", "two", "--vip", VIP, "--port", "80"], "choose another VIP"),
        (["service", "set", "a/b", "--vip", "10.0.0.101", "--port", "80"], "name: "),
        (["service", "set", "", "--vip", "10.0.0.101", "--port", "80"], "name: "),
        (["service", "show", "../status"], "name: "),
        (["container", "list", "none"], "there is no service none"),
        (["container", "set", "web", "c9", "--address", "10.0.0.19", "--port", "80"], "switch"),
        (["container", "delete", "web", "c9"], "c9"),
    ],
)
def test_a_bad_command_is_one_line_and_changes_nothing(
    web: Site, arguments: list[str], words: str
) -> None:
    before = web.prewire.status()["generation"]
    assert words in refused(web, *arguments)
    assert web.prewire.status()["generation"] == before
