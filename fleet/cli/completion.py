"""
Completion in the shell: what may come next on a `fleet` command line.

The shell asks `fleet --complete`, which loads the one command that is typed and nothing else. Where a file is wanted nothing is answered, and
the shell's own completion of names takes over.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

OPTIONS: Final = ("--help", "--install-completion", "--show-completion", "--version")
SHELLS: Final = ("bash", "zsh")
_BASH: Final = """\
_fleet_completion() {
    local IFS=$'\\n'
    COMPREPLY=($("${COMP_WORDS[0]}" --complete "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null))
}
complete -o default -F _fleet_completion fleet
"""
_ZSH: Final = f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}"
# Where the script is kept, from the home, and the file of the shell's that is to read it.
_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "bash": (".bash_completions/fleet.sh", ".bashrc"),
    "zsh": (".zfunc/fleet.zsh", ".zshrc"),
}


def candidates(words: Sequence[str], at: int, known: Mapping[str, EntryPoint]) -> list[str]:
    """What the word at place *at* of a command line may be, *words* from `fleet` on, the unfinished one among them."""
    unfinished = words[at] if at < len(words) else ""
    if at <= 1:
        return [name for name in (*known, *OPTIONS) if name.startswith(unfinished) and (unfinished or not name.startswith("-"))]
    if words[1] not in known:
        return []
    from typer.main import get_command  # noqa: PLC0415 - whoever only runs a command does not wait for it

    command: Any = get_command(known[words[1]].load())
    given = list(words[2:at])
    while given and given[0] in getattr(command, "commands", {}):
        command = command.commands[given.pop(0)]
    return [each for each in _possible(command, given, unfinished) if each.startswith(unfinished)]


def _possible(command: Any, given: Sequence[str], unfinished: str) -> Iterator[str]:
    """Everything that may stand after the words *given* to one command: options, sub-commands, or the values of the option before."""
    named = {name: param for param in command.params for name in (*param.opts, *param.secondary_opts) if name.startswith("-")}
    before = named.get(given[-1]) if given else None
    if before is not None and not getattr(before, "is_flag", False):
        yield from getattr(getattr(before, "type", None), "choices", ())
    elif unfinished.startswith("-"):
        yield from (name for name, param in named.items() if not getattr(param, "hidden", False) and (name not in given or param.multiple))
        yield "--help"
    else:
        yield from (name for name, each in getattr(command, "commands", {}).items() if not each.hidden)


def script(shell: str) -> str:
    """What *shell*, one of `SHELLS`, is to read."""
    return _ZSH if shell == "zsh" else _BASH


def install(shell: str, home: Path) -> str:
    """Puts the script where *shell* finds it, as often as it is asked, and says where."""
    kept, reader = (home / part for part in _PLACES[shell])
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(script(shell), encoding="utf-8")
    line = f"source '{kept}'"
    before = reader.read_text(encoding="utf-8") if reader.exists() else ""
    if line not in before.splitlines():
        reader.write_text(before + ("" if before.endswith("\n") or not before else "\n") + line + "\n", encoding="utf-8")
    return f"{kept} is written, and {reader} reads it. It counts in the next shell; in this one after `source {kept}`."


def obey(given: Sequence[str], known: Mapping[str, EntryPoint], say: Callable[[str], None]) -> int:
    """Answers `--complete`, `--show-completion` and `--install-completion`; the exit code."""
    if given[0] == "--complete":
        at, words = (int(given[1]), given[2:]) if len(given) > 1 and given[1].isdecimal() else (1, given[1:])
        say("\n".join(candidates(words, at, known)))
        return 0
    shell = given[1] if len(given) > 1 else Path(os.environ.get("SHELL", "bash")).name
    if shell not in SHELLS:
        print(f"fleet: completion is for {' and '.join(SHELLS)}, not for {shell!r}; name one: fleet {given[0]} bash", file=sys.stderr)  # noqa: T201 - this is the terminal
        return 2
    say(script(shell).rstrip() if given[0] == "--show-completion" else install(shell, Path.home()))
    return 0
