"""One target in a process of its own, and what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.table import target

SLOW_S: Final = 10  # an input that takes longer is a crash
MEMORY_MIB: Final = 2048  # a process that has more is one, too
LONGEST: Final = 4096  # bytes of an input

_PROGRESS: Final = re.compile(r"cov: \d+ ft: (\d+) corp: (\d+)/")
_EXECUTED: Final = re.compile(r"^(?:stat::number_of_executed_units: |#)(\d+)", re.MULTILINE)
_PEAK: Final = re.compile(r"stat::peak_rss_mb: +(\d+)")
_TOLD: Final = 3000  # characters of what a crash says


@dataclass(frozen=True, slots=True)
class Result:
    """cpu_s: of the process, its start and imports too; features: libFuzzer's count of what inputs
    reach; inputs: how many it kept for that; crash: what it says, empty where there was none."""

    name: str
    executions: int
    cpu_s: float
    memory_mib: int
    features: int
    inputs: int
    crash: str


def run(name: str, seconds: int, seed: int, scratch: Path) -> Result:
    """Fuzz a target for some seconds; scratch: an empty directory."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", name, *_options(name, seconds, seed, scratch)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    after = os.times()
    said = done.stdout + done.stderr
    progress = [(int(features), int(inputs)) for features, inputs in _PROGRESS.findall(said)]
    features, inputs = max(progress, default=(0, 0))
    return Result(
        name,
        _last(_EXECUTED, said),
        after.children_user + after.children_system - before.children_user - before.children_system,
        _last(_PEAK, said),
        features,
        inputs,
        _crash(done, scratch) if done.returncode else "",
    )


def _options(name: str, seconds: int, seed: int, scratch: Path) -> list[str]:
    """libFuzzer's, with seeds and words in files."""
    corpus, words, found = scratch / "corpus", scratch / "words", scratch / "found"
    corpus.mkdir()
    found.mkdir()
    known = target(name)
    for number, seed_bytes in enumerate(known.seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed_bytes)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in known.tokens if word)
    words.write_text("# words\n" + "".join(f'"{word}"\n' for word in escaped))
    return [
        f"-max_total_time={seconds}",
        f"-timeout={SLOW_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-max_len={LONGEST}",
        f"-seed={seed}",
        f"-artifact_prefix={found}/",
        f"-dict={words}",
        "-print_final_stats=1",
        str(corpus),
    ]


def _last(pattern: re.Pattern[str], said: str) -> int:
    return int((pattern.findall(said) or ["0"])[-1])


def _crash(done: subprocess.CompletedProcess[str], scratch: Path) -> str:
    """What was said of a crash, and the input that led to it."""
    said = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if not line.startswith(("INFO: ", "#", "WARNING: Failed to find"))
    ]
    found = [path for path in (scratch / "found").iterdir() if path.is_file()]
    inputs = [f"input ({path.name.partition('-')[0]}): {path.read_bytes()!r}" for path in found]
    told = "\n".join(said).strip()[:_TOLD]
    return "\n".join([f"ended with {done.returncode}", told, *inputs])
