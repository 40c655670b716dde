"""`qpeft serve` with stand-ins for its worker processes: `python stand_in_server.py [options of qpeft serve]`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from pyserini_qpeft.cli.__main__ import main
    from pyserini_qpeft.service import engine

    engine.SCORING = "stand_ins:StandInScoring"
    engine.SEARCHING = "stand_ins:StandInSearching"
    sys.exit(main(["serve", "--port", "0", *sys.argv[1:]]))
