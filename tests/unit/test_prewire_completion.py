"""Words that shells complete: quickly, and through the script that a shell reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_completion_waits_for_no_library() -> None:
    argv = [sys.executable, "-c", LIGHT, "--complete", "get", "serv"]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "services\t\n[]\n"


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
