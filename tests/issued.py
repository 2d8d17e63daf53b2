"""Certificates for tests, made at once: a CA, and what it signs, in directories as `tls` names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Authority:
    """A CA of this name; each has its own key."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=_key)

    def issue(self, directory: Path, common_name: str) -> Path:
        """Fill the directory with cert.pem, privkey.pem and this CA's cacert.pem."""
        directory.mkdir(parents=True)
        key = _key()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "privkey.pem").write_bytes(private)
        (directory / "cert.pem").write_bytes(self._signed(common_name, key.public_key(), ca=False))
        (directory / "cacert.pem").write_bytes(
            self._signed(self.name, self.key.public_key(), ca=True)
        )
        return directory

    def _signed(self, common_name: str, key: Any, *, ca: bool) -> bytes:
        def name(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name(common_name))
            .issuer_name(name(self.name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        return made.sign(self.key, SHA256()).public_bytes(Encoding.PEM)
