"""Records a terminal session for the README: real commands, on a machine of its own, as a picture.

    sudo .venv/bin/python -m scripts.terminal

Writes docs/images/terminal.svg. What is shown is what was printed.
"""

from __future__ import annotations

import io
import re
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

from tests.typed import ROOT, machine_with_prewire, shell_blocks, typed

PICTURE: Final = ROOT / "docs" / "images" / "terminal.svg"

_WIDTH: Final = 124
_LONGEST: Final = 14  # lines of one answer that are shown
_FONTS: Final = re.compile(r"\s*@font-face \{.*?\n    \}", re.DOTALL)  # they would be fetched
_SETUP_BLOCKS: Final = 2  # of the README's tour: the bridge, the client and the containers

_SHOWN: Final = (
    "prewire service set web --vip 10.0.0.100 --port 80 --wait",
    "for n in 1 2; do prewire container set web web-$n --address 10.0.0.1$n --port 8080 "
    "--iface-id web-$n --wait; done",
    "prewire get containers",
    "for i in 1 2 3 4; do ip netns exec client curl -s http://10.0.0.100/; done",
    "prewire explain in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.100,tp_src=4000,tp_dst=80",
    "prewire scaling set web --min 4 --max 20; sleep 3; prewire plans",
    "prewire get events | head -8",
)


def main() -> None:
    """Record, and write the picture."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    setup = shell_blocks("README.md", "tour")[:_SETUP_BLOCKS]
    with machine_with_prewire({"COLUMNS": str(_WIDTH)}) as machine:
        typed(machine, "\n".join(setup))
        for command in _SHOWN:
            said = typed(machine, command).splitlines()
            console.print(Text("# ", style="bold green") + Text(command, style="bold"))
            console.print(*said[:_LONGEST], sep="\n", markup=False, highlight=False)
            if len(said) > _LONGEST:
                console.print(f"… {len(said) - _LONGEST} more lines", style="dim")
    PICTURE.write_text(_FONTS.sub("", console.export_svg(title="prewire")), encoding="utf-8")
    sys.stdout.write(f"wrote {PICTURE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
