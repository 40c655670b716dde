"""A collection of long documents: PubMed abstracts of NFCorpus, joined in a random order.

A document is a number of abstracts that have nothing to do with each other, each with its title. Its grade for a query
is the highest grade of its abstracts. The queries are those of NFCorpus's development and test splits.
"""

import json
import random
from collections.abc import Mapping
from pathlib import Path

from pyserini_qpeft.data.beir import BeirFolder, write_beir_folder, write_qrels
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.data.topics import read_topics

SHORTEST = 10_500
"""Characters that a document has at least: 2,000 tokens."""


def make(source: BeirFolder, folder: Path, documents: int, queries: Mapping[str, int]) -> BeirFolder:
    """Write the collection as a BEIR folder with the splits `dev` and `test`.

    Args:
        source: NFCorpus.
        folder: Where to write.
        documents: How many documents.
        queries: How many queries of each split, spread evenly over those with a relevant document.
    """
    texts = Corpus.open(source.folder)
    joined = _joined(texts, documents)
    document_of = {part: docid for docid, parts in joined.items() for part in parts}
    judged = {
        split: _spread(_of_documents(read_qrels(source.qrels(split)), document_of), queries[split]) for split in queries
    }
    known = read_topics(source.topics)
    topics = {qid: known[qid] for grades in judged.values() for qid in grades}
    lines = [
        json.dumps({"_id": docid, "title": "", "text": "\n".join(texts[part] for part in parts)}, ensure_ascii=False)
        for docid, parts in joined.items()
    ]
    made = write_beir_folder(folder, "\n".join(lines) + "\n", topics, judged["test"], "test")
    write_qrels(folder / "qrels" / "dev.tsv", judged["dev"])
    return made


def _joined(texts: Corpus, documents: int) -> dict[str, list[str]]:
    """The abstracts of each document, by docid."""
    joined: dict[str, list[str]] = {}
    parts: list[str] = []
    for abstract in random.Random(1).sample(sorted(texts), len(texts)):
        parts.append(abstract)
        if sum(len(texts[part]) for part in parts) >= SHORTEST:
            joined[f"joined-{len(joined)}"] = parts
            parts = []
        if len(joined) == documents:
            break
    return joined


def _of_documents(qrels: Qrels, document_of: Mapping[str, str]) -> Qrels:
    """Grades of documents from those of abstracts; queries without a relevant document are left out."""
    found: Qrels = {}
    for qid, grades in qrels.items():
        for abstract, grade in grades.items():
            if grade > 0 and abstract in document_of:
                of_query = found.setdefault(qid, {})
                docid = document_of[abstract]
                of_query[docid] = max(grade, of_query.get(docid, 0))
    return found


def _spread(qrels: Qrels, count: int) -> Qrels:
    judged = list(qrels.items())
    return dict(judged[place * len(judged) // count] for place in range(count)) if count < len(judged) else qrels
