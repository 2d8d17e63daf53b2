"""What is said of missing certificates, and of remotes that TLS being on or off forbids."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nib.errors import FieldError
from nib.tls import TlsFiles, begin, check_method
from prewire.settings import load
from tests.commands import one_line, run_here

OFF = None
ON = TlsFiles(Path("/etc/prewire/tls"))


@pytest.mark.parametrize("remote", ["", "unix:/a,b/nib.sock", "tcp:[::1]:6641", "tcp:a:1,tcp:b:1"])
def test_without_tls_any_remote_but_ssl_will_do(remote: str) -> None:
    check_method("nib", remote, OFF)


@pytest.mark.parametrize("remote", ["ssl:[::1]:1", "unix:/nib.sock,ssl:a:1", "pssl:1:[::]"])
def test_a_remote_with_ssl_needs_certificates(remote: str) -> None:
    with pytest.raises(FieldError, match=r"^nib: .* needs certificates; set tls "):
        check_method("nib", remote, OFF)


@pytest.mark.parametrize(
    "remote", ["", "unix:/tcp:1/nib.sock", "ssl:a:1,ssl:b:1", "unix:/a;ssl:b:1"]
)
def test_with_tls_unix_and_ssl_will_do(remote: str) -> None:
    check_method("switch_db", remote, ON)


@pytest.mark.parametrize("remote", ["tcp:a:1", "ssl:a:1,tcp:b:1", "unix:/a;tcp:b:1", "ptcp:1"])
def test_with_tls_nothing_goes_unencrypted(remote: str) -> None:
    with pytest.raises(
        FieldError, match=r"^switch_db: .* is not encrypted, and tls is on; use ssl:"
    ):
        check_method("switch_db", remote, ON)


def test_nothing_is_looked_at_where_tls_is_off() -> None:
    assert begin("", "unix:/nib.sock", "") is None


@pytest.mark.parametrize("command", ["up", "controller", "api", "node"])
def test_a_missing_directory_ends_every_process_with_one_line(command: str, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    said = one_line(run_here(command, "--tls", str(missing), "--state-dir", str(tmp_path)))
    assert said.startswith(
        f"prewire: tls: {missing}/cacert.pem: No such file or directory; make it "
    )
    assert "PREWIRE_TLS" in said
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_a_client_needs_the_ca_only(tmp_path: Path) -> None:
    said = one_line(run_here("status", env={"PREWIRE_TLS": str(tmp_path)}))
    assert said.startswith(f"prewire: tls: {tmp_path}/cacert.pem: No such file or directory; ")


def test_a_file_without_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "cacert.pem").write_text("no certificate")
    said = one_line(run_here("status", env={"PREWIRE_TLS": str(tmp_path)}))
    assert said.startswith(f"prewire: tls: {tmp_path}/cacert.pem has no certificate in PEM form; ")


def test_children_get_the_directory_wherever_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert load(tls="etc/tls").environment["PREWIRE_TLS"] == "/etc/tls"
    assert load().environment["PREWIRE_TLS"] == ""
    assert load(tls="etc/tls").api_url == "https://127.0.0.1:8686"


def test_certificates_are_not_made_over_others(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("mine")
    said = one_line(run_here("tls", "init", str(tmp_path)))
    assert said == f"prewire: {tmp_path} is not empty; choose another directory"


def test_a_machine_without_ovs_pki_is_told_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        subprocess.run(["ovs-pki"], check=False)
    said = one_line(run_here("tls", "init", str(tmp_path / "new")))
    assert said == "prewire: ovs-pki: not found; install Debian's package openvswitch-common"


def test_certificates_of_a_machine_need_cas_and_an_empty_place(tmp_path: Path) -> None:
    pki, place = tmp_path / "pki", tmp_path / "node1"
    said = one_line(run_here("tls", "issue", "node1", str(place), "--pki", str(pki)))
    assert said == f"prewire: {pki} has no CAs; make them with `prewire tls authority`"
    (pki / "controllerca").mkdir(parents=True)
    (pki / "controllerca" / "cacert.pem").touch()
    place.mkdir()
    (place / "cert.pem").write_text("mine")
    said = one_line(run_here("tls", "issue", "node1", str(place), "--pki", str(pki)))
    assert said == f"prewire: {place} has certificates already; choose another directory"
