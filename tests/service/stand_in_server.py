"""`qpeft` with stand-ins for the worker processes of the service: `python stand_in_server.py serve [options]`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from pyserini_qpeft.cli.__main__ import main
    from pyserini_qpeft.service import engine, names

    engine.SCORING = "stand_ins:StandInScoring"
    engine.SEARCHING = "stand_ins:StandInSearching"
    names.is_lucene_index = lambda folder: True
    sys.exit(main(sys.argv[1:]))
