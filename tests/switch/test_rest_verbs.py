"""get, delete, wait, watch, completion and support-bundle against a real REST server; the
controller's part is played by rows."""

from __future__ import annotations

import json
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from nib.times import show_instant
from nib.topology import Switch
from prewire.commands.kinds import KINDS
from prewire.documents.document import read as read_document
from tests.commands import command, environment, run, run_here
from tests.switch.cable import Cable
from tests.switch.command_line import CommandLine
from tests.switch.rest_server import DPID

DOCUMENT = """
services:
- name: web
  vip: 10.0.0.100
  port: 80
  extra_ports: [{port: 443, target: 8443, protocol: tcp}]
  canary: {version: v2, percent: 50}
- {name: shop, vip: "fd00::1", port: 80, policy: least_inflight,
   health: {kind: http, path: /ready}}
classes:
- {name: gold, dscp: 34, queue: 4}
- {name: bulk, max_percent: 30}
policies:
- {name: to-web, destination: web, class: gold, max_bps: 10M, burst_ms: 500}
link_rates:
- {switch: br0, port: veth9, bps: 1G}
scalings:
- {service: web, max_containers: 5, cold_start_ms: 900}
provisionings:
- {policy: to-web, rates: max, ceiling_bps: 20M}
schedules:
- {name: office, service: web, cron: "55 7 * * 1-5", duration_seconds: 28800, containers: 4}
overrides:
- {kind: service, name: web, containers: 3, until: "UNTIL", reason: a trial}
dependencies:
- {parent: web, child: shop, verdict: pin, lag_ms: 4000}
- {parent: shop, child: web, verdict: ban}
"""
CONTAINER = ("container", "set", "web", "c1", "--address", "10.0.0.11", "--port", "80",
             "--iface-id", "web-1")  # fmt: skip


def document() -> str:
    """With a point in time to come."""
    return DOCUMENT.replace("UNTIL", show_instant(round(time.time() + 30 * 86_400) * 1000))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """With everything that `apply` takes, and a container."""
    path = tmp_path_factory.mktemp("intent") / "all.yml"
    path.write_text(document())
    with CommandLine.running() as prewire:
        prewire("apply", "-f", str(path))
        prewire(*CONTAINER)
        yield prewire


def api(prewire: CommandLine) -> dict[str, str]:
    return {"PREWIRE_API": prewire.server.settings.api_url}


# ------------------------------------------------------------------------------- get


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_kind_is_shown_in_every_form(kind: Any, running: CommandLine) -> None:
    items = running.read("get", kind.plural)["items"]
    printed = running("get", kind.name)
    if not items:
        assert printed == f"there are no {kind.plural}\n"
        return
    assert all(heading in printed.splitlines()[0] for heading in kind.columns)
    assert len(printed.splitlines()) == len(items) + 1
    key = kind.key_of(items[0])
    one = running.read("get", kind.name, key)
    assert kind.key_of(one) == key
    assert yaml.safe_load(running("get", kind.name, key, "-o", "yaml"))


def test_the_whole_intent_is_a_document_of_what_was_stated(
    running: CommandLine, tmp_path: Path
) -> None:
    text = running("get", "all", "-o", "yaml")
    stated = read_document("given", document().encode())
    found = read_document("printed", text.encode())
    assert {member: len(items) for member, items in found.items()} == {
        member: len(items) for member, items in stated.items()
    }
    assert found["policies"] == [
        {"name": "to-web", "destination": "web", "class": "gold", "max_bps": "10M", "burst_ms": 500}
    ]
    path = tmp_path / "printed.yml"
    path.write_text(text)
    done = run_here("plan", "-f", str(path), env=api(running))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout  # nothing would change


def test_the_first_part_of_a_name_gets_all_that_begin_with_it(running: CommandLine) -> None:
    assert [each["id"] for each in running.read("get", "ctr", "web")["items"]] == ["c1"]
    assert running.read("get", "switch", "br0")["dpid"] == DPID


def test_several_kinds_and_names_at_once(running: CommandLine) -> None:
    printed = running("get", "svc,sw")
    assert all(heading in printed for heading in ("services:", "switches:"))
    found = running.read("get", "svc", "web", "shop")
    assert [each["name"] for each in found["items"]] == ["web", "shop"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "svc", "wbe"), "there is no service wbe; did you mean web?"),
        (("get", "svc", "W/../x"), "'W/../x' is not a name"),
        (("delete", "policy", "to-wbe"), "did you mean to-web?"),
        (("get", "link", "nowhere/1"), "there is no link nowhere/1"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(
    words: tuple[str, ...], said: str, running: CommandLine
) -> None:
    assert said in running.refused(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "servces"), "did you mean services?"),
        (("get", "svc,sw", "web"), "names are of one kind"),
        (("delete", "plan", "services/web"), "plans cannot be deleted"),
        (("delete", "ctr", "web"), "'web' names several; give SERVICE/ID"),
        (("wait", "web"), "is no kind"),
        (("wait", "override/service/web"), "nothing tells when overrides are ready"),
    ],
)
def test_wrong_usage_tells_what_is_meant(words: tuple[str, ...], said: str) -> None:
    done = run_here(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


# ------------------------------------------------------------------------------- delete, wait


def test_objects_are_deleted_and_waited_for(running: CommandLine) -> None:
    running("policy", "set", "away", "--from", "shop", "--to", "web", "--max", "1M")
    assert running("delete", "pol", "away") == "deleted policy away\n"
    assert running("wait", "policy/away", "--for", "gone") == "policy/away gone\n"
    assert "there is no policy away" in running.refused("delete", "pol", "away")


def test_an_object_is_applied_when_its_switches_acknowledged_it(running: CommandLine) -> None:
    generation = running.read("get", "svc", "web")["generation"]
    late = run_here("wait", "svc/web", "--for", "applied", "--timeout", "300ms", env=api(running))
    assert late.returncode == 4
    assert "service web: not acknowledged by br0" in late.stderr
    running.write(Switch(DPID, 1, "br0", connected=True, applied=generation))
    running.shown("yes", "switch", "list")
    assert running("wait", "svc/web", "--for", "applied") == "service/web applied\n"


def test_ready_is_told_of_an_object_that_does_what_it_is_for(running: CommandLine) -> None:
    assert "container/web/c1 ready" in running(
        "wait", "container/web/c1", "service/web", "--timeout", "9s"
    )
    late = run_here("wait", "service/shop", "service/none", "--timeout", "0s", env=api(running))
    assert (late.returncode, late.stdout) == (4, "")
    assert "service shop: not ready" in late.stderr


# ------------------------------------------------------------------------------- watch


@contextmanager
def watching(api: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`prewire watch … -o json`, until it is interrupted."""
    # Whoever runs the tests in the background may have SIGINT ignored, and children inherit that.
    heeding = ("env", "--default-signal=INT")
    process = subprocess.Popen(
        [*heeding, *command("watch", *words, "-o", "json")],
        env=environment({"PREWIRE_API": api}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The next change: what happened, and to which object."""
    assert process.stdout is not None
    change = json.loads(process.stdout.readline())
    return change["event"], change["key"]


def test_changes_are_shown_as_they_happen(running: CommandLine) -> None:
    with watching(running.server.settings.api_url, "services") as process:
        assert {told(process) for _ in range(2)} == {("put", "web"), ("put", "shop")}
        running("service", "set", "new", "--vip", "10.0.0.109", "--port", "80")
        assert told(process) == ("put", "new")
        running("delete", "service", "new")
        assert told(process) == ("delete", "new")
        process.send_signal(signal.SIGINT)
        rest, complaint = process.communicate(timeout=60)
        assert (process.returncode, rest, complaint) == (0, "", "")


def test_a_watch_goes_on_after_its_connection_was_cut(running: CommandLine) -> None:
    with (
        Cable(running.server.settings.api_port) as cable,
        watching(f"http://127.0.0.1:{cable.port}", "classes", "gold") as process,
    ):
        assert told(process) == ("put", "gold")
        cable.cut()
        running("class", "set", "gold", "--dscp", "34", "--queue", "4", "--weight", "9")
        assert told(process) == ("put", "gold")
        process.send_signal(signal.SIGINT)
        rest, complaint = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "")
        assert "trying again" in complaint


def test_a_watch_with_a_timeout_ends_by_itself(running: CommandLine) -> None:
    printed = running("watch", "container", "web", "--timeout", "1s")
    assert [line.split()[:2] for line in printed.splitlines()] == [
        ["SERVICE", "ID"],
        ["web", "c1"],
    ]


# ------------------------------------------------------------------------------- completion


def test_names_are_completed_from_the_server(running: CommandLine) -> None:
    def offered(*words: str) -> list[str]:
        done = run("--complete", *words, env=api(running))
        assert (done.returncode, done.stderr) == (0, "")
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    assert offered("get", "svc", "w") == ["web"]
    assert offered("container", "show", "web", "") == ["c1"]
    assert offered("wait", "container/w") == ["container/web/c1"]
    assert offered("policy", "set", "x", "--class", "go") == ["gold"]


# ------------------------------------------------------------------------------- bundle

TOKEN = "pw_planted-0123456789"  # noqa: S105
PASSWORD = "planted-hunter2"  # noqa: S105
KEY = "planted-MHcCAQEEIB"


def test_a_bundle_has_everything_but_secrets(running: CommandLine, tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text(
        f"token {TOKEN}\nkept line\n-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n"
        f"GET https://me:{PASSWORD}@prometheus/ said no\nAuthorization: Bearer other-{KEY}\n"
    )
    running.server.settings.state_dir.joinpath("admin.token").write_text(TOKEN)
    running.write(Switch(DPID, 1, "br0"))  # away, so that nobody waits for it to be read back
    running("service", "set", "leaky", "--vip", "10.0.0.110", "--port", "80",
            "--health", "http", "--health-path", f"/?password={PASSWORD}")  # fmt: skip
    env = api(running) | running.server.settings.environment | {
        "PREWIRE_PROMETHEUS": f"http://me:{PASSWORD}@127.0.0.1:9/",
        "PREWIRE_EVENTS_SINK": f"http://127.0.0.1:9/?token={KEY}",
        "PREWIRE_TOKEN": TOKEN,
        "PREWIRE_SWITCH_DB": "",
    }  # fmt: skip
    target = tmp_path / "bundle.tar.gz"
    done = run_here("support-bundle", str(target), "--log", str(log), "-o", "json", env=env)
    assert (done.returncode, done.stderr) == (0, ""), done
    running("delete", "service", "leaky")
    assert target.stat().st_mode & 0o777 == 0o600
    texts = texts_of(target)
    for secret in (TOKEN, PASSWORD, KEY):
        assert [name for name, text in texts.items() if secret in text] == []
    wanted = {"versions.json", "settings.json", "intent.json", "rest/status.json",
              "rest/events.json", "metrics/api.txt", "README.txt", "doctor.json"}  # fmt: skip
    assert wanted <= set(texts)
    assert "kept line" in next(text for name, text in texts.items() if "some.log" in name)
    assert json.loads(texts["intent.json"])["services"]
    assert json.loads(texts["settings.json"])["settings"]["prometheus"].startswith("http://[")
    assert "metrics/controller-0.txt" in texts["README.txt"]  # nobody runs there


def texts_of(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        return {
            name.partition("/")[2]: file.read().decode()
            for name in archive.getnames()
            if (file := archive.extractfile(name)) is not None
        }


def test_a_bundle_overwrites_nothing(running: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "there.tar.gz"
    target.write_text("mine")
    assert "there.tar.gz: File exists" in running.refused("support-bundle", str(target))
    assert target.read_text() == "mine"
