"""When memory runs out, at whatever size of batch, every pair gets its score, or there is one sentence."""

from pathlib import Path

import numpy as np
import pytest
from forks import command, run, the_sentence
from jobs import JOBS

BY_NAME = {job.name: job for job in JOBS}
PASSAGES = ["river " * n for n in (1, 2, 3, 5, 8, 13, 20, 30)]


class Memory:
    """A model that can compute a certain number of tokens at once."""

    def __init__(self, model) -> None:
        self._forward, self.tokens = model.forward, 0
        model.forward = self

    def __call__(self, input_ids=None, *args, inputs_embeds=None, **options):
        import torch

        shape = (input_ids if input_ids is not None else inputs_embeds).shape
        if shape[0] * shape[1] > self.tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._forward(input_ids, *args, inputs_embeds=inputs_embeds, **options)


@pytest.mark.parametrize("cached", [0, 1 << 24])
def test_every_size_of_memory(cached: int, tiny_model_dir: Path):
    from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig
    from pyserini_qpeft.scoring.config import ScoringConfig

    config = RerankConfig(scoring=ScoringConfig(passage_cache_bytes=cached))

    def load() -> QPeftReranker:
        return QPeftReranker.from_pretrained(tiny_model_dir, config=config, dtype="float32", device="cpu")

    expected = load().score("which river", PASSAGES)
    scored, refused = 0, []
    for tokens in [*range(1, 120, 7), 200, 400, 800, 1600]:
        reranker = load()
        Memory(reranker.scorer.model).tokens = tokens
        try:
            found = reranker.score("which river", PASSAGES)
        except QPeftError as error:
            refused.append(str(error))
        else:
            scored += 1
            np.testing.assert_allclose(found, expected, atol=2e-5)
    assert scored >= 4
    assert refused
    assert all("out of memory on cpu with a single passage" in sentence for sentence in refused)


def _no_memory_for_training() -> None:
    import torch

    from pyserini_qpeft.training import pair_scorer

    def forward(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has none.")

    pair_scorer.PairScorer.forward = forward


def test_training_without_memory_is_one_sentence(inputs: Path, tmp_path: Path):
    sentence = the_sentence(*run(command(BY_NAME["train"], inputs, tmp_path), _no_memory_for_training))
    assert sentence == "out of memory: CUDA out of memory. Tried to allocate 2.00 GiB."


def _no_memory_for_reading() -> None:
    from pyserini_qpeft.data import runs

    def read(path):
        raise MemoryError

    runs.read_run = read


def test_reading_without_memory_is_one_sentence(inputs: Path, tmp_path: Path):
    sentence = the_sentence(*run(command(BY_NAME["rerank, TREC"], inputs, tmp_path), _no_memory_for_reading))
    assert sentence.startswith("out of memory")
    assert list(tmp_path.iterdir()) == []
