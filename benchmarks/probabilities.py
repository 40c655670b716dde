"""How well probabilities of relevance hold on a collection whose queries they were not fitted on.

    qpeft rerank --run bm25.jsonl --fusion none --output-format jsonl --output reranked.jsonl    # for each collection
    python -m benchmarks.probabilities NAME=reranked.jsonl,qrels.tsv NAME=reranked.jsonl,qrels.tsv …

Each collection is measured with the curve that is fitted on the others together: once on the gain of each hit
(likelihood minus prior), as the package does, and once on the likelihood alone. The last row is fitted and measured on
all of them.
"""

import argparse

import numpy as np

from pyserini_qpeft.calibration.calibration import fit_calibration
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.reliability import measure_reliability

HEADS = (
    *("measured on", "queries", "hits", "share relevant", "input", "mean probability", "Brier", "skill"),
    "calibration error",
)

Query = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Gains and likelihoods of the hits of a query, and which of them are relevant."""


def read(run: str, qrels: str) -> list[Query]:
    """The rescored hits of the judged queries of a run (JSONL)."""
    judged = read_qrels(qrels)
    queries = []
    for one in read_ranked_lists(run):
        scored = [(hit.docid, hit.likelihood) for hit in one.hits if hit.likelihood is not None]
        if one.qid not in judged or not scored:
            continue
        if one.prior is None:
            raise QPeftError(f"{run}: query {one.qid} has no prior: rerank with --output-format jsonl")
        likelihoods = np.array([likelihood for _, likelihood in scored])
        relevant = np.array([judged[one.qid].get(docid, 0) > 0 for docid, _ in scored])
        queries.append((likelihoods - one.prior, likelihoods, relevant))
    return queries


def rows(name: str, fitted_on: list[Query], measured_on: list[Query]) -> list[list[str]]:
    """The cells of one collection for both inputs, see `HEADS`."""
    relevant = np.concatenate([one[2] for one in measured_on])
    table = []
    for place, words in enumerate(("gain", "likelihood")):
        cells = [name, str(len(measured_on)), str(len(relevant)), f"{relevant.mean():.3f}", words]
        try:
            curve = fit_calibration([(one[place], one[2]) for one in fitted_on])
        except QPeftError:  # relevant hits do not have the higher numbers
            table.append([*cells, "no curve", "–", "–", "–"])
            continue
        found = measure_reliability(
            curve.probabilities(np.concatenate([one[place] for one in measured_on]), 0.0), relevant
        )
        numbers = (found.mean, found.brier, found.skill, found.error)
        table.append([*cells, *(f"{number:.3f}" for number in numbers)])
    return table


def main() -> None:
    """Print a table in Markdown."""
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN,QRELS", help="reranked lists (JSONL) and their qrels")
    collections = {}
    for given in parser.parse_args().runs:
        name, _, files = given.partition("=")
        collections[name] = read(*files.split(",", 1))
    everything = [query for queries in collections.values() for query in queries]
    table = []
    for name, queries in collections.items():
        others = [query for other, those in collections.items() if other != name for query in those]
        table += rows(name, others, queries) if others else []
    table += rows("all, fitted on them", everything, everything)
    print(tabulate(table, headers=HEADS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
