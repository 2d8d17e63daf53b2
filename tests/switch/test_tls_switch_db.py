"""A switch's own database by TLS, made so as docs/tls.md says: `set-ssl`, `set-manager`."""

from __future__ import annotations

import os
import queue
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nib import tls_stream
from prewire import processes
from ryu_apps.attachments import Attachment, Attachments
from ryu_apps.switch_db import SwitchDatabases
from tests.certified import Certified, certified
from tests.places import free_ports, short_directory
from tests.waiting import until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DPID = "0000000000000001"


@pytest.fixture(scope="module")
def made() -> Iterator[Certified]:
    with certified() as here:
        yield here


@contextmanager
def switch_database(directory: Path) -> Iterator[str]:
    """Started with the options of Open vSwitch's own start script, ovs-ctl(8)."""
    database, socket = directory / "conf.db", directory / "db.sock"
    subprocess.run(["ovsdb-tool", "create", str(database), SCHEMA], check=True)
    told = {"private-key": "private_key", "certificate": "certificate", "ca-cert": "ca_cert"}
    options = [f"--{key}=db:Open_vSwitch,SSL,{column}" for key, column in told.items()]
    options += [f"--remote=punix:{socket}", f"--unixctl={directory}/ctl"]
    options += ["--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "-vconsole:off"]
    argv = [*processes.tied(), "ovsdb-server", str(database), *options, "-vsyslog:off"]
    env = os.environ | {"OVS_RUNDIR": str(directory)}
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=env) as server:
        try:
            until(socket.exists, bool, "ovsdb-server listens")
            yield f"unix:{socket}"
        finally:
            server.terminate()


def vsctl(remote: str, *arguments: str) -> None:
    options = [f"--db={remote}", "--no-wait", "--timeout=60", *tls_stream.tool_options(remote)]
    subprocess.run(["ovs-vsctl", *options, *arguments], check=True)


def test_iface_ids_are_read(made: Certified) -> None:
    port = free_ports("manager")["manager"]
    remote = f"ssl:127.0.0.1:{port}"
    tls_stream.use(made.prewire, f"unix:/nowhere; {remote}")
    heard: queue.Queue[Attachments] = queue.Queue()
    with short_directory() as directory, switch_database(directory) as local:
        vsctl(local, "init")
        files = [str(made.switch / f"{name}.pem") for name in ("privkey", "cert", "cacert")]
        vsctl(local, "set-ssl", *files, "--", "set-manager", f"pssl:{port}:127.0.0.1")
        until(lambda: tls_stream.complaint(remote), lambda why: not why, "it can be talked to")
        with closing(SwitchDatabases(remote, heard.put)) as databases:
            databases.start()
            vsctl(remote, "add-br", "br0", "--", "set", "Bridge", "br0", f"datapath_id={DPID}")
            ids = "external_ids:iface-id=web-1"
            vsctl(remote, "add-port", "br0", "p1", "--", "set", "Interface", "p1", ids)
            said = heard.get(timeout=60)
            while not said:  # heard before anything was there
                said = heard.get(timeout=60)
            assert said == {(DPID, "p1"): Attachment("web-1")}
