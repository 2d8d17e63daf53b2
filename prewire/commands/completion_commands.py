"""`prewire completion`: what a shell reads so that it completes the words of `prewire`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

_BASH: Final = """\
# prewire's words for bash: source <(prewire completion bash)
_prewire() {
    local IFS=$'\\n' word="${COMP_WORDS[COMP_CWORD]}"
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    if declare -F _get_comp_words_by_ref > /dev/null; then
        local cur cword
        _get_comp_words_by_ref -n : -w words -i cword -c cur
        words=("${words[@]:1:cword}") word="$cur"
    fi
    COMPREPLY=($(prewire --complete "${words[@]}" 2> /dev/null | cut -f 1))
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    declare -F __ltrim_colon_completions > /dev/null && __ltrim_colon_completions "$word"
    return 0
}
complete -o default -F _prewire prewire
"""
_ZSH: Final = """\
#compdef prewire
# prewire's words for zsh: source <(prewire completion zsh)
_prewire() {
    local -a found
    local word meaning
    while IFS=$'\\t' read -r word meaning; do
        found+=("${word//:/\\\\:}:${meaning}")
    done < <(prewire --complete "${(@)words[2,CURRENT]}" 2> /dev/null)
    if (( ${#found} )); then
        _describe prewire found
    else
        _files
    fi
}
compdef _prewire prewire
"""
_FISH: Final = """\
# prewire's words for fish: prewire completion fish | source
function __prewire_words
    set -l typed (commandline -opc)
    set -l found (prewire --complete $typed[2..-1] (commandline -ct) 2> /dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c prewire -f -a '(__prewire_words)'
"""


class Shell(StrEnum):
    """Shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS: Final = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(completion)


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print what a shell reads to complete commands, options and names of objects.

    For bash, in ~/.bashrc: source <(prewire completion bash)
    """
    typer.echo(_SCRIPTS[shell], nl=False)
