"""Checks that no forbidden query (see `recipes.base_model.forbidden`) is among the training queries.

Run: `python -m recipes.check_leaks --shared ../shared --pairs FOLDER/pairs.jsonl.gz`. It prints what it compared. The
exit code is 1 if it found a forbidden query.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from recipes.base_model.forbidden import Forbidden, normalized
from recipes.base_model.pairs import read_pairs


def leaks(queries: Iterable[str], forbidden: Forbidden) -> Counter[tuple[str, str]]:
    """Counts each (normalised query, origin) pair that is among `queries`."""
    found: Counter[tuple[str, str]] = Counter()
    for query in queries:
        key = normalized(query)
        if key in forbidden.origins:
            found[key, forbidden.origins[key]] += 1
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--pairs", type=Path, required=True, nargs="+")
    arguments = parser.parse_args()
    forbidden = Forbidden.read(arguments.shared / "data")
    for origin, count in sorted(Counter(forbidden.origins.values()).items()):
        print(f"{count:7d}  forbidden: {origin}")
    queries = [
        query for path in arguments.pairs for group in read_pairs(path) for pair in group for query in pair.queries
    ]
    found = leaks(queries, forbidden)
    print(f"{len(queries)} training queries ({len(set(map(normalized, queries)))} distinct), {len(found)} leaks")
    for (query, origin), count in found.most_common(20):
        print(f"  {origin}: {query!r} ({count} times)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
