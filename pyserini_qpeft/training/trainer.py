"""transformers' Trainer for lists of candidates: checkpoints of the adapter only, dev by reranking, a stop at NaN."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.adapters import load_weights, save_adapter, trainable
from pyserini_qpeft.training.batches import as_lists
from pyserini_qpeft.training.checkpoints import last_checkpoint, mark_complete, saving_errors
from pyserini_qpeft.training.config import OptimizationConfig
from pyserini_qpeft.training.dev import DevSet
from pyserini_qpeft.training.losses.compute import query_losses
from pyserini_qpeft.training.losses.config import LossConfig

logger = logging.getLogger(__name__)

_GATE_RATE = 30
"""A gate is a single number of the size of 1; at the learning rate of vectors it would hardly move."""


class AdapterTrainer(Trainer):  # type: ignore[misc]
    """Trains an adapter with transformers' training loop.

    Args:
        scorer: Scores the dev pairs with the model that is trained.
        dev: The dev set, or None.
        loss: Which loss, and its numbers.
        optimization: Gives the learning rate of the LoRA.
        **kwargs: Arguments of `Trainer`; `model` is a `PairScorer`.
    """

    def __init__(
        self,
        scorer: LikelihoodScorer,
        dev: DevSet | None,
        loss: LossConfig,
        optimization: OptimizationConfig,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scorer = scorer
        self.dev = dev
        self.loss = loss
        self.optimization = optimization
        # Our loss is a mean over the queries of a pass, so Trainer has to divide it by the number of passes.
        self.model_accepts_loss_kwargs = False
        self.remove_callback(PrinterCallback)
        self.add_callback(TrainingGuard())

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> torch.Tensor:
        """Returns the mean loss of the queries, a float32 scalar."""
        lists = as_lists(model(inputs["batches"], inputs["shared"]), inputs)
        return query_losses(lists, self.loss).mean()

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Runs one forward and backward pass.

        Raises:
            QPeftError: The loss is NaN or infinite.
        """
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        if not loss.isfinite():
            raise _diverged("the loss", float(loss), self.state.global_step + 1, self.args)
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measures dev and logs the figures."""
        assert self.dev is not None
        figures = {f"eval_{name}": value for name, value in asdict(self.dev.measure(self.scorer)).items()}
        metrics: dict[str, float] = {name: value for name, value in figures.items() if value is not None}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Makes AdamW, with learning rates of their own for a LoRA and a gate."""
        rate = self.args.learning_rate
        rates = {
            "lora_": self.optimization.lora_learning_rate or rate,
            ".gate": rate * _GATE_RATE,
            "": rate,
        }
        optimizer: Any = self.optimizer
        if optimizer is None:
            groups: dict[float, list[torch.Tensor]] = {}
            for name, weight in trainable(self.model).items():
                own = next(value for mark, value in rates.items() if mark in name)
                groups.setdefault(own, []).append(weight)
            self.optimizer: Any = torch.optim.AdamW(
                [{"params": weights, "lr": own} for own, weights in groups.items()],
                lr=rate,
                weight_decay=self.args.weight_decay,
            )
        created: torch.optim.Optimizer = super().create_optimizer(model)
        return created

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        # `TrainingGroups` shuffles, by seed and epoch.
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with saving_errors(Path(self.args.output_dir)):
            super()._save_checkpoint(*args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        save_adapter(self.model.model, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model.model, Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        load_weights(self.model.model, Path(self.state.best_model_checkpoint))


class TrainingGuard(TrainerCallback):  # type: ignore[misc]
    """Logs figures, stops training if a gradient or weight is not finite, and marks complete checkpoints."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Logs the figures."""
        if state.is_world_process_zero and logs:
            figures = ", ".join(
                f"{name} {value:.4g}" for name, value in logs.items() if isinstance(value, float) and name != "epoch"
            )
            logger.info("step %d: %s", state.global_step, figures)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Raises a QPeftError if a gradient is not finite."""
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        _check_finite("the gradient", gradients, state.global_step + 1, args)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Raises a QPeftError if a weight is not finite."""
        _check_finite("a weight", list(trainable(model).values()), state.global_step + 1, args)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Marks the checkpoint as complete."""
        if state.is_world_process_zero:
            mark_complete(Path(args.output_dir), state.global_step)


def _check_finite(what: str, tensors: list[torch.Tensor], step: int, args: TrainingArguments) -> None:
    total = torch.stack([tensor.detach().abs().amax() for tensor in tensors]).amax() if tensors else torch.zeros(())
    if not total.isfinite():
        raise _diverged(what, float(total), step, args)


def _diverged(what: str, value: float, step: int, args: TrainingArguments) -> QPeftError:
    checkpoint = last_checkpoint(Path(args.output_dir))
    kept = f"the last good checkpoint is {checkpoint}" if checkpoint else "there is no checkpoint yet"
    return QPeftError(
        f"{what} became {value} at step {step}, and training stopped; {kept}. Try a smaller learning rate or "
        "dtype float32."
    )
