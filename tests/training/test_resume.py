"""A training run that was interrupted ends in the same adapter as one that was not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from trained import assert_equal

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.training.checkpoints import RunDirectory
from pyserini_qpeft.training.config import TrainConfig
from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.run import train
from pyserini_qpeft.training.trainer import AdapterTrainer

Make = Callable[..., TrainConfig]


class Killed(Exception):
    """Stands for the end of the process."""


def interrupted_at(step: int, config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    original = AdapterTrainer.training_step

    def killed(self: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.state.global_step == step:
            raise Killed
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "training_step", killed)
        with pytest.raises(Killed):
            train(config)


@pytest.mark.parametrize("adapter", [{"variant": "retrieval"}, {"variant": "attention", "lora": True}])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_bit(
    configured: Make, dev_file: Path, adapter: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dropout on, so that random numbers have to be taken up again too.
    adapter = {**adapter, "prompt": {"attention_dropout": 0.3}}
    settings = {"adapter": adapter, "dev": dev_file, "optimization": {"eval_steps": 2}}
    whole = train(configured("whole", **settings))
    interrupted = configured("interrupted", **settings)
    interrupted_at(3, interrupted, monkeypatch)
    place = interrupted.output.with_name("interrupted.training")
    # A checkpoint that was being written when the process ended.
    shutil.copytree(place / "checkpoint-2", place / "checkpoint-3")
    (place / "checkpoint-3" / "complete").unlink()
    (place / "checkpoint-3" / "trainer_state.json").unlink()
    resumed = train(interrupted, resume=True)
    assert whole is not None
    assert resumed is not None
    assert_equal(whole.config.output, interrupted.output)
    assert resumed.curve == whole.curve
    assert resumed.bare == whole.bare
    assert not place.exists()
    assert train(interrupted, resume=True) is None


def test_an_unfinished_run_is_neither_overwritten_nor_resumed_with_other_settings(
    configured: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_at(1, configured(), monkeypatch)
    with pytest.raises(QPeftError, match=r"unfinished run.*--resume"):
        train(configured())
    with pytest.raises(QPeftError, match=r"another loss: margin was 0\.0 and is 0\.5"):
        train(configured(loss=LossConfig(margin=0.5)), resume=True)


def test_a_run_of_a_version_with_fewer_settings_is_resumed(configured: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(optimization={"eval_steps": 1, "epochs": 1})
    interrupted_at(2, config, monkeypatch)
    file = config.output.with_name("adapter.training") / "settings.json"
    settings = json.loads(file.read_text())
    for group, name in (("adapter", "lora_layers"), ("sampling", "groups"), ("sampling", "group_passages")):
        del settings[group][name]
    del settings["licence"]
    file.write_text(json.dumps(settings))
    grouped = configured(sampling={"in_batch": 2, "groups": "near"}, optimization={"eval_steps": 1, "epochs": 1})
    with pytest.raises(
        QPeftError, match=r"another sampling: in_batch was 1 and is 2, groups was 'random' and is 'near'"
    ):
        train(grouped, resume=True)
    assert train(config, resume=True) is not None


def test_two_runs_to_one_output_are_kept_apart(configured: Make) -> None:
    config = configured()
    with RunDirectory(config.output).locked(), pytest.raises(QPeftError, match="another process is training to"):
        train(config, resume=True)
    assert train(config, resume=True) is not None


@pytest.mark.parametrize(
    "failure",
    [
        OSError(28, "No space left on device"),
        SafetensorError("I/O error: no space"),
        RuntimeError("write failed\nat 0"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_full_disk_is_one_sentence_and_complete_checkpoints_stay(
    configured: Make, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"optimization": {"eval_steps": 2}}
    whole = train(configured("whole", **settings))
    config = configured("full", **settings)
    place = config.output.with_name("full.training")
    original = AdapterTrainer._save

    def full(self: Any, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.state.global_step > 2:
            raise failure
        original(self, output_dir, state_dict)

    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "_save", full)
        with pytest.raises(
            QPeftError, match=r"cannot write to .*full\.training: [^\n]*; complete checkpoints are kept"
        ):
            train(config)
    assert (place / "checkpoint-2" / "complete").is_file()
    assert train(config, resume=True) is not None
    assert whole is not None
    assert_equal(whole.config.output, config.output)


def test_a_record_of_the_base_model_that_was_cut_short_is_written_again(
    configured: Make, dev_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(dev=dev_file)
    interrupted_at(1, config, monkeypatch)
    (config.output.with_name("adapter.training") / "bare.json").write_text('{"loss": 5.')
    record = train(config, resume=True)
    assert record is not None
    assert {"loss", "ndcg"} <= record.bare.keys()


def test_what_a_killed_process_has_left_goes_when_the_run_goes_on(
    configured: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyserini_qpeft.training import run

    config, save = configured(), run.save_adapter

    def killed(model: Any, folder: Path) -> None:
        save(model, folder)
        (folder / ".tmpAbCdEf").write_text("half of the weights, as safetensors writes them")
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "save_adapter", killed)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    monkeypatch.undo()
    assert train(config, resume=True) is not None
    assert not list(config.output.glob(".*"))
    place = RunDirectory(config.output)
    place.folder.mkdir()  # as after a kill between the move of the adapter and the removal of the run's folder
    assert train(config, resume=True) is None
    assert not place.folder.exists()
