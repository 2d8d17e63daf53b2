"""A controller, a REST server and a database, each with TLS on; switches are the test's care."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from prewire import processes
from prewire.commands.client import authority
from prewire.settings import Settings, load
from tests import commands
from tests.certified import Certified, secure_database
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.ryu import Framework, controller_command
from tests.switch.rest_server import answers
from tests.waiting import until

BRIDGE: Final = "br0"


@dataclass(frozen=True, slots=True)
class Secured:
    """`log` is the controller's."""

    settings: Settings
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """For commands."""
        return self.settings.environment

    @property
    def listens(self) -> str:
        """Where switches connect, without the method."""
        return f"127.0.0.1:{self.settings.controller_port}"

    def await_line(self, text: str) -> None:
        """Return when the controller has logged this."""
        until(self.log.read_text, lambda lines: text in lines, f"the controller logs {text!r}")


@contextmanager
def secured(framework: Framework, made: Certified) -> Iterator[Secured]:
    """All of it runs, by `ssl:` to the database; the log is free of tracebacks at the end."""
    with (
        short_directory() as directory,
        secure_database(made.prewire) as remote,
        ExitStack() as ending,
    ):
        settings = load(
            state_dir=directory,
            nib=remote,
            switch_db="",
            tls=str(made.prewire.directory),
            **free_ports(),
        )
        log = directory / "controller.log"
        for name, argv in (
            ("controller", controller_command(framework, settings)),
            ("api", commands.command("api")),
        ):
            with (directory / f"{name}.log").open("wb") as output:
                child = subprocess.Popen(
                    [*processes.tied(), *argv],
                    env=commands.environment(settings.environment),
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            ending.callback(child.wait)
            ending.callback(child.kill)
        trusted = authority(made.prewire)
        with httpx.Client(base_url=settings.api_url, verify=trusted) as client:
            until(lambda: answers(client), bool, "the REST server answers")
            until(
                lambda: client.get("/v1/status").json()["leader"],
                bool,
                f"a controller leads; see {log}",
            )
        yield Secured(settings, log)
        for each in (log, directory / "api.log"):
            assert "Traceback" not in each.read_text(), each.read_text()


def with_certificate(ovs: PrivateOvs, directory: Path) -> None:
    """The switch shows the certificate of this directory, and trusts its cacert.pem."""
    names = ("privkey", "cert", "cacert")
    ovs.vsctl("set-ssl", *(str(directory / f"{name}.pem") for name in names))


def flow_count(ovs: PrivateOvs) -> int:
    """How many flows the bridge has."""
    return ovs.ofctl("dump-flows", BRIDGE).count("actions=")
