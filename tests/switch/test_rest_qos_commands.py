"""Commands on classes, policies and rates of links, and files of them, against a real server."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nib.qos import PolicyShare
from nib.topology import Port
from tests.commands import run_here
from tests.switch.command_line import CommandLine
from tests.switch.rest_server import DPID, problem
from tests.waiting import until

FILE = """
services:
- {name: db, vip: 10.0.0.100, port: 5432}
- {name: shop, vip: 10.0.0.101, port: 80}
classes:
- {name: gold, dscp: 34, queue: 4, min_percent: 10}
policies:
- name: shop-to-db
  source: shop
  destination: db
  traffic: sql
  guaranteed_bps: 10M
  max_bps: 50M
link_rates:
- {switch: br0, port: veth1, bps: 1G}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[CommandLine]:
    with CommandLine.running() as prewire:
        yield prewire


@pytest.fixture
def prewire(running: CommandLine) -> CommandLine:
    """With no intent at all."""
    nothing = dict.fromkeys(("services", "classes", "policies", "link_rates"), ())
    answer = running.server.http.post("/v1/apply", json=nothing, params={"prune": True})
    assert answer.is_success, answer.text
    return running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wanted.yaml"
    path.write_text(FILE, "utf-8")
    return path


def ran(prewire: CommandLine, *words: str) -> tuple[int, str]:
    """Exit code and what is printed, by a command that complains of nothing."""
    done = run_here(*words, env={"PREWIRE_API": prewire.server.settings.api_url})
    assert done.stderr == "", done
    return done.returncode, done.stdout


# ------------------------------------------------------------------------------- one by one


def test_a_policy_with_all_options(prewire: CommandLine) -> None:
    made = prewire.read(
        "policy", "set", "p", "--from", "shop", "--to", "db", "--class", "bulk", "--guarantee",
        "10M", "--max", "50000000", "--max-pps", "9", "--max-connections", "7", "--burst-ms", "70",
    )  # fmt: skip
    assert made == prewire.read("policy", "show", "p")
    assert made == prewire.read("policy", "list")["items"][0]
    wanted = {
        "source": "shop", "destination": "db", "class": "bulk", "guaranteed_bps": 10_000_000,
        "max_bps": 50_000_000, "max_pps": 9, "max_connections": 7, "burst_ms": 70,
    }  # fmt: skip
    assert {name: made[name] for name in wanted} == wanted
    prewire.write(PolicyShare("p", DPID, 40_000_000, 9))
    prewire.shown("let through        40M, 9 packets/s at br0", "policy", "show", "p")
    lines = prewire("policy", "list").splitlines()
    assert lines[0].split() == [
        "NAME", "FROM", "TO", "CLASS", "GUARANTEE", "MAX", "STATE", "METERED", "REASON",
    ]  # fmt: skip
    for words in ("10M", "50M", "waiting", "there is no service db"):
        assert words in lines[1]
    assert "policies that wait for their services: 1" in prewire("status")
    assert prewire("policy", "delete", "p") == ""
    assert "there is no policy p" in prewire.refused("policy", "show", "p")


def test_a_policy_from_anyone_by_what_it_carries(prewire: CommandLine) -> None:
    made = prewire.read("policy", "set", "p", "--to", "db", "--traffic", "batch")
    assert (made["class"], made["burst_ms"], made["source"]) == ("bulk", 2000, None)
    assert "anyone" in prewire("policy", "list")
    assert "sql" in prewire.refused("policy", "set", "p", "--to", "db", "--traffic", "x")
    assert "destination" in prewire.refused("policy", "set", "p")
    for wrong in ("10m", "10MB", "fast", "10Mi", "7"):
        done = run_here("policy", "set", "p", "--to", "db", "--max", wrong)
        assert (done.returncode, wrong in done.stderr) == (2, True), done


def test_classes(prewire: CommandLine) -> None:
    made = prewire.read("class", "set", "gold", "--dscp", "34", "--queue", "4", "--priority", "1",
                        "--min-percent", "10", "--max-percent", "60", "--weight", "5")  # fmt: skip
    assert (made["dscp"], made["queue"], made["priority"], made["weight"]) == (34, 4, 1, 5)
    assert (made["min_percent"], made["max_percent"], made["origin"]) == (10, 60, "stated")
    lines = prewire("class", "list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "default", "bulk", "interactive", "realtime", "gold",
    ]  # fmt: skip
    assert "realtime" in prewire.refused("class", "set", "x", "--dscp", "46", "--queue", "9")
    assert prewire("class", "delete", "gold") == ""
    assert "built-in" in prewire.refused("class", "delete", "bulk")


def test_rates_of_links(prewire: CommandLine) -> None:
    made = prewire.read("link-rate", "set", "br0", "veth1", "1.5Gbps")
    assert (made["switch"], made["bps"]) == (DPID, 1_500_000_000)
    assert "1.5G" in prewire("link-rate", "list")
    listed = prewire("bandwidth", "--switch", "br0").splitlines()
    for words in ("veth1", "1.5G", "stated", "interactive 0+975M"):
        assert words in listed[1]
    (link,) = prewire.read("bandwidth")["items"]
    assert (link["rate_bps"], link["guaranteed_bps"]) == (1_500_000_000, 0)
    assert prewire("link-rate", "delete", "br0", "veth1") == ""
    assert "there is no link rate" in prewire.refused("link-rate", "delete", "br0", "veth1")
    assert "no switch 'br9'" in prewire.refused("link-rate", "set", "br9", "veth1", "1G")
    assert run_here("link-rate", "set", "br0", "veth1", "1GB").returncode == 2


# ------------------------------------------------------------------------------- files


def test_a_file_is_planned_applied_and_planned_again(prewire: CommandLine, file: Path) -> None:
    before = prewire.server.generation()
    code, planned = ran(prewire, "plan", "-f", str(file))
    assert (code, prewire.server.generation()) == (3, before)
    for line in ("+ service db", "+ class gold", "+ policy shop-to-db", "    max_bps 50M",
                 f"+ link rate {DPID}/veth1", "    bps 1G", "plan: 5 created"):  # fmt: skip
        assert line in planned.splitlines()
    code, done = ran(prewire, "apply", "-f", str(file))
    assert (code, done) == (0, planned.replace("plan:", "done:"))
    assert prewire.server.generation() == before + 1, "one transaction"
    assert ran(prewire, "plan", "-f", str(file)) == (0, "plan: 5 unchanged\n")
    assert ran(prewire, "apply", "-f", str(file)) == (0, "done: 5 unchanged\n")
    assert prewire.server.generation() == before + 1
    file.write_text(FILE.replace("50M", "60M").replace(", min_percent: 10", ""), "utf-8")
    code, planned = ran(prewire, "plan", "-f", str(file))
    assert (code, planned.splitlines()) == (3, [
        "~ class gold", "    min_percent 10 -> 5", "~ policy shop-to-db",
        "    max_bps 50M -> 60M", "plan: 2 changed, 3 unchanged",
    ])  # fmt: skip


def test_what_a_file_does_not_list_is_deleted_if_asked_for(
    prewire: CommandLine, file: Path
) -> None:
    prewire("apply", "-f", str(file))
    file.write_text("policies: []\nservices:\n- {name: db, vip: 10.0.0.100, port: 5432}\n", "utf-8")
    assert ran(prewire, "plan", "-f", str(file)) == (0, "plan: 1 unchanged\n")
    assert prewire("apply", "-f", str(file), "--prune") == (
        "- service shop\n- policy shop-to-db\ndone: 2 deleted, 1 unchanged\n"
    )
    assert [each["name"] for each in prewire.read("service", "list")["items"]] == ["db"]
    assert [each["port"] for each in prewire.read("link-rate", "list")["items"]] == ["veth1"]


def test_standard_input_and_json(prewire: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FILE.encode())))
    code, printed = ran(prewire, "apply", "-f", "-", "-o", "json")
    assert (code, json.loads(printed)["counts"]) == (0, {"created": 5})


def test_all_that_is_wrong_is_told_at_once_and_nothing_done(
    prewire: CommandLine, file: Path
) -> None:
    file.write_text(
        FILE.replace("50M", "10MB").replace("dscp: 34", "dscp: 64").replace("port: 80", "port: 0"),
        "utf-8",
    )
    before = prewire.server.generation()
    done = run_here("apply", "-f", str(file), env={"PREWIRE_API": prewire.server.settings.api_url})
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (1, 3), done
    for line, field in zip(
        lines, ("services[1].port", "classes[0].dscp", "policies[0].max_bps"), strict=True
    ):
        assert f"{field}: " in line
    assert prewire.server.generation() == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_bps", "maxbps", "write max_bps"),
        ("vip: 10.0.0.101", "vip: 10.0.0.100, vip: 10.0.0.101", "is given twice"),
        ("port: 80", "port: 080", "services[1].port"),
        ("port: 80", "port: 8_0", "services[1].port"),
        ("name: gold", "name: 7", "classes[0].name"),
        ("- {name: shop", "- {name: db", "services[0]"),
        ("vip: 10.0.0.101, port: 80", "vip: 10.0.0.100, port: 5432", "service shop has tcp"),
        ("traffic: sql", "class: none", "policies[0].class"),
        ("switch: br0", "switch: br9", "link_rates[0].switch"),
        ("policies:", "policies: {}\nignored:", "no list"),
    ],
)
def test_a_bad_file(prewire: CommandLine, file: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    file.write_text(FILE.replace(old, new), "utf-8")
    before = prewire.server.generation()
    for command in ("apply", "plan"):
        done = run_here(
            command, "-f", str(file), env={"PREWIRE_API": prewire.server.settings.api_url}
        )
        assert done.returncode == 1, done
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert prewire.server.generation() == before


def test_a_file_that_is_not_there(prewire: CommandLine, tmp_path: Path) -> None:
    assert "No such file" in prewire.refused("apply", "-f", str(tmp_path / "none.yaml"))
    assert "Is a directory" in prewire.refused("plan", "-f", str(tmp_path))


def test_what_links_cannot_carry_is_told_by_the_policy(prewire: CommandLine, file: Path) -> None:
    prewire("apply", "-f", str(file))
    prewire.write(
        Port(DPID, "veth9", 9, "02:00:00:00:01:09", "pod-9", "02:00:00:00:09:09", up=True)
    )
    at_nine = ("--port", "5432", "--switch", "br0", "--switch-port")
    until(
        lambda: run_here(
            "container", "set", "db", "c1", "--address", "10.0.0.11", *at_nine, "veth9",
            "--mac", "02:00:00:00:09:09",
            env={"PREWIRE_API": prewire.server.settings.api_url},
        ).returncode,
        lambda code: code == 0,
        "the container is registered",
    )  # fmt: skip
    prewire("container", "set", "shop", "c1", "--address", "10.0.0.12", *at_nine, "veth2",
            "--mac", "02:00:00:00:00:12")  # fmt: skip
    file.write_text(FILE.replace("10M", "11M"), "utf-8")
    told = prewire.refused("apply", "-f", str(file))
    assert "policies[0].guaranteed_bps" in told
    assert "prewire link-rate set br0 veth9" in told
    prewire("link-rate", "set", "br0", "veth9", "100M")
    file.write_text(FILE.replace("10M", "56M").replace("50M", "60M"), "utf-8")
    assert "guarantee at most 55M" in prewire.refused("apply", "-f", str(file))
    file.write_text(FILE.replace("10M", "55M").replace("50M", "60M"), "utf-8")
    prewire("apply", "-f", str(file))


def test_apply_by_rest(prewire: CommandLine) -> None:
    http = prewire.server.http
    tried = http.post("/v1/apply", json={"policies": None}, params={"dry_run": True})
    assert tried.json() == {"dry_run": True, "counts": {}, "objects": []}
    told = problem(http.post("/v1/apply", json={"policies": [{"name": "p"}, {"nam": "q"}]}), 422)
    assert {each["field"] for each in told["errors"]} == {"policies[1].name", "policies[1].nam"}
    policy = {"name": "p", "destination": "db"}
    awaited: dict[str, str | float] = {"wait": "applied", "timeout": 0.2}
    told = problem(http.post("/v1/apply", json={"policies": [policy]}, params=awaited), 504)
    assert "stored as generation" in told["detail"]
    same_ends = {"policies": [{"name": "q", "destination": "db"}]}
    told = problem(http.post("/v1/apply", json=same_ends), 409)
    assert told["type"] == "urn:prewire:problem:document-conflicts"
    assert [each["field"] for each in told["errors"]] == ["policies[0].destination"]
