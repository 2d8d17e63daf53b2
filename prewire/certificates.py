"""Makes CAs and certificates, with Open vSwitch's own `ovs-pki`.

Owns: the calls of ovs-pki and the layout of the directory it fills. docs/tls.md shows the same by
hand.
Must not know: who uses the certificates.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from nib.tls import TlsFiles
from prewire.errors import CommandFailed

Kind = Literal["controller", "switch"]

_HOST: Final = "localhost"
_SECONDS: Final = 60


class CertificatesFailed(CommandFailed):
    """Certificates could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The two CAs of `ovs-pki init`, with their private keys, in one directory."""

    directory: Path

    def init(self) -> None:
        """Make them. CertificatesFailed where the directory exists."""
        self._run(self.directory.parent, "init")

    def ca(self, kind: Kind) -> Path:
        """The CA that vouches for controllers, or for switches."""
        return self.directory / f"{kind}ca" / "cacert.pem"

    def issue(self, kind: Kind, target: Path, host: str) -> None:
        """Fill a directory with cert.pem, privkey.pem and the CA of the other side, cacert.pem.

        A controller's also gets switchca.pem. host: a DNS name, for clients that compare it.
        """
        target.mkdir(parents=True, exist_ok=True)
        self._run(target, "--unique", "req+sign", host, kind)
        for part in ("cert", "privkey"):
            (target / f"{host}-{part}.pem").rename(target / f"{part}.pem")
        (target / f"{host}-req.pem").unlink()
        shutil.copyfile(self.ca("controller"), target / "cacert.pem")
        if kind == "controller":
            shutil.copyfile(self.ca("switch"), target / "switchca.pem")

    def _run(self, where: Path, *arguments: str) -> None:
        log = self.directory.parent / "ovs-pki.log"
        command = ["ovs-pki", f"--dir={self.directory}", f"--log={log}", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=where,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise CertificatesFailed(
                "ovs-pki: not found; install Debian's package openvswitch-common"
            ) from None
        except subprocess.TimeoutExpired:
            raise CertificatesFailed(f"ovs-pki did not end within {_SECONDS} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or [f"see {log}"]
            raise CertificatesFailed(f"ovs-pki failed: {said[0]}")


def try_out(directory: Path) -> Path:
    """CAs in pki/, files for prewire in the directory itself, for a switch in the one returned.

    CertificatesFailed where anything is in it already.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise CertificatesFailed(f"{directory} is not empty; choose another directory")
    authorities = Authorities(directory / "pki")
    authorities.init()
    return issue_all(authorities, directory, _HOST)


def issue_all(authorities: Authorities, directory: Path, host: str) -> Path:
    """What one machine needs: files for prewire in the directory, for a switch in the one returned.

    CertificatesFailed where the CAs are not there or the machine has files already.
    """
    if not authorities.ca("controller").is_file():
        raise CertificatesFailed(
            f"{authorities.directory} has no CAs; make them with `prewire tls authority`"
        )
    if (directory / "cert.pem").exists():
        raise CertificatesFailed(f"{directory} has certificates already; choose another directory")
    authorities.issue("controller", directory, host)
    switch = directory / "switch"
    authorities.issue("switch", switch, host)
    TlsFiles(directory).check()
    return switch
