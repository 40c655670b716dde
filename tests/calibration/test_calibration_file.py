"""A calibration is kept with the adapter or in the model's record, and is found there."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from refused import refusal

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.calibration.calibration_file import calibration_of, read_calibration
from pyserini_qpeft.data.number_files import write_numbers
from pyserini_qpeft.models.adapters import LoadedAdapter
from pyserini_qpeft.models.registry import models

CURVE = Calibration(1.25, 3.5, queries=30, pairs=600, relevant=40)


def loaded(name: str = "", **attributes: object) -> SimpleNamespace:
    """A stand-in for a loaded model."""
    return SimpleNamespace(config=SimpleNamespace(name_or_path=name), **attributes)


def test_a_calibration_comes_back_as_it_was_written(tmp_path: Path):
    write_numbers(tmp_path / "calibration.json", CURVE)
    assert read_calibration(tmp_path / "calibration.json") == CURVE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "c.json:1: broken JSON"),
        ("[1]", "expected a JSON object with slope and intercept"),
        ('{"slope": 1}', "expected a JSON object with slope and intercept"),
        ('{"slope": "1", "intercept": 0}', "slope must be a number"),
        ('{"slope": true, "intercept": 0}', "slope must be a number"),
        ('{"slope": -1, "intercept": 0}', "slope must be above 0"),
        ('{"slope": 1, "intercept": 0, "bend": 2}', "unknown setting 'bend'"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path: Path, text: str, message: str):
    assert message in refusal(read_calibration, tmp_path / "c.json", text)


def test_the_calibration_of_an_adapter_lies_in_its_folder(tmp_path: Path):
    model = loaded(qpeft_loaded_adapter=LoadedAdapter("mine", tmp_path), peft_config={})
    assert calibration_of(model) is None
    write_numbers(tmp_path / "calibration.json", CURVE)
    assert calibration_of(model) == CURVE


def test_the_calibration_of_a_bare_model_is_named_in_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_numbers(tmp_path / "curve.json", CURVE)
    (tmp_path / "models.yaml").write_text(
        "mine:\n  source: {folder: weights}\n  calibration: curve.json\nother:\n  source: {hub: a/b}\n"
    )
    monkeypatch.setenv("QPEFT_MODELS", str(tmp_path / "models.yaml"))
    assert calibration_of(loaded("mine")) == CURVE
    assert calibration_of(loaded("other")) is None
    assert calibration_of(loaded("unknown")) is None
    # An adapter of unknown origin changes the likelihoods, so the curve of the bare model does not hold.
    assert calibration_of(loaded("mine", peft_config={})) is None


def test_the_calibrations_that_are_shipped_can_be_read():
    for record in models().values():
        files = [Path(folder) / "calibration.json" for folder in record.adapters.values()]
        if record.calibration is not None:
            files.append(Path(record.calibration))
            assert files[-1].is_file(), record.name
        for file in files:
            assert not file.is_file() or read_calibration(file).queries > 0
