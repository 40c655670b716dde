"""Reads and checks the YAML file of an experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from pyserini_qpeft.data.files import PathLike, read_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.checks import at_least_one, keys_of, listed, several, value_of
from pyserini_qpeft.evaluation.experiment.spec import (
    Adapter,
    Collection,
    Examples,
    Expected,
    Experiment,
    FirstStage,
    Fusion,
    Options,
    Variant,
)
from pyserini_qpeft.evaluation.measures import DEFAULT_MEASURES, parse_measures
from pyserini_qpeft.reranking.fusion import FusionConfig


def read_experiment(path: PathLike) -> Experiment:
    """Read an experiment.

    A text that is the name of a file or folder beside the YAML file becomes its path; any other text (a hub id, the
    name of a shipped adapter) is not changed.

    Raises:
        QPeftError: The YAML is broken (with the line), a key is unknown or missing, or a value has the wrong type.
    """
    try:
        read = yaml.safe_load(read_whole(path))
    except yaml.MarkedYAMLError as mistake:
        line = mistake.problem_mark.line + 1 if mistake.problem_mark else 1
        raise QPeftError(f"{path}:{line}: broken YAML: {mistake.problem}") from None
    except yaml.YAMLError as mistake:
        raise QPeftError(f"{path}: broken YAML: {' '.join(str(mistake).split())}") from None
    except RecursionError:
        raise QPeftError(f"{path}: YAML is nested too deeply") from None
    except ValueError as mistake:  # a date such as 2024-13-45, or a number of thousands of digits
        raise QPeftError(f"{path}: a value that YAML cannot read: {mistake!s:.80}") from None
    try:
        return _experiment(read, Path(path).parent)
    except QPeftError as mistake:
        raise QPeftError(f"{path}: {mistake}") from None


def _experiment(read: Any, home: Path) -> Experiment:
    keys = keys_of(
        read,
        "the experiment",
        required=("name", "collections", "models"),
        optional=(
            *("depths", "fusion", "fusion-method", "seeds", "hits", "measures"),
            *("answer-cutoffs", "comparisons", "examples", "expected", "tolerance"),
        ),
    )
    measures = tuple(several(keys.get("measures", list(DEFAULT_MEASURES)), str, "measures"))
    method = value_of(keys.get("fusion-method", "zscore"), str, "fusion-method")
    FusionConfig(method=method)
    seeds = several(keys.get("seeds", [0]), int, "seeds")
    experiment = Experiment(
        name=value_of(keys["name"], str, "name"),
        collections=tuple(
            _collection(name, inner, home) for name, inner in keys_of(keys["collections"], "collections").items()
        ),
        adapters=tuple(
            adapter
            for name, inner in keys_of(keys["models"], "models").items()
            for adapter in _model(name, inner, seeds, home)
        ),
        examples={
            name: _examples(name, inner, home) for name, inner in keys_of(keys.get("examples", {}), "examples").items()
        },
        depths=tuple(at_least_one(several(keys.get("depths", [100]), int, "depths"), "depths")),
        fusions=tuple(_fusion(one) for one in listed(keys.get("fusion", "none"))),
        method=method,
        hits=at_least_one([value_of(keys.get("hits", 100), int, "hits")], "hits")[0],
        measures=tuple(str(measure) for measure in parse_measures(measures)),
        answer_cutoffs=tuple(
            at_least_one(several(keys.get("answer-cutoffs", []), int, "answer-cutoffs"), "answer-cutoffs")
        ),
        comparisons=_pairs(keys.get("comparisons", [])),
        expected=_expected(keys.get("expected", {})),
        tolerance=float(value_of(keys.get("tolerance", 0.0001), (int, float), "tolerance")),
    )
    for row in (row for pair in experiment.comparisons for row in pair):
        if row not in experiment.rows:
            raise QPeftError(f"comparisons: there is no row {row!r}: the rows are {'; '.join(experiment.rows)}")
    return experiment


def _collection(name: str, read: Any, home: Path) -> Collection:
    where = f"collections: {name}"
    keys = keys_of(read, where, required=("folder",), optional=("split", "queries", "first-stages", "dev"))
    folder = _folder(keys["folder"], home, where)
    stages = _first_stages(keys.get("first-stages", {"BM25": {}}), home, where)
    dev = None
    if "dev" in keys:
        inner = keys_of(keys["dev"], f"{where}: dev", optional=("folder", "split", "queries", "first-stages"))
        dev_folder = _folder(inner["folder"], home, f"{where}: dev") if "folder" in inner else folder
        split = value_of(inner.get("split", "dev"), str, f"{where}: dev: split")
        dev_stages = stages
        if "first-stages" in inner:
            dev_stages = _first_stages(inner["first-stages"], home, f"{where}: dev")
        dev = Collection(
            name=f"{dev_folder.name} {split}",
            folder=dev_folder,
            split=split,
            queries=_queries(inner, f"{where}: dev"),
            first_stages=dev_stages,
        )
    return Collection(
        name, folder, value_of(keys.get("split", "test"), str, f"{where}: split"), _queries(keys, where), stages, dev
    )


def _examples(name: str, read: Any, home: Path) -> Examples:
    where = f"examples: {name}"
    options = dict(keys_of(read, where, required=("collection",), optional=None))
    folder = _folder(options.pop("collection"), home, where)
    return Examples(name, folder, _options(options, home, where))


def _first_stages(read: Any, home: Path, where: str) -> tuple[FirstStage, ...]:
    stages = []
    for name, inner in keys_of(read, f"{where}: first-stages").items():
        if isinstance(inner, str):
            run = home / inner
            if not run.is_file():
                raise QPeftError(f"{where}: the run {inner} of first stage {name} does not exist")
            stages.append(FirstStage(name, run=run))
        else:
            stages.append(FirstStage(name, options=_options(inner, home, f"{where}: {name}")))
    if not stages:
        raise QPeftError(f"{where}: name a first stage")
    return tuple(stages)


def _model(name: str, read: Any, seeds: Sequence[int], home: Path) -> list[Adapter]:
    where = f"models: {name}"
    keys = keys_of(read, where, required=("adapters",), optional=("options",))
    adapters = []
    for label, inner in keys_of(keys["adapters"], f"{where}: adapters").items():
        own = {"adapter": inner} if isinstance(inner, str) else dict(keys_of(inner or {}, f"{where}: {label}"))
        train = own.pop("train", None)
        own_seeds = several(own.pop("seeds", list(seeds)), int, f"{where}: {label}: seeds")
        options = {**keys_of(keys.get("options") or {}, f"{where}: options"), **own}
        seeded = train is not None or any("{seed}" in value for value in options.values() if isinstance(value, str))
        variants = [
            Variant(
                seed=seed,
                options=_options(_with_seed(options, seed), home, f"{where}: {label}"),
                train=None if train is None else _options(_with_seed(train, seed), home, f"{where}: {label}: train"),
            )
            for seed in (own_seeds if seeded else [None])
        ]
        adapters.append(Adapter(f"{name}/{label}", tuple(variants)))
    return adapters


def _with_seed(read: Any, seed: int | None) -> Any:
    if not isinstance(read, Mapping) or seed is None:
        return read
    return {key: value.replace("{seed}", str(seed)) if isinstance(value, str) else value for key, value in read.items()}


def _pairs(read: Any) -> tuple[tuple[str, str], ...]:
    pairs: dict[tuple[str, str], None] = {}
    for pair in listed(read):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(row, str) for row in pair):
            raise QPeftError(f"comparisons: a comparison is a list of two rows, [row, baseline], and not {pair!r}")
        if pair[0] == pair[1]:
            raise QPeftError(f"comparisons: {pair[0]!r} is compared with itself")
        pairs[pair[0], pair[1]] = None
    return tuple(pairs)


def _expected(read: Any) -> Expected:
    return {
        row: {
            column: {
                measure: float(value_of(value, (int, float), f"expected: {row}: {column}: {measure}"))
                for measure, value in keys_of(values, f"expected: {row}: {column}").items()
            }
            for column, values in keys_of(columns, f"expected: {row}").items()
        }
        for row, columns in keys_of(read, "expected").items()
    }


def _fusion(read: Any) -> Fusion:
    if read == "none" or read == "dev" or read == "model":
        return cast(Fusion, read)
    if isinstance(read, int | float) and not isinstance(read, bool) and 0 <= read <= 1:
        return float(read)
    raise QPeftError(f"fusion must be none, dev, model or a weight from 0 to 1, and is {read!r}")


def _options(read: Any, home: Path, where: str) -> Options:
    found: dict[str, Any] = {}
    for name, value in keys_of(read or {}, where).items():
        if isinstance(value, str) and value and (home / value).exists():
            value = home / value
        if isinstance(value, Mapping):
            raise QPeftError(f"{where}: {name} must be a single value or a list")
        found[name] = value
    return found


def _folder(read: Any, home: Path, where: str) -> Path:
    folder = home / str(value_of(read, str, f"{where}: folder"))
    if not folder.is_dir():
        raise QPeftError(f"{where}: the folder {read} does not exist")
    return folder


def _queries(keys: Mapping[str, Any], where: str) -> int | None:
    return (
        at_least_one([value_of(keys["queries"], int, f"{where}: queries")], "queries")[0] if "queries" in keys else None
    )
