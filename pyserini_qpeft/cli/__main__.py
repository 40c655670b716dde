"""The program `qpeft`: finds the command, runs it, and prints a mistake of the user as one sentence."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import NoReturn

from pyserini_qpeft import __version__, cli
from pyserini_qpeft.cli.interrupts import stopped
from pyserini_qpeft.cli.overwriting import check_outputs
from pyserini_qpeft.cli.waiting import wait_without_cores
from pyserini_qpeft.errors import QPeftError, did_you_mean

# Errors of the machine and not of the program, such as a full disk, a missing folder or a forbidden file.
_ENVIRONMENT_ERRORS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EISDIR,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOENT,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


class Parser(argparse.ArgumentParser):
    """An argument parser that raises a `QPeftError`, so that `main` prints it as it prints every other mistake."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as a `QPeftError`, with a hint at `--help`."""
        raise QPeftError(f"{message} (see {self.prog} --help).")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Command line without the program's name; None is the command line of this process.

    Returns:
        The exit code: 0, or 2 for a mistake of the user, 130 after Ctrl-C, 141 if the reader of a pipe has closed it.
    """
    wait_without_cores()
    logging.getLogger("torch.utils._pytree").disabled = True  # notes of torchao about its own code; torch resets levels
    try:
        try:
            code = _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()  # a closed pipe is noticed here, not at exit
    except QPeftError as error:
        return _mistake(error)
    except KeyboardInterrupt:
        if not stopped():
            print("qpeft: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # otherwise the interpreter prints an error when it flushes at exit
        return 141
    except OSError as error:
        if error.errno not in _ENVIRONMENT_ERRORS:
            raise
        return _mistake(f"{error.strerror}: {error.filename}" if error.filename else error.strerror)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _mistake(f"out of memory: {str(error).strip().partition(chr(10))[0] or 'Python got no more'}")
    return code


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory is missing in this process or on the GPU; torch raises a RuntimeError for both."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words


def _mistake(sentence: object) -> int:
    if not stopped():  # else it comes from the interruption
        print(f"qpeft: error: {sentence}", file=sys.stderr)
    return 2


def _run(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "--help"
    if command.startswith("-"):
        _overview().parse_args([command])
        return 0
    module = _command(command)
    parser = Parser(
        prog=f"qpeft {command}",
        description=module.HELP,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parse = getattr(module, "parse", Parser.parse_known_args)
    args, others = parse(parser, arguments[1:])
    if others:
        parser.error(f"unknown arguments: {' '.join(others)}{_meant(parser, others)}")
    if hasattr(module, "outputs"):
        check_outputs(module.outputs(args), args)
    return module.run(args) or 0


def _meant(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    """A suggestion for the first unknown option."""
    option = next((word.partition("=")[0] for word in unknown if word.startswith("--")), "")
    known = [flag for action in parser._actions for flag in action.option_strings]
    close = did_you_mean(option, known) if option else ""
    return f".{close}" if close else ""


def _names() -> list[str]:
    return sorted(module.name for module in iter_modules(cli.__path__) if not module.name.startswith("_"))


def _command(name: str) -> ModuleType:
    module = import_module(f"{cli.__name__}.{name}") if name in _names() else None
    if not hasattr(module, "HELP"):
        known = [command for command, _ in commands()]
        raise QPeftError(f"there is no command {name!r}: use one of {', '.join(known)}.{did_you_mean(name, known)}")
    assert module is not None
    return module


def commands() -> list[tuple[str, ModuleType]]:
    """The name of each command, and the module that has its `HELP`, `add_arguments` and `run`."""
    modules = [(name, import_module(f"{cli.__name__}.{name}")) for name in _names()]
    return [(name, module) for name, module in modules if hasattr(module, "HELP")]


def _overview() -> argparse.ArgumentParser:
    width = max(len(name) for name, _ in commands())
    lines = "\n".join(f"  {name:{width}}  {module.HELP}" for name, module in commands())
    parser = Parser(
        prog="qpeft",
        usage="qpeft COMMAND [options]",
        description="Reranks the hits of a first stage, such as Pyserini's BM25, with a language model (Q-PEFT).",
        epilog=f"commands:\n{lines}\n\nqpeft COMMAND --help lists the options of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pyserini-qpeft {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
