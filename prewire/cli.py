"""The command `prewire`.

Processes (`up`, `controller`, `api`), the database (`db`), and everything else through the REST
server. Exit codes: 0 done; 1 refused or failed, with one line on standard error; 2 wrong usage;
3 `diff` or `plan` found differences, or `doctor` faults; 4 time ran out.

Only what the words on the command line need is imported: shells complete words by this command.
"""

from __future__ import annotations

import sys
from typing import Final

COMPLETE: Final = "--complete"  # what shells call, with the words so far


def main() -> None:
    """Run the command line; an expected failure is one line and exit code 1."""
    words = sys.argv[1:]
    if words[:1] == [COMPLETE]:
        from prewire.commands import completing  # noqa: PLC0415

        completing.run(words[1:])
    else:
        _run(words)


def _run(words: list[str]) -> None:
    from nib.errors import NibError, NibUnavailable  # noqa: PLC0415
    from prewire.commands import show, tree  # noqa: PLC0415
    from prewire.errors import CommandFailed  # noqa: PLC0415
    from topologies.errors import NetworkError  # noqa: PLC0415

    odd = next((word for word in words if not _is_text(word)), None)
    if odd is not None:
        show.complain(f"Error: {odd!r} is no text in UTF-8; write it anew")
        sys.exit(2)
    # What ends a command with one line; anything else is a defect and shows its traceback.
    try:
        tree.app_for(words)(prog_name="prewire")
    except NibUnavailable as error:
        show.complain(f"{error}; {error.remedy}")
        sys.exit(1)
    except CommandFailed as error:
        show.complain(str(error))
        sys.exit(error.exit_code)
    except (NibError, NetworkError) as error:
        show.complain(str(error))
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        show.complain(f"{error.filename}: {error.strerror}; correct the path or its permissions")
        sys.exit(1)


def _is_text(word: str) -> bool:
    """Whether it can be sent and printed: bytes that are no UTF-8 come as what cannot."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
