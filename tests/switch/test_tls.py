"""TLS on by one setting: switches, database and command line take part, strangers do not."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from nib.errors import FieldError
from nib.tls import TlsFiles
from prewire import processes
from prewire.settings import load
from tests import commands
from tests.certified import Certified, certified
from tests.commands import one_line
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.ryu import Framework, controller_command, need
from tests.switch.secured import BRIDGE, Secured, flow_count, secured, with_certificate
from tests.waiting import until

REFUSED = "refused the switch at 127.0.0.1: "


@pytest.fixture(scope="module")
def made() -> Iterator[Certified]:
    with certified() as here:
        yield here


@pytest.fixture(scope="module", params=["os-ken", "ryu"])
def site(request: pytest.FixtureRequest, made: Certified) -> Iterator[Secured]:
    framework: Framework = request.param
    need(framework)
    with secured(framework, made) as here:
        yield here


@pytest.fixture
def ovs(private_ovs: PrivateOvs) -> PrivateOvs:
    private_ovs.add_bridge(BRIDGE, dpid=1, ports=["p1", "p2"])
    return private_ovs


def call(site: Secured, *arguments: str) -> str:
    """A command that succeeds."""
    done = commands.run_here(*arguments, env=site.environment)
    assert done.returncode == 0, done
    return done.stdout


def test_a_switch_is_programmed(site: Secured, made: Certified, ovs: PrivateOvs) -> None:
    """All the way: command line, REST, database, controller, switch."""
    with_certificate(ovs, made.switch)
    ovs.set_controller(BRIDGE, f"ssl:{site.listens}")
    until(lambda: flow_count(ovs), bool, f"the switch is programmed; see {site.log}")
    call(site, "service", "set", "web", "--vip", "10.0.0.100", "--port", "80", "--wait")
    assert "10.0.0.100" in ovs.ofctl("dump-flows", BRIDGE)
    call(site, "service", "delete", "web", "--wait")
    assert "10.0.0.100" not in ovs.ofctl("dump-flows", BRIDGE)


def test_a_large_change_arrives_whole(site: Secured, made: Certified, ovs: PrivateOvs) -> None:
    """Sent and answered at once, in both directions, in many records."""
    with_certificate(ovs, made.switch)
    ovs.set_controller(BRIDGE, f"ssl:{site.listens}")
    until(lambda: flow_count(ovs), bool, f"the switch is programmed; see {site.log}")
    with httpx.Client(
        base_url=site.settings.api_url, verify=made.prewire.trusting_context()
    ) as client:
        for number in range(1, 200):
            path = f"/v1/services/web-{number}"
            client.put(path, json={"vip": f"10.0.1.{number}", "port": 80}).raise_for_status()
        wait = {"wait": "applied"}
        client.put("/v1/services/web-200", json={"vip": "10.0.1.200", "port": 80}, params=wait)
        flows = ovs.ofctl("dump-flows", BRIDGE)
        assert all(f"10.0.1.{number}" in flows for number in range(1, 201))
        for number in range(1, 201):
            client.delete(f"/v1/services/web-{number}").raise_for_status()
    until(lambda: "10.0.1." in ovs.ofctl("dump-flows", BRIDGE), lambda left: not left, "all go")


def test_a_switch_without_tls_is_refused(site: Secured, ovs: PrivateOvs) -> None:
    ovs.set_controller(BRIDGE, f"tcp:{site.listens}")
    site.await_line(f"{REFUSED}it does not speak TLS")
    assert flow_count(ovs) == 0


def test_a_switch_of_another_ca_is_refused(
    site: Secured, made: Certified, ovs: PrivateOvs, tmp_path: Path
) -> None:
    """It trusts the controller, but is a stranger's."""
    strange = shutil.copytree(made.strange_switch, tmp_path / "strange")
    shutil.copyfile(made.prewire.ca, strange / "cacert.pem")
    with_certificate(ovs, strange)
    ovs.set_controller(BRIDGE, f"ssl:{site.listens}")
    site.await_line(f"{REFUSED}its certificate is refused: unable to get local issuer certificate")
    assert flow_count(ovs) == 0


def test_a_controllers_certificate_makes_no_switch(
    site: Secured, made: Certified, ovs: PrivateOvs
) -> None:
    """The other CA of ours vouches for it."""
    with_certificate(ovs, made.prewire.directory)
    ovs.set_controller(BRIDGE, f"ssl:{site.listens}")
    vswitchd = ovs.directory / "ovs-vswitchd.log"
    until(vswitchd.read_text, lambda lines: "alert unknown ca" in lines, "the switch is refused")
    assert flow_count(ovs) == 0


def test_a_switch_refuses_a_controller_of_another_ca(
    site: Secured, made: Certified, ovs: PrivateOvs, tmp_path: Path
) -> None:
    wary = shutil.copytree(made.switch, tmp_path / "wary")
    shutil.copyfile(made.stranger.ca, wary / "cacert.pem")
    with_certificate(ovs, wary)
    ovs.set_controller(BRIDGE, f"ssl:{site.listens}")
    site.await_line(f"{REFUSED}it does not know the CA of our certificate")
    assert flow_count(ovs) == 0


def test_who_is_silent_is_not_waited_for_long(site: Secured) -> None:
    with socket.create_connection(("127.0.0.1", site.settings.controller_port), 15) as silent:
        assert silent.recv(1) == b"", "closed, after the five seconds of a handshake"


def test_a_command_with_another_ca_is_told_so(site: Secured, made: Certified) -> None:
    env = site.environment | {"PREWIRE_TLS": str(made.stranger.directory)}
    said = one_line(commands.run_here("status", env=env))
    assert said.startswith(
        f"prewire: api: no TLS with {site.settings.api_url}: its certificate is "
    )
    assert said.endswith("let cacert.pem of the setting tls be the CA that signed its certificate")


def test_a_command_without_tls_is_told_so(site: Secured) -> None:
    env = site.environment | {"PREWIRE_TLS": "", "PREWIRE_NIB": ""}
    said = one_line(commands.run_here("status", env=env))
    assert said.startswith("prewire: api: no answer from http://")
    assert said.endswith("where it has TLS on, set tls (PREWIRE_TLS) here too")


def test_a_command_needs_no_key(site: Secured, made: Certified, tmp_path: Path) -> None:
    shutil.copyfile(made.prewire.ca, tmp_path / "cacert.pem")
    env = site.environment | {"PREWIRE_TLS": str(tmp_path)}
    done = commands.run_here("status", "-o", "json", env=env)
    assert json.loads(done.stdout)["leader"], done


def test_a_server_without_tls_is_told_from_a_stranger(made: Certified) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        with subprocess.Popen(
            commands.command("status", "--api", url),
            env=commands.environment({"PREWIRE_TLS": str(made.prewire.directory)}),
            stderr=subprocess.PIPE,
            text=True,
        ) as asking:
            connection, _ = plain.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                _, said = asking.communicate(timeout=60)
    assert said.startswith(f"prewire: api: no TLS with {url}: it does not speak TLS; ")


@pytest.mark.parametrize("framework", ["os-ken", "ryu"])
def test_a_controller_with_bad_files_says_which(
    framework: Framework, made: Certified, tmp_path: Path
) -> None:
    need(framework)
    spoilt = shutil.copytree(made.prewire.directory, tmp_path / "tls")
    shutil.copyfile(made.switch / "privkey.pem", spoilt / "privkey.pem")
    settings = load(state_dir=tmp_path, tls=str(spoilt), switch_db="", **free_ports())
    done = subprocess.run(
        controller_command(framework, settings),
        env=commands.environment(settings.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()[-1]
    assert f"tls: {spoilt}/privkey.pem is not the key of cert.pem; make it as" in said


def test_up_with_certificates_of_the_command(private_ovs: PrivateOvs) -> None:
    """As docs/tls.md begins: `prewire tls init`, and one setting."""
    with short_directory() as directory:
        tls = directory / "tls"
        assert commands.run_here("tls", "init", str(tls)).returncode == 0
        settings = load(state_dir=directory, switch_db="", tls=str(tls), **free_ports())
        env = commands.environment(settings.environment | {"PREWIRE_NIB": ""})
        with subprocess.Popen(
            commands.command("up"), env=env, stdout=subprocess.PIPE, text=True
        ) as up:
            try:
                assert up.stdout is not None
                assert f"REST: https://127.0.0.1:{settings.api_port}" in up.stdout.readline()
                target = f"ssl:127.0.0.1:{settings.controller_port}"
                assert up.stdout.readline() == f"Switches connect to {target}\n"
                private_ovs.add_bridge(BRIDGE, dpid=1)
                with_certificate(private_ovs, tls / "switch")
                private_ovs.set_controller(BRIDGE, target)
                until(lambda: flow_count(private_ovs), bool, "the switch is programmed")
            finally:
                up.terminate()


def test_the_database_is_served_and_copied(made: Certified) -> None:
    """`prewire db serve` takes the certificates of the setting, `prewire db backup` too."""
    with short_directory() as directory:
        port = free_ports("nib")["nib"]
        env = {"PREWIRE_TLS": str(made.prewire.directory), "PREWIRE_STATE_DIR": str(directory)}
        assert commands.run_here("db", "init", env=env).returncode == 0
        said = one_line(commands.run_here("db", "serve", "--listen", f"ptcp:{port}", env=env))
        assert f"listen: ptcp:{port} is not encrypted, and tls is on" in said
        serve = ["db", "serve", "--listen", f"pssl:{port}:127.0.0.1"]
        with subprocess.Popen(
            [*processes.tied(), *commands.command(*serve)], env=commands.environment(env)
        ) as server:
            try:
                until((directory / "nib.sock").exists, bool, "the database is served")
                client = env | {"PREWIRE_NIB": f"ssl:127.0.0.1:{port}"}
                copy = str(directory / "copy.db")
                done = commands.run("db", "backup", copy, env=client)
                assert (done.returncode, done.stdout) == (0, f"wrote {copy}\n"), done
            finally:
                server.terminate()


def test_a_cluster_without_tls_is_refused(made: Certified, tmp_path: Path) -> None:
    env = {"PREWIRE_TLS": str(made.prewire.directory), "PREWIRE_STATE_DIR": str(tmp_path)}
    create = ("db", "cluster", "create")
    said = one_line(commands.run_here(*create, "tcp:127.0.0.1:6644", env=env))
    assert "address: tcp:127.0.0.1:6644 is not encrypted, and tls is on" in said
    off = {"PREWIRE_STATE_DIR": str(tmp_path)}
    said = one_line(commands.run_here(*create, "ssl:127.0.0.1:6644", env=off))
    assert "address: ssl:127.0.0.1:6644 needs certificates; set tls" in said
    assert not list(tmp_path.iterdir())


def test_the_certificates_of_the_documentation_are_accepted(tmp_path: Path) -> None:
    """The page's own commands, as they stand there."""
    page = (Path(__file__).parents[2] / "docs" / "tls.md").read_text("utf-8")
    section = page.partition("## Certificates for several machines")[2]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[:2]
    script = "".join(blocks).replace("ovs-pki ", f"ovs-pki --log={tmp_path}/log ")
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True, capture_output=True)
    files = TlsFiles(tmp_path / "control1")
    files.check()
    assert files.switch_ca != files.ca
    switch = shutil.copytree(tmp_path / "control1", tmp_path / "leaf1")
    for part in ("cert", "privkey"):
        shutil.copyfile(tmp_path / f"leaf1-{part}.pem", switch / f"{part}.pem")
    with pytest.raises(FieldError, match=r"does not hold against cacert\.pem"):
        TlsFiles(switch).check()


def test_a_client_that_compares_names_is_content(tmp_path: Path) -> None:
    """As curl and browsers do: the certificate of `prewire tls init` names localhost."""
    with short_directory() as directory:
        assert commands.run_here("tls", "init", str(directory / "tls")).returncode == 0
        files = TlsFiles(directory / "tls")
        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
            context = ssl.create_default_context(cafile=files.ca)
            shaken = pool.submit(shaken_hands, context, listener.getsockname())
            accepted, _ = listener.accept()
            with files.server_context().wrap_socket(accepted, server_side=True):
                assert shaken.result(60) >= "TLSv1.2"


def shaken_hands(context: ssl.SSLContext, address: tuple[str, int]) -> str:
    """The version agreed on; an exception where the name does not match."""
    with (
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return str(secure.version())
