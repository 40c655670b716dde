"""`python -m pyserini_qpeft` is the program `qpeft`."""

import sys

from pyserini_qpeft.cli.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
