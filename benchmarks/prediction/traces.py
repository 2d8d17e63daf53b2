"""Where the recorded loads are that some benchmarks read.

Must not know: which there are, their formats.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TRACES: Final = "PREWIRE_TRACES"


def traces() -> Path:
    """Their directory."""
    return Path(os.environ.get(TRACES, "../shared/data"))
