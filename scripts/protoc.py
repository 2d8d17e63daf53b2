"""Make the Python of the gRPC interfaces anew: `python scripts/protoc.py`; --check only compares.

Out of predictor/outward/proto into predictor/outward/generated, which is committed. The compilers
are grpcio-tools and mypy-protobuf (extra "dev"). They write absolute imports by the path of the
.proto file, as in `from prewire.v1 import`, where we have another package; these are rewritten.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROTO: Final = ROOT / "predictor" / "outward" / "proto"
GENERATED: Final = ROOT / "predictor" / "outward" / "generated"
PACKAGE: Final = "predictor.outward.generated"
SOURCES: Final = ("prewire/v1/predictor.proto", "externalscaler.proto")

_IMPORT: Final = re.compile(r"^(?:from [\w.]+ )?import (predictor_pb2|externalscaler_pb2)\b", re.M)


def generated() -> dict[str, str]:
    """The text of each generated file, by its name."""
    with tempfile.TemporaryDirectory() as directory:
        _compile(Path(directory))
        files = sorted(path for path in Path(directory).rglob("*.py*"))
        return {path.name: _with_our_imports(path.read_text("utf-8")) for path in files}


def _compile(target: Path) -> None:
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}"),
            f"--plugin={plugin}",
            *(f"--{output}_out={target}" for output in ("python", "mypy", "grpc_python")),
            *SOURCES,
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def _with_our_imports(text: str) -> str:
    return _IMPORT.sub(rf"from {PACKAGE} import \1", text)


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which differ; the exit status."""
    wanted = generated()
    if "--check" in arguments:
        old = [
            name
            for name, text in wanted.items()
            if not (GENERATED / name).exists() or (GENERATED / name).read_text("utf-8") != text
        ]
        if old:
            print(f"out of date: {', '.join(old)}; run {Path(__file__).name}")
        return 1 if old else 0
    for name, text in wanted.items():
        (GENERATED / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
