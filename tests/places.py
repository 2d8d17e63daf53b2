"""Places that nobody else uses: ports of the loopback address, directories with short paths."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


def free_ports(
    *names: str,
) -> dict[str, Any]:
    """A free port for each name; by default for prewire's port settings, without a predictor.

    With a port of the REST server, its access is open.
    """
    wanted = names or ("api_port", "controller_port", "metrics_port")
    none: dict[str, Any] = {} if names else {"predictor_port": 0, "predictor_metrics_port": 0}
    if "api_port" in wanted:
        none["access"] = "open"
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in wanted]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in sockets]
    return dict(zip(wanted, ports, strict=True)) | none


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory in which a unix socket's path stays below 108 bytes; pytest's own may not."""
    path = Path(tempfile.mkdtemp(prefix="pw-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)
