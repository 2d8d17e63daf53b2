"""Words that shells complete: quickly, and through the script that a shell reads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from prewire.commands import completing
from tests.commands import environment

BASH = """
source <(prewire completion bash)
COMP_WORDS=(prewire "$@") COMP_CWORD=$#
_prewire 2> /dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
LIGHT = """
import sys
from prewire.cli import main
main()
print(sorted({"typer", "httpx", "pydantic", "rich", "asyncio"} & set(sys.modules)))
"""


def offered(*words: str) -> list[str]:
    return [word for word, _ in completing.offered(words)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("ge",), ["get"]),
        (("service", "s"), ["show", "slots", "set"]),
        (("get", "services", "-o", ""), ["table", "json", "yaml"]),
        (("get", "services", "--output", "y"), ["yaml"]),
        (("get", "sw"), ["switches"]),
        (("wait", "serv"), ["service/"]),
        (("wait", "service/web", "--for", ""), ["applied", "ready", "gone"]),
        (("db", "cluster", "le"), ["leave"]),
        (("apply", "--fi"), ["--file"]),
        (("no", "such", ""), []),
        (("get", "nothing", ""), []),
        (("service", "set", "web", "--vip", ""), []),
    ],
)
def test_words_are_completed(words: tuple[str, ...], wanted: list[str]) -> None:
    assert sorted(offered(*words)) == sorted(wanted)


def test_what_words_are_is_told_beside_them() -> None:
    assert dict(completing.offered(["stat"]))["status"] == "Show the state of the whole"


def test_without_a_server_no_name_is_offered_and_nothing_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREWIRE_API", "http://127.0.0.1:1")
    completing.run(["get", "services", ""])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "wanted"), [(("get", "serv"), "services\t\n[]\n"), (("get", "services", ""), "[]\n")]
)
def test_completion_waits_for_no_library(words: tuple[str, ...], wanted: str) -> None:
    argv = [sys.executable, "-c", LIGHT, "--complete", *words]
    env = environment({"PREWIRE_API": "http://127.0.0.1:1"})
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == wanted


class Answering(BaseHTTPRequestHandler):
    """Has one service, and keeps the tokens it was sent."""

    sent: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.sent.append(self.headers["Authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"items": [{"name": "web"}]}')

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_operators_token_completes_names_of_this_machines_server_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREWIRE_TOKEN", "PREWIRE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREWIRE_STATE_DIR", str(tmp_path))
    (tmp_path / "admin.token").write_text("pw_own\n")
    Answering.sent.clear()
    with HTTPServer(("", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            for host in (
                "127.0.0.1",
                "0.0.0.0",
            ):  # this machine too, by an address that is nobody's
                url = f"http://{host}:{server.server_port}"
                assert offered("get", "services", "--api", url, "") == ["web"]
        finally:
            server.shutdown()
            thread.join()
    assert Answering.sent == ["Bearer pw_own", None]


def test_bash_completes_words() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", "service", "sl"],
        env=environment({"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("slots\n", "")
