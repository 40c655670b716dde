"""The program `qpeft`, which is also `python -m pyserini_qpeft`."""

import sys

from pyserini_qpeft.cli.interrupts import run_interruptible


def program() -> int:
    """Runs the command line of this process, and returns its exit code."""
    return run_interruptible(_command)


def _command() -> int:
    from pyserini_qpeft.cli.__main__ import main  # takes longer to import, and signals are answered already

    return main()


if __name__ == "__main__":
    sys.exit(program())
