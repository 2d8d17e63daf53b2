"""An ovsdb-server of our own with a database that stands alone, for machines without a cluster.

Owns: making the database where there is none, and refusing one that this version cannot use.
Must not know: records, the replica, or who connects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nib.dbfile import (
    find_tool,
    init,
    is_clustered,
    schema_version,
)
from nib.errors import ServerError
from nib.handshake import check_version
from nib.serving import ServerFiles, ServerProcess, refuse_second


class EmbeddedServer(ServerProcess):
    """`ovsdb-server` on the database `nib.db` in `state_dir`, reachable by unix socket alone.

    wrapper: a command that starts it in its own place, such as setpriv or nice.
    Raises ServerError when the socket's path would be too long for the system.
    """

    def __init__(self, state_dir: Path, wrapper: Sequence[str] = ()) -> None:
        super().__init__(ServerFiles(state_dir.absolute()), wrapper)

    @property
    def state_dir(self) -> Path:
        """Where all its files are."""
        return self.files.directory

    @property
    def database(self) -> Path:
        """The database file."""
        return self.files.database

    @property
    def socket(self) -> Path:
        """Where clients connect."""
        return self.files.socket

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the server on the database (made when absent) and wait until it answers.

        Raises ServerError when another server has the directory, the database is a cluster's or the
        child fails, SchemaMismatch when the database needs `prewire db convert`, NibError when
        ovsdb-server is not installed.
        """
        find_tool("ovsdb-server")
        self.state_dir.mkdir(parents=True, exist_ok=True)
        refuse_second(self.files)
        if not self.database.exists():
            init(self.database)
        elif is_clustered(self.database):
            raise ServerError(
                f"{self.database} is a member of a cluster",
                "serve it with `prewire db serve`, and set nib to the cluster's servers",
            )
        else:
            check_version(schema_version(self.database))
        super().start(timeout_s)

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
