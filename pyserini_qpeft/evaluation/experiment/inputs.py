"""What an experiment reads from a collection: judged queries, their qrels and answers, first-stage hits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pyserini_qpeft.data.beir import BeirFolder, write_qrels, write_topics
from pyserini_qpeft.data.corpus import iter_documents
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, RankedHit, RankedList, Run, ScoredDoc, Topics
from pyserini_qpeft.data.runs import read_run, write_run
from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.spec import Collection, Examples, FirstStage
from pyserini_qpeft.evaluation.experiment.steps import RunCommand, Step, slug


@dataclass(frozen=True)
class CollectionInputs:
    """The judged queries of a collection, and their files under the experiment's folder.

    Attributes:
        collection: The collection.
        folder: Folder for the files.
    """

    collection: Collection
    folder: Path

    @cached_property
    def qrels(self) -> Qrels:
        """Qrels of the queries that are used."""
        qrels = read_qrels(BeirFolder(self.collection.folder).qrels(self.collection.split))
        # Queries that are adjacent in a file are often about the same article, so the sample is spread over the file.
        judged = list(qrels.items())
        count = min(self.collection.queries or len(judged), len(judged))
        return dict(judged[place * len(judged) // count] for place in range(count))

    @cached_property
    def topics(self) -> Topics:
        """Texts of the queries that are used."""
        known = read_topics(self.queries_file)
        missing = [qid for qid in self.qrels if qid not in known]
        if missing:
            raise QPeftError(f"{self.queries_file} has no text for the judged query {missing[0]}")
        return {qid: known[qid] for qid in self.qrels}

    @cached_property
    def answers(self) -> dict[str, list[str]]:
        """Answers to the queries that are used, if the collection has them."""
        answers = read_answers(self.queries_file)
        return {qid: answers[qid] for qid in self.qrels if qid in answers}

    def text_of(self, run: Run) -> Callable[[str], str | None]:
        """Return a function from docid to text, without title, for the passages of a run."""
        wanted = {hit.docid for hits in run.values() for hit in hits}
        texts = {one.docid: one.text for one in iter_documents(self.collection.folder) if one.docid in wanted}
        return texts.get

    @cached_property
    def topics_file(self) -> Path:
        """The queries that are used, as a file."""
        write_topics(path := self._file("topics.jsonl"), self.topics)
        return path

    @cached_property
    def qrels_file(self) -> Path:
        """The qrels that are used, as a file."""
        write_qrels(path := self._file("qrels.tsv"), self.qrels)
        return path

    @property
    def queries_file(self) -> Path:
        """The file of all queries of the collection, with their answers if it has them."""
        return BeirFolder(self.collection.folder).topics

    def _file(self, name: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name


@dataclass(frozen=True, slots=True)
class FirstStageRun:
    """First-stage hits of the judged queries of a collection, and the commands that produce them."""

    run: Run
    file: Path
    steps: tuple[Step, ...]


def first_stage_run(inputs: CollectionInputs, stage: FirstStage, hits: int, run_command: RunCommand) -> FirstStageRun:
    """Search the collection for the queries that are used, or read the stored run.

    Args:
        inputs: The collection.
        stage: The first stage.
        hits: Hits per query.
        run_command: Runs a command of `qpeft`.

    Raises:
        QPeftError: A step failed, or no judged query has hits.
    """
    steps: tuple[Step, ...] = ()
    if stage.run is None:
        index = index_step(inputs.collection.folder, inputs.folder.parent)
        options = {"index": index.make(run_command), "topics": inputs.topics_file, "hits": hits, "quiet": True}
        search = Step(
            "search",
            {**options, **stage.options, "first-stage-only": True},
            inputs.folder / f"{slug(stage.name)}-search.trec",
        )
        steps = (index, search)
        found = read_run(search.make(run_command))
    else:
        found = read_run(stage.run)
    run = {qid: found[qid][:hits] for qid in inputs.topics if qid in found}
    if not run:
        raise QPeftError(f"{inputs.collection.name}: first stage {stage.name} has no judged query")
    file = inputs.folder / f"{slug(stage.name)}.trec"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_run(file, (_as_found(qid, inputs.topics[qid], listed) for qid, listed in run.items()), tag="first-stage")
    return FirstStageRun(run, file, steps)


def index_step(collection: Path, experiment: Path) -> Step:
    """Return the command that indexes the corpus of a BEIR folder; all splits use the same index."""
    options = {"corpus": BeirFolder(collection).corpus, "overwrite": True}
    return Step("index", options, experiment / "indexes" / "index", "index")


def mining_steps(examples: Examples, experiment: Path, run_command: RunCommand) -> tuple[Step, Step]:
    """Return the commands that index a collection and mine training examples, after running them if necessary."""
    index = index_step(examples.folder, experiment)
    options = {"collection": examples.folder, "index": index.make(run_command), **examples.options}
    mining = Step("mine", options, experiment / "examples" / f"{slug(examples.name)}.json")
    mining.make(run_command)
    return index, mining


def _as_found(qid: str, query: str, hits: Sequence[ScoredDoc]) -> RankedList:
    """The list of a query in the first stage's order."""
    return RankedList(
        qid, query, [RankedHit(hit.docid, hit.score, rank, hit.score, rank) for rank, hit in enumerate(hits, start=1)]
    )
