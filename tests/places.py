"""Places that nobody else uses: ports of the loopback address, directories with short paths."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def free_ports(
    *names: str,
) -> dict[str, int]:
    """A free port for each name; by default for prewire's port settings."""
    wanted = names or ("api_port", "controller_port", "metrics_port")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in wanted]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in zip(wanted, sockets, strict=True)}


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory in which a unix socket's path stays below 108 bytes; pytest's own may not."""
    path = Path(tempfile.mkdtemp(prefix="pw-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)
