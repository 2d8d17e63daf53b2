"""Settings as flags of a command, made from the settings class: one list of settings, not two."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, Optional

import typer

from nib import tls
from prewire import logs, settings
from prewire.settings import Settings

# A flag's type on the command line, where it is not the setting's own.
_FLAG_TYPES: Final[dict[str, Any]] = {"log_level": str, "log_format": str, "switch_db": str}


def with_settings(command: Callable[[Settings], None]) -> Callable[..., None]:
    """The command with a flag for every setting; it is called with the settings in force."""

    @functools.wraps(command)
    def flagged(**flags: Any) -> None:
        in_force = settings.load(**flags)
        logs.begin(in_force, command.__name__)
        tls.begin(in_force.tls, in_force.nib, in_force.switch_db or "")
        command(in_force)

    parameters = [_parameter(name) for name in Settings.model_fields]
    flagged.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flagged.__annotations__ = {each.name: each.annotation for each in parameters}
    return flagged


def _parameter(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    kind = _FLAG_TYPES.get(name, field.annotation)
    shown = "" if field.default in (None, "") else f" [default: {field.default}]"
    option = typer.Option(f"--{name.replace('_', '-')}", help=f"{field.description}{shown}")
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Optional[kind], option],  # noqa: UP045 - known at run time only
    )
