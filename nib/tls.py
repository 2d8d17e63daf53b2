"""Certificates: the files of one directory, whether they fit, and what is made of them.

Owns: the names of the files, the rules of which CA vouches for whom, TLS contexts, and the options
of Open vSwitch's programs.
Must not know: how the OVSDB library uses them (`nib.tls_stream`), who listens, or who connects.

Certificates of `ovs-pki` carry ids, no host names. A peer is who it says when the right CA signed
its certificate; no host name is compared.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nib.errors import FieldError

SETTING: Final = "tls"
_REMEDY: Final = "make it as docs/tls.md shows, or correct PREWIRE_TLS"
_METHOD: Final = re.compile(r"(?:^|[,;])p?(tcp|ssl):")  # of each of several OVSDB remotes


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The directory of one machine's certificate.

    cert.pem and privkey.pem are its own; cacert.pem vouches for controllers, NIB servers and REST
    servers; switchca.pem vouches for switches, and where it is absent cacert.pem does.
    """

    directory: Path

    @property
    def cert(self) -> Path:
        """What this machine shows to its peers."""
        return self.directory / "cert.pem"

    @property
    def key(self) -> Path:
        """The private key of that, without a passphrase."""
        return self.directory / "privkey.pem"

    @property
    def ca(self) -> Path:
        """Who vouches for controllers, NIB servers and REST servers."""
        return self.directory / "cacert.pem"

    @property
    def switch_ca(self) -> Path:
        """Who vouches for switches."""
        own = self.directory / "switchca.pem"
        return own if own.exists() else self.ca

    def check(self) -> None:
        """Raise FieldError, naming file and remedy, where peers would not accept these files."""
        for path in (self.ca, self.switch_ca, self.cert, self.key):
            _check_readable(path)
        for path in (self.ca, self.switch_ca, self.cert):
            _check_certificate(path)
        _check_pair(self)
        _check_vouched(self)

    def server_context(self, clients: Path | None = None) -> ssl.SSLContext:
        """For a server; clients: the CA that must vouch for them, None asks for no certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_RENEGOTIATION
        return self._loaded(context, clients)

    def client_context(self, servers: Path | None = None) -> ssl.SSLContext:
        """For a client; servers: the CA that must vouch for them, by default cacert.pem."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        return self._loaded(context, servers or self.ca)

    def trusting_context(self) -> ssl.SSLContext:
        """For a client that shows no certificate; FieldError where cacert.pem cannot be used."""
        _check_readable(self.ca)
        _check_certificate(self.ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.load_verify_locations(self.ca)
        return context

    def _loaded(self, context: ssl.SSLContext, peers: Path | None) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert, self.key, password=_refuse_passphrase)
        if peers is not None:
            context.load_verify_locations(peers)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def begin(directory: str, nib: str, switch_db: str) -> TlsFiles | None:
    """Look at the certificates, and have this process's OVSDB clients use them.

    FieldError names the setting, the file and the remedy. Where TLS is off (directory is "", and
    the result None), this only sees that no remote needs it.
    """
    files = TlsFiles(Path(directory).absolute()) if directory else None
    check_method("nib", nib, files)
    check_method("switch_db", switch_db, files)
    if files is not None:
        from nib import tls_stream  # noqa: PLC0415 - the OVSDB library is slow to load

        files.check()
        tls_stream.use(files, switch_db)
    return files


def check_method(setting: str, remote: str, files: TlsFiles | None) -> None:
    """Raise FieldError where an OVSDB remote and TLS being on or off do not go together."""
    methods = _METHOD.findall(remote)
    if files is None and "ssl" in methods:
        raise FieldError(
            setting, f"{remote} needs certificates", f"set {SETTING} to the directory of them"
        )
    if files is not None and "tcp" in methods:
        raise FieldError(
            setting, f"{remote} is not encrypted, and {SETTING} is on", "use ssl: or unix: instead"
        )


def client_options(files: TlsFiles, servers: Path | None = None) -> list[str]:
    """Options of ovsdb-client, ovs-vsctl and their like; servers: the CA that vouches for them."""
    return [
        f"--private-key={files.key}",
        f"--certificate={files.cert}",
        f"--ca-cert={servers or files.ca}",
    ]


def server_options(files: TlsFiles) -> list[str]:
    """Options of an ovsdb-server that listens on pssl:, or is one of a cluster with ssl: addresses.

    Clients and the cluster's other servers need a certificate of cacert.pem.
    """
    return [*client_options(files), "--ssl-protocols=TLSv1.2"]


def reason(error: OSError) -> str:
    """What went wrong with a connection, in the words of OpenSSL or the system."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return _SPOKEN.get(error.reason, error.reason.lower().replace("_", " "))
    return error.strerror or str(error)


# OpenSSL's reasons that name the cause only to those who know it.
_SPOKEN: Final = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "HTTP_REQUEST": "it does not speak TLS",
    "RECORD_LAYER_FAILURE": "it does not speak TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the CA of our certificate",
    "UNEXPECTED_EOF_WHILE_READING": "it ended the connection",
}


def _check_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise FieldError(SETTING, f"{path}: {error.strerror}", _REMEDY) from None


def _check_certificate(path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise FieldError(SETTING, f"{path} has no certificate in PEM form", _REMEDY) from None


def _check_pair(files: TlsFiles) -> None:
    try:
        files.server_context()
    except _PassphraseWanted:
        raise FieldError(
            SETTING,
            f"{files.key} has a passphrase",
            "take it off with `openssl pkey -in OLD -out privkey.pem`",
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            said = f"{files.key} is not the key of {files.cert.name}"
        elif error.reason:
            said = f"{files.cert}: {error.reason.lower().replace('_', ' ')}"
        else:
            said = f"{files.key} has no private key in PEM form"
        raise FieldError(SETTING, said, _REMEDY) from None


def _check_vouched(files: TlsFiles) -> None:
    """Have a server and a client with these files shake hands in memory."""
    try:
        _shake_hands(files.server_context(files.ca), files.client_context())
    except ssl.SSLError as error:
        why = (
            error.verify_message
            if isinstance(error, ssl.SSLCertVerificationError)
            else error.reason
        )
        raise FieldError(
            SETTING,
            f"{files.cert} does not hold against {files.ca.name}: {why}",
            "have that CA sign it (`ovs-pki req+sign NAME controller`)",
        ) from None


def _shake_hands(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


class _PassphraseWanted(OSError):
    """Without this the library would ask at the terminal."""


def _refuse_passphrase() -> str:
    raise _PassphraseWanted("the key has a passphrase")
