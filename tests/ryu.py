"""Classic Ryu in its own environment, where `scripts/setup.sh ryu` made one."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from prewire.settings import Settings
from tests import commands, needs

Framework = Literal["os-ken", "ryu"]

MANAGER: Final = Path(__file__).parents[1] / ".venv-ryu/bin/prewire-ryu-manager"


def need(framework: Framework) -> None:
    """Skip where classic Ryu is wanted and not installed; fail where nothing may be skipped."""
    is_there = framework != "ryu" or MANAGER.exists()
    needs.need(is_there, "classic Ryu is not installed (scripts/setup.sh ryu)")


def controller_command(framework: Framework, settings: Settings) -> list[str]:
    """How a controller starts on this framework; other settings come by the environment."""
    if framework == "os-ken":
        return commands.command("controller")
    listen = ["--ofp-tcp-listen-port", str(settings.controller_port)]
    listen += ["--ofp-listen-host", settings.controller_host]
    return [str(MANAGER), *listen]
