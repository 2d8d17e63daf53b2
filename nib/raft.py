"""Members of a database cluster: their files, and what each says of the cluster.

A cluster is three or five ovsdb-servers that keep one database by RAFT (Ongaro and Ousterhout,
"In Search of an Understandable Consensus Algorithm"; ovsdb(7), clustered databases). It works as
long as more than half of them do.

Owns: making a member's file, asking a running member, having one leave.
Must not know: how servers are kept running, or who connects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from nib.dbfile import find_tool, is_clustered, refuse_if_locked, run_tool, schema_version
from nib.errors import FieldError, SchemaMismatch, ServerError
from nib.rows import DATABASE, packaged_version, schema_path

_ADDRESS: Final = re.compile(r"(tcp|ssl):(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):([0-9]{1,5})|unix:\S+")
_MEMBER: Final = re.compile(
    r"^\s+\S+ \((?P<id>\w+) at (?P<address>\S+)\)(?P<self> \(self\))?"
    r"(?:.* match_index=(?P<index>\d+))?(?:.* last msg (?P<age>\d+) ms ago)?",
)
_LEFT: Final = "left cluster"
_PATIENCE: Final = "--timeout=5"


class NoMember(ServerError):
    """A server's database belongs to no cluster, or not any more."""


@dataclass(frozen=True, slots=True)
class Member:
    """One server as another sees it.

    matched: the last entry of the log that it is known to have, told by the leader; heard_ms: how
    long ago it was heard. None where that is not known.
    """

    id: str
    address: str
    here: bool
    matched: int | None
    heard_ms: int | None


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What one server says of its cluster.

    state: "cluster member", "joining cluster", "left cluster", ...; role: leader, follower or
    candidate; leader: its short id, "self" or "unknown"; log: first and next entry.
    """

    id: str
    address: str
    state: str
    role: str
    term: int
    leader: str
    election_timer_ms: int
    log: tuple[int, int]
    uncommitted: int
    members: tuple[Member, ...]

    @property
    def leads(self) -> bool:
        """Whether this server is the leader."""
        return self.role == "leader"


def check_server_address(address: str) -> str:
    """Where a server listens for the others; raises FieldError where that is no such address."""
    match = _ADDRESS.fullmatch(address)
    if match is None or (match[3] and not 1 <= int(match[3]) <= 65535):
        raise FieldError(
            "address",
            f"{address!r} is no address of a server",
            "give tcp:IP:PORT or ssl:IP:PORT, as in tcp:10.0.0.1:6644",
        )
    return address


def create(db_path: Path, address: str, contents: Path | None = None) -> None:
    """Make the file of a new cluster's first server, whose own address is `address`.

    contents: a database to begin with, standing alone or a member's of a cluster that is lost; None
    = an empty one. Raises ServerError when the file exists, or `contents` cannot be read or is in
    use, SchemaMismatch when it has another schema, FieldError for the address.
    """
    check_server_address(address)
    _refuse_existing(db_path)
    if contents is None:
        run_tool("ovsdb-tool", "create-cluster", str(db_path), str(schema_path()), address)
        return
    if not contents.exists():
        raise ServerError(f"{contents} does not exist", "give a database file")
    refuse_if_locked(contents)
    with TemporaryDirectory(prefix="prewire-") as scratch:
        alone = _standing_alone(contents, Path(scratch))
        _check_schema(alone, contents)
        run_tool("ovsdb-tool", "create-cluster", str(db_path), str(alone), address)


def join(db_path: Path, address: str, members: Sequence[str]) -> None:
    """Make the file of a further server; when it is started it asks one of `members` to let it in.

    Raises ServerError when the file exists, FieldError for an address.
    """
    for each in (address, *members):
        check_server_address(each)
    if address in members:
        raise FieldError("members", f"{address} is this server's own", "name the others'")
    _refuse_existing(db_path)
    run_tool("ovsdb-tool", "join-cluster", str(db_path), DATABASE, address, *members)


def status(control: Path) -> ClusterStatus:
    """What the server with this control socket says; raises ServerError when it does not answer."""
    return read_status(_ask(control, "cluster/status"))


def leave(control: Path) -> None:
    """Have a server leave its cluster in order: a majority, it among them, must agree.

    It goes on in the background; `has_left` tells when it is done. Raises ServerError.
    """
    _ask(control, "cluster/leave")


def has_left(control: Path) -> bool:
    """Whether a server that was told to leave has left; raises ServerError."""
    try:
        return status(control).state == _LEFT
    except NoMember:  # it forgets the cluster then
        return True


def remove(control: Path, server: str) -> None:
    """Have the cluster do without a server that will not come back: its id, or its address.

    Raises ServerError, also where there is no such server.
    """
    _ask(control, "cluster/kick", server)


def read_status(text: str) -> ClusterStatus:
    """The answer to `cluster/status` (ovsdb-server(1)) as a value; raises ServerError."""
    values = dict(re.findall(r"^([A-Z][A-Za-z ]+): ?(.*)$", text, re.MULTILINE))
    try:
        members = [_member(line) for line in text.partition("Servers:\n")[2].splitlines()]
        first, following = re.findall(r"\d+", values.get("Log", "")) or ("0", "0")
        return ClusterStatus(
            id=values["Server ID"].split()[0],
            address=values["Address"],
            state=values["Status"],
            role=values.get("Role", "none"),
            term=int(values.get("Term", "0")),
            leader=values.get("Leader", "unknown"),
            election_timer_ms=int(values.get("Election timer", "0")),
            log=(int(first), int(following)),
            uncommitted=int(values.get("Entries not yet committed", "0")),
            members=tuple(member for member in members if member is not None),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ServerError(
            f"cannot read what the server says of its cluster ({error}): {text[:200]!r}",
            "see `ovs-appctl -t CONTROL cluster/status Prewire`",
        ) from None


def _member(line: str) -> Member | None:
    match = _MEMBER.match(line)
    if match is None:
        return None
    return Member(
        id=match["id"],
        address=match["address"],
        here=match["self"] is not None,
        matched=None if match["index"] is None else int(match["index"]),
        heard_ms=None if match["age"] is None else int(match["age"]),
    )


def _ask(control: Path, command: str, *arguments: str) -> str:
    find_tool("ovs-appctl")
    if not control.exists():
        raise ServerError(f"no server runs here: {control} does not exist", "start it first")
    try:
        return run_tool(
            "ovs-appctl", _PATIENCE, f"--target={control}", command, DATABASE, *arguments
        )
    except ServerError as error:
        if "unknown cluster" in error.message or "not a valid command" in error.message:
            raise NoMember(
                f"the server of {control.parent} belongs to no cluster",
                "see whether it stands alone or has left its cluster; one whose disk was full has "
                "to be started anew",
            ) from None
        raise


def _refuse_existing(db_path: Path) -> None:
    if db_path.exists():
        raise ServerError(f"{db_path} exists already", "move it away, or choose another place")
    db_path.parent.mkdir(parents=True, exist_ok=True)


def _standing_alone(contents: Path, scratch: Path) -> Path:
    if not is_clustered(contents):
        return contents
    alone = scratch / "alone.db"
    run_tool("ovsdb-tool", "cluster-to-standalone", str(alone), str(contents))
    return alone


def _check_schema(db_path: Path, named: Path) -> None:
    """Refuse an older schema here: the whole cluster would have to be converted after."""
    have, want = schema_version(db_path), packaged_version()
    if have != want:
        raise SchemaMismatch(
            f"schema {have} in {named}", f"schema {want}", "convert it with `prewire db convert`"
        )
