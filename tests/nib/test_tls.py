"""The database over TLS: certificates that fit, that do not, and what is said of each."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nib import tls, tls_stream
from nib.database import Nib
from nib.dbfile import backup, init, schema_version
from nib.errors import FieldError, NibUnavailable
from nib.intent import Service
from nib.tls import TlsFiles
from tests.certified import Certified, certified, listening, secure_database
from tests.places import free_ports, short_directory
from tests.waiting import until


@pytest.fixture(scope="module")
def made() -> Iterator[Certified]:
    """Certificates of ours and of a stranger."""
    with certified() as here:
        yield here


@pytest.fixture
def files(made: Certified, tmp_path: Path) -> TlsFiles:
    """Good ones, to be spoilt."""
    shutil.copytree(made.prewire.directory, tmp_path / "tls")
    return TlsFiles(tmp_path / "tls")


def said_of(files: TlsFiles) -> str:
    with pytest.raises(FieldError) as caught:
        files.check()
    assert caught.value.field == "tls"
    return str(caught.value)


def test_good_files_are_accepted(files: TlsFiles) -> None:
    files.check()
    (files.directory / "switchca.pem").unlink()
    files.check()
    assert files.switch_ca == files.ca


@pytest.mark.parametrize("name", ["cacert", "switchca", "cert", "privkey"])
def test_a_file_that_holds_something_else_is_named(files: TlsFiles, name: str) -> None:
    (files.directory / f"{name}.pem").write_text("something else")
    assert f"{name}.pem has no " in said_of(files)


@pytest.mark.parametrize("name", ["cacert", "cert", "privkey"])
def test_a_file_that_cannot_be_read_is_named(files: TlsFiles, name: str) -> None:
    path = files.directory / f"{name}.pem"
    path.unlink()
    path.mkdir()
    assert f"{path}: Is a directory; make it as docs/tls.md shows" in said_of(files)


def test_the_key_of_another_certificate_is_found_out(made: Certified, files: TlsFiles) -> None:
    shutil.copyfile(made.switch / "privkey.pem", files.key)
    assert f"{files.key} is not the key of cert.pem" in said_of(files)


def test_a_key_with_a_passphrase_is_not_asked_for_it(files: TlsFiles) -> None:
    bare = files.key.rename(files.directory / "bare.pem")
    openssl("pkey", "-in", bare, "-aes256", "-passout", "pass:word", "-out", files.key)
    assert f"{files.key} has a passphrase; take it off with " in said_of(files)


def test_a_certificate_of_another_ca_is_found_out(made: Certified, files: TlsFiles) -> None:
    shutil.copyfile(made.stranger.ca, files.ca)
    assert f"{files.cert} does not hold against cacert.pem: " in said_of(files)


def test_an_expired_certificate_is_found_out(made: Certified, files: TlsFiles) -> None:
    request = files.directory / "request.pem"
    subject = "/C=US/ST=CA/O=Open vSwitch/CN=old"
    openssl("req", "-new", "-key", files.key, "-subj", subject, "-out", request)
    dates = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
    sign = ("ca", "-config", "ca.cnf", "-batch", "-in", request, "-out", files.cert, *dates)
    openssl(*sign, where=made.directory / "ours" / "pki" / "controllerca")
    assert "cert.pem does not hold against cacert.pem: certificate has expired" in said_of(files)


def openssl(*arguments: str | Path, where: Path | None = None) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=where)


def test_rows_are_read_and_written(made: Certified) -> None:
    tls_stream.use(made.prewire)
    with secure_database(made.prewire) as remote, Nib(remote, "test") as nib:
        services = [Service(f"web-{number}", "10.0.0.100", number) for number in range(1, 2000)]
        nib.write(lambda draft: [draft.put(service) for service in services]).result(60)
        with Nib(remote, "second") as second, second.view() as view:
            assert view.count(Service) == 1999


def test_a_backup_is_made_with_the_same_certificates(made: Certified, tmp_path: Path) -> None:
    tls_stream.use(made.prewire)
    with secure_database(made.prewire) as remote:
        backup(remote, tmp_path / "copy.db")
    assert schema_version(tmp_path / "copy.db")


def test_a_connection_survives_files_that_are_being_replaced(
    made: Certified, files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """They are gone while the server is: it is tried again, and works when both are back."""
    tls_stream.use(files)
    with short_directory() as directory:
        init(directory / "nib.db")
        port = free_ports("nib")["nib"]
        options = tls.server_options(made.prewire)
        with ExitStack() as ending:
            with listening(directory / "nib.db", port, options) as remote:
                nib = ending.enter_context(Nib(remote, "test", write_timeout_s=20))
                away = files.cert.rename(files.directory / "away.pem")
            until(lambda: caplog.text, lambda text: "No such file" in text, "it is tried")
            with listening(directory / "nib.db", port, options):
                away.rename(files.cert)
                nib.write(lambda draft: draft.put(Service("web", "10.0.0.100", 80))).result(60)
    assert caplog.text.count("No such file") == 1


def complaint_of(remote: str) -> str:
    nib = Nib(remote, "test")
    with pytest.raises(NibUnavailable) as caught:
        nib.start(timeout_s=1)
    return caught.value.why


def test_a_server_of_another_ca_is_refused(made: Certified) -> None:
    tls_stream.use(made.prewire)
    with secure_database(made.stranger) as remote:
        assert "its certificate is refused: " in complaint_of(remote)


def test_a_server_that_refuses_our_certificate_says_so(made: Certified, files: TlsFiles) -> None:
    """The client trusts the server, but not the other way round."""
    for mine, theirs in (("cert.pem", made.stranger.cert), ("privkey.pem", made.stranger.key)):
        shutil.copyfile(theirs, files.directory / mine)
    tls_stream.use(files)
    with secure_database(made.prewire) as remote:
        assert "it does not know the CA of our certificate" in complaint_of(remote)


def test_a_server_without_tls_is_told_from_one_that_is_away(made: Certified) -> None:
    tls_stream.use(made.prewire)
    port = free_ports("nib")["nib"]
    assert "Connection refused" in complaint_of(f"ssl:127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timed out" in complaint_of(f"ssl:127.0.0.1:{silent.getsockname()[1]}")


def test_the_switches_own_database_is_vouched_for_by_the_switches_ca(made: Certified) -> None:
    """One process talks to the NIB and to a switch's database, with a CA for each."""
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    switch = TlsFiles(made.switch)
    port = free_ports("switch")["switch"]
    with short_directory() as directory, secure_database(made.prewire) as nib:
        database = directory / "conf.db"
        subprocess.run(["ovsdb-tool", "create", str(database), schema], check=True)
        with listening(database, port, tls.server_options(switch)) as remote:
            tls_stream.use(made.prewire, remote)
            assert tls_stream.complaint(remote) == ""
            assert tls_stream.complaint(nib) == ""
            options = tls_stream.tool_options(remote)
            subprocess.run(["ovsdb-client", *options, "list-dbs", remote], check=True, timeout=60)
            tls_stream.use(made.prewire)
            assert "its certificate is refused: " in tls_stream.complaint(remote)
