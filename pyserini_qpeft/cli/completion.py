"""`qpeft completion`: a script that completes commands, options, values and files in a shell."""

import argparse
from pathlib import Path

from pyserini_qpeft.errors import QPeftError

HELP = "print a script for a shell's completion of commands, options, values and file names"

_SHELLS = ("bash", "zsh", "fish", "tcsh")
_PATHS = ("NAME", "RUN", "FILE", "PATH")
"""What an option that may be a path calls its value."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import one_of

    parser.add_argument("shell", help="the shell", **one_of(_SHELLS))
    parser.epilog = (
        "bash:  qpeft completion bash > ~/.local/share/bash-completion/completions/qpeft\n"
        'zsh:   qpeft completion zsh > "${fpath[1]}/_qpeft"\n'
        "fish:  qpeft completion fish > ~/.config/fish/completions/qpeft.fish\n\n"
        "Write the script again after an update of the package."
    )


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise QPeftError("completion needs shtab: pip install 'pyserini-qpeft[completion]'.") from None
    print(shtab.complete(whole_parser(), args.shell))


def whole_parser() -> argparse.ArgumentParser:
    """A parser with all commands and their options. Each option of a path knows that it is one."""
    import shtab

    from pyserini_qpeft.cli.__main__ import commands
    from pyserini_qpeft.models.registry import models

    parser = argparse.ArgumentParser(prog="qpeft")
    parser.add_argument("--version", action="version", version="", help="show the version")
    parsers = parser.add_subparsers()
    for name, module in commands():
        command = parsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        for action in command._actions:
            if action.dest == "model":
                action.choices = tuple(models())
            elif action.metavar == "FOLDER":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
            elif action.type is Path or action.metavar in _PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser
