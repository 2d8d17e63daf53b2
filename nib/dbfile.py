"""Database files: make, convert, back up, and tell their version.

Owns: running Open vSwitch's database tools, and the wording of their failures.
Must not know: the replica, records, or how a server is kept running.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from nib.errors import NibError, SchemaMismatch, ServerError
from nib.rows import DATABASE, packaged_version, schema_path, version_tuple
from nib.tls_stream import tool_options

TOOL_TIMEOUT_S = 60

_PACKAGES = {
    "ovs-appctl": "openvswitch-common",
    "ovsdb-server": "openvswitch-switch",
    "ovsdb-tool": "openvswitch-common",
    "ovsdb-client": "openvswitch-common",
}


class Conversion(NamedTuple):
    """Schema versions before and after, and where the copy made before is (None = none made)."""

    old: str
    new: str
    backup: Path | None


def find_tool(name: str) -> str:
    """The program's path; raises NibError naming the Debian package that has it."""
    path = shutil.which(name)
    if path is None:
        raise NibError(f"{name} is not on PATH; install Debian's package {_PACKAGES[name]}")
    return path


def run_tool(name: str, *args: str) -> str:
    """Run one tool and return what it printed; raises ServerError with what it complained about."""
    try:
        done = subprocess.run(
            [find_tool(name), *args],
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServerError(
            f"{name} {args[0]} did not end within {TOOL_TIMEOUT_S} s",
            "see whether it hangs on a disk",
        ) from None
    if done.returncode != 0:
        complaint = "; ".join(done.stderr.split("\n")).strip("; ")
        complaint = complaint or f"exit status {done.returncode}"
        raise ServerError(f"{name} failed: {complaint}", "mend that and run it again")
    return done.stdout


def init(db_path: Path) -> None:
    """Make an empty database with the packaged schema; raises ServerError when the file exists."""
    if db_path.exists():
        raise ServerError(f"{db_path} exists already", "delete it, or choose another place")
    db_path.parent.mkdir(parents=True, exist_ok=True)
    run_tool("ovsdb-tool", "create", str(db_path), str(schema_path()))


def schema_version(db_path: Path) -> str:
    """The schema version of a database file; raises ServerError when it is not one of ours."""
    if not db_path.exists():
        raise ServerError(f"{db_path} does not exist", "create it with `prewire db init`")
    if is_clustered(db_path):
        raise ServerError(
            f"{db_path} is a member of a cluster, which has the schema",
            "name the remote of the cluster's servers instead of the file",
        )
    name = run_tool("ovsdb-tool", "db-name", str(db_path)).strip()
    if name != DATABASE:
        raise ServerError(f"{db_path} holds a database named {name}", f"give a {DATABASE} database")
    return run_tool("ovsdb-tool", "db-version", str(db_path)).strip()


def is_clustered(db_path: Path) -> bool:
    """Whether a database file belongs to a cluster; one that does not exist does not."""
    if not db_path.exists():
        return False
    done = subprocess.run(
        [find_tool("ovsdb-tool"), "db-is-clustered", str(db_path)],
        capture_output=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )
    return done.returncode == 0  # 2: it stands alone; 1: it is no database, as others will say


def served_version(remote: str) -> str:
    """The schema version that a running server has; raises ServerError when it does not answer."""
    return run_tool(
        "ovsdb-client", *_patience(remote), "get-schema-version", remote, DATABASE
    ).strip()


def convert_served(remote: str) -> Conversion:
    """Bring a running server's or cluster's database to the packaged schema. No copy is made.

    Those who are connected stay, and hear what changed. Raises ServerError when the server does not
    answer, SchemaMismatch when its schema is newer than this program.
    """
    old, new = served_version(remote), packaged_version()
    _refuse_newer(old, new)
    run_tool("ovsdb-client", *_patience(remote), "convert", remote, str(schema_path()))
    return Conversion(old, new, None)


def convert(db_path: Path, backup: bool = True) -> Conversion:
    """Bring a database file, while no server has it open, to the packaged schema.

    With `backup` a copy named after the old version is left beside it. Raises ServerError when a
    server holds the file, SchemaMismatch when the file is newer than this program.
    """
    old, new = schema_version(db_path), packaged_version()
    _refuse_newer(old, new)
    refuse_if_locked(db_path)
    copy = _copied(db_path, old) if backup else None
    run_tool("ovsdb-tool", "convert", str(db_path), str(schema_path()))
    return Conversion(old, new, copy)


def backup(source: str | Path, target: Path) -> None:
    """Copy a database to the new file `target`: from a running server (a remote such as
    'unix:/run/prewire/nib.sock') or from a database file no server has open.

    Raises ServerError when `target` exists or the source cannot be read.
    """
    if target.exists():
        raise ServerError(f"{target} exists already", "choose another file")
    if isinstance(source, str) and is_remote(source):
        copied = run_tool("ovsdb-client", *_patience(source), "backup", source, DATABASE)
        _write_new(target, copied.encode())
        return
    path = Path(source)
    schema_version(path)
    refuse_if_locked(path)
    run_tool("ovsdb-tool", "compact", str(path), str(target))


def _patience(remote: str) -> list[str]:
    """Options of ovsdb-client, which tries for ever to connect; and certificates for ssl:."""
    return ["--timeout=30", *tool_options(remote)]


def is_remote(source: str) -> bool:
    """Whether this names a server that runs, not a file."""
    return source.startswith(("unix:", "tcp:", "ssl:"))


def refuse_if_locked(db_path: Path) -> None:
    """Raise ServerError when a living process holds the lock ovsdb-server takes on its file."""
    lock = db_path.with_name(f".{db_path.name}.~lock~")
    if not lock.exists():
        return
    with lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ServerError(
                f"{db_path} is in use by a running ovsdb-server",
                "stop that server first (for a backup, name its remote instead of the file)",
            ) from None


def _refuse_newer(old: str, new: str) -> None:
    if version_tuple(old) > version_tuple(new):
        raise SchemaMismatch(
            f"{DATABASE} schema {old}",
            f"schema {new}",
            "use the prewire version that made it; converting back would lose columns",
        )


def _copied(db_path: Path, version: str) -> Path:
    target = db_path.with_name(f"{db_path.name}.{version}.backup")
    number = 1
    while target.exists():
        number += 1
        target = db_path.with_name(f"{db_path.name}.{version}.backup{number}")
    _write_new(target, db_path.read_bytes())
    return target


def _write_new(target: Path, content: bytes) -> None:
    """Make `target` whole or not at all, and on disk before this returns."""
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(target)
