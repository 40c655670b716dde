"""What scoring is held against: one small file for each way of doing it, none loaded before it is asked for."""

from importlib import import_module

from benchmarks.rivals.rival import Rival

NAMES = (
    "ours",
    "ours, cache",
    "ours-R",
    "ours-R, cache",
    "as published",
    "plain Hugging Face",
    "CrossEncoder",
    "rank_llm",
    "rerankers",
)
_MODULES = {
    "ours": "ours",
    "ours, cache": "ours_with_cache",
    "ours-R": "ours_with_hints",
    "ours-R, cache": "ours_with_hints_and_cache",
    "as published": "published",
    "plain Hugging Face": "plain",
    "CrossEncoder": "cross_encoder",
    "rank_llm": "rank_llm",
    "rerankers": "rerankers",
}


def rival(name: str) -> Rival:
    """The rival of that name."""
    found: Rival = import_module(f"benchmarks.rivals.{_MODULES[name]}").RIVAL
    return found
