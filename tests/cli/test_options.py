import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.cli.options import add_options, read_options


@dataclass(frozen=True)
class Recipe:
    eggs: int = field(default=2, metadata={"help": "how many, 100% fresh"})
    sugar: float | None = field(default=None, metadata={"help": "grams"})
    oven: Literal["gas", "electric"] = field(default="gas", metadata={"help": "kind of oven"})
    stir: bool = field(default=True, metadata={"help": "whether to stir"})
    spices: tuple[str, ...] = field(default=(), metadata={"help": "names"})
    herbs: list[str] = field(default_factory=list, metadata={"help": "which", "choices": ("dill", "mint")})
    amounts: dict[str, object] = field(default_factory=dict, metadata={"help": "by name"})
    book: Path | None = field(default=None, metadata={"help": "where it stands"})
    cook_notes: str = "private"


def parsed(*arguments: str, **how: object) -> Recipe:
    parser = argparse.ArgumentParser()
    add_options(parser, Recipe, **how)  # type: ignore[arg-type]
    return read_options(Recipe, parser.parse_args(arguments))


def test_what_is_not_given_keeps_the_configurations_default():
    assert parsed() == Recipe()


@given(
    eggs=st.integers(), sugar=st.floats(allow_nan=False), oven=st.sampled_from(["gas", "electric"]), stir=st.booleans()
)
def test_what_is_given_arrives_with_its_type(eggs, sugar, oven, stir):
    given_ = [f"--eggs={eggs}", f"--sugar={sugar!r}", f"--oven={oven}", "--stir" if stir else "--no-stir"]
    assert parsed(*given_) == Recipe(eggs=eggs, sugar=sugar, oven=oven, stir=stir)


def test_paths_and_several_values():
    recipe = parsed("--book", "a/b", "--spices", "salt", "thyme", "--herbs", "mint", "dill")
    assert recipe.book == Path("a/b")
    assert list(recipe.spices) == ["salt", "thyme"]
    assert recipe.herbs == ["mint", "dill"]
    with pytest.raises(SystemExit):
        parsed("--herbs", "mint", "basil")


def test_a_dict_is_given_as_names_and_values():
    recipe = parsed("--amounts", "milk=0.5", "salt=2", "oil=olive", "hot=true", "note=a=b: [")
    assert recipe.amounts == {"milk": 0.5, "salt": 2, "oil": "olive", "hot": True, "note": "a=b: ["}
    with pytest.raises(SystemExit):
        parsed("--amounts", "milk")


def test_only_fields_with_a_help_text_are_options():
    with pytest.raises(SystemExit):
        parsed("--cook-notes", "none")


def test_a_prefix_and_a_short_spelling():
    how = {"prefix": "--my.", "short": ("eggs",)}
    assert parsed("--my.eggs", "3", **how) == parsed("--eggs", "3", **how) == Recipe(eggs=3)
    with pytest.raises(SystemExit):
        parsed("--oven", "gas", **how)


def test_the_help_shows_defaults():
    parser = argparse.ArgumentParser()
    add_options(parser, Recipe, ("eggs", "sugar", "stir"))
    text = " ".join(parser.format_help().split())
    assert "how many, 100% fresh (default: 2)" in text
    assert "whether to stir (default: on)" in text
    assert "--oven" not in text


def test_values_that_are_no_options_are_given_directly():
    parser = argparse.ArgumentParser()
    add_options(parser, Recipe)
    assert read_options(Recipe, parser.parse_args(["--eggs", "1"]), cook_notes="mine") == Recipe(
        eggs=1, cook_notes="mine"
    )
