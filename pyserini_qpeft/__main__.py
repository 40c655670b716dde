"""`python -m pyserini_qpeft` is the program `qpeft`."""

import sys

from pyserini_qpeft.cli.interrupts import program

if __name__ == "__main__":
    sys.exit(program())
