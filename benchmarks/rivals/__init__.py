"""The ways of scoring that are compared: one file each, imported when it is used."""

from importlib import import_module

from benchmarks.rivals.rival import Rival

NAMES = (
    "ours",
    "ours, unshared",
    "ours-R",
    "ours-R, unshared",
    "as published",
    "plain Hugging Face",
    "CrossEncoder",
    "rank_llm",
    "rerankers",
)
"""The ways of the table `speed`; `rival` knows some more, those of the table `engines` only."""

_MODULES = {
    "ours": "ours",
    "ours, unshared": "ours_unshared",
    "ours-R": "ours_with_hints",
    "ours-R, unshared": "ours_with_hints_unshared",
    "as published": "published",
    "plain Hugging Face": "plain",
    "CrossEncoder": "cross_encoder",
    "rank_llm": "rank_llm",
    "rerankers": "rerankers",
    "ours, int8": "ours_int8",
    "ours, int8, unshared": "ours_int8_unshared",
    "llama.cpp": "llama_cpp",
}


def rival(name: str) -> Rival:
    """Returns the way of scoring with this name."""
    found: Rival = import_module(f"benchmarks.rivals.{_MODULES[name]}").RIVAL
    return found
