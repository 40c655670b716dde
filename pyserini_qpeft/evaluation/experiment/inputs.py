"""What an experiment reads of a collection: judged queries, their judgements and answers, first-stage hits."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pyserini_qpeft.data.beir import BeirFolder, write_qrels, write_topics
from pyserini_qpeft.data.corpus import iter_documents
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, Run, Topics
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.spec import Collection, Examples, FirstStage
from pyserini_qpeft.evaluation.experiment.steps import RunVerb, Step, slug


@dataclass(frozen=True)
class CollectionInputs:
    """The judged queries of a collection, and their files under the experiment's folder.

    Attributes:
        collection: what is read.
        folder: where the files go.
    """

    collection: Collection
    folder: Path

    @cached_property
    def qrels(self) -> Qrels:
        """Judgements of the queries that count."""
        qrels = read_qrels(BeirFolder(self.collection.folder).qrels(self.collection.split))
        # Neighbours in a file often ask about the same article, so a sample goes through all of it.
        judged = list(qrels.items())
        count = min(self.collection.queries or len(judged), len(judged))
        return dict(judged[place * len(judged) // count] for place in range(count))

    @cached_property
    def topics(self) -> Topics:
        """Their texts."""
        known = read_topics(self.queries_file)
        missing = [qid for qid in self.qrels if qid not in known]
        if missing:
            raise QPeftError(f"{self.queries_file} lacks the judged query {missing[0]}")
        return {qid: known[qid] for qid in self.qrels}

    @cached_property
    def answers(self) -> dict[str, list[str]]:
        """Their answers, where the collection has them."""
        answers = read_answers(self.queries_file)
        return {qid: answers[qid] for qid in self.qrels if qid in answers}

    def text_of(self, run: Run) -> Callable[[str], str | None]:
        """The texts, without titles, of a run's passages."""
        wanted = {hit.docid for hits in run.values() for hit in hits}
        texts = {one.docid: one.text for one in iter_documents(self.collection.folder) if one.docid in wanted}
        return texts.get

    @cached_property
    def topics_file(self) -> Path:
        """The judged queries as a file."""
        path = self.folder / "topics.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_topics(path, self.topics)
        return path

    @cached_property
    def qrels_file(self) -> Path:
        """Their judgements as a file."""
        path = self.folder / "qrels.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_qrels(path, self.qrels)
        return path

    @property
    def queries_file(self) -> Path:
        """All queries of the folder, with their answers where it has them."""
        return BeirFolder(self.collection.folder).topics


@dataclass(frozen=True, slots=True)
class FirstStageRun:
    """First-stage hits of a collection's judged queries, and the commands that made them."""

    run: Run
    file: Path
    steps: tuple[Step, ...]


def first_stage_run(inputs: CollectionInputs, stage: FirstStage, hits: int, run_verb: RunVerb) -> FirstStageRun:
    """Search the collection, or take the stored run, for the queries that count.

    Args:
        inputs: the collection.
        stage: where hits come from.
        hits: how many of each query.
        run_verb: runs a verb.

    Raises:
        QPeftError: a step failed, or no judged query has hits.
    """
    steps: tuple[Step, ...] = ()
    if stage.run is None:
        index = index_step(inputs.collection.folder, inputs.folder.parent)
        options = {"index": index.make(run_verb), "topics": inputs.topics_file, "hits": hits, "quiet": True}
        search = Step(
            "search",
            {**options, **stage.options, "first-stage-only": True},
            inputs.folder / f"{slug(stage.name)}-search.trec",
        )
        steps = (index, search)
        found = read_run(search.make(run_verb))
    else:
        found = read_run(stage.run)
    run = {qid: found[qid][:hits] for qid in inputs.topics if qid in found}
    if not run:
        raise QPeftError(f"{inputs.collection.name}: first stage {stage.name} has no judged query")
    lines = (
        f"{qid} Q0 {hit.docid} {rank} {hit.score!r} first-stage\n"
        for qid, listed in run.items()
        for rank, hit in enumerate(listed, start=1)
    )
    return FirstStageRun(run, _written(inputs.folder / f"{slug(stage.name)}.trec", "".join(lines)), steps)


def index_step(collection: Path, experiment: Path) -> Step:
    """The command that indexes a BEIR folder; the same whatever split of it is used, for its corpus alone matters."""
    options = {"corpus": BeirFolder(collection).corpus, "overwrite": True}
    return Step("index", options, experiment / "indexes" / "index", "index")


def mining_steps(examples: Examples, experiment: Path, run_verb: RunVerb) -> tuple[Step, Step]:
    """The commands that make training examples, the second of which writes them; both are run if they have not been."""
    index = index_step(examples.folder, experiment)
    options = {"collection": examples.folder, "index": index.make(run_verb), **examples.options}
    mining = Step("mine", options, experiment / "examples" / f"{slug(examples.name)}.json")
    mining.make(run_verb)
    return index, mining


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(text)
    return path
