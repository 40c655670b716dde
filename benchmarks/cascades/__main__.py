"""Measures every chain of two models on the scores that are there, and draws them.

    OMP_NUM_THREADS=1 python -m benchmarks.cascades.score --shared ../shared --work WORK
    python -m benchmarks.cascades --shared ../shared --work WORK --output docs/images/cascades.png --check 2

`--check` reranks some queries of each collection with the real `CascadeReranker` too, and compares the lists.
"""

import argparse
from pathlib import Path

from benchmarks.cascades.chains import Scored, chains, measure, over_all
from benchmarks.cascades.check import same_as_the_real_one
from benchmarks.cascades.plot import draw, table


def main() -> None:
    """Measures all chains, and writes table and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/ (default: ../shared)")
    parser.add_argument("--work", type=Path, required=True, help="folder of benchmarks.cascades.score")
    parser.add_argument("--split", default="test", help="split of the qrels (default: test)")
    parser.add_argument("--output", type=Path, help="the plot (.png, .svg)")
    parser.add_argument("--check", type=int, default=0, metavar="QUERIES", help="queries for the real CascadeReranker")
    args = parser.parse_args()
    folders = sorted(file.parent for file in args.work.glob(f"*/{args.split}.jsonl"))
    collections = [Scored.read(args.shared, folder, args.split) for folder in folders]
    measured = {one.name: [measure(chain, one) for chain in chains()] for one in collections}
    print(table({**measured, "all": over_all(measured)}))
    if args.output is not None:
        draw(measured, args.output)
    if args.check:
        print(same_as_the_real_one(collections, args.shared, args.check))


if __name__ == "__main__":
    main()
