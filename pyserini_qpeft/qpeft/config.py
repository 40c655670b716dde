"""The settings of a Q-PEFT adapter, kept in its `adapter_config.json`."""

from dataclasses import dataclass, field
from typing import Any

from peft import PeftConfig
from peft.utils.constants import DUMMY_TARGET_MODULES

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.hints import HINT_RULES
from pyserini_qpeft.qpeft.hints.filters import FILTERS
from pyserini_qpeft.qpeft.template import REFERENCE_TEMPLATE, PromptTemplate

PEFT_TYPE = "QPEFT"

_CHOICES = {
    "variant": tuple(HINT_RULES),
    "hint_position": ("suffix", "prefix"),
    "instruction_mode": ("hard", "soft"),
    "hint_table": ("frozen", "low-rank", "copy"),
    "attention_start": ("matching", "random"),
}


@dataclass
class QPeftConfig(PeftConfig):  # type: ignore[misc]
    """Settings of one Q-PEFT adapter (arXiv 2404.04522).

    `variant="none"` with `instruction_mode="soft"` is prompt tuning: a trained instruction and no hints.

    Raises:
        QPeftError: If a setting has a value that does not exist.
    """

    variant: str = field(
        default="retrieval",
        metadata={"help": "where hints come from: retrieval (Q-PEFT-R), attention (Q-PEFT-A) or none"},
    )
    hint_position: str = field(
        default="suffix", metadata={"help": "hints after the passage (suffix) or before it (prefix)"}
    )
    num_hints: int = field(default=15, metadata={"help": "retrieval: at most so many hints, k in the paper"})
    pooled_hints: int = field(
        default=0,
        metadata={"help": "attention: a fixed number of hints by learned pooling; 0: one per query token"},
    )
    filters: list[str] = field(
        default_factory=list,
        metadata={"help": f"passage tokens that give no hint besides duplicates: any of {', '.join(FILTERS)}"},
    )
    instruction_mode: str = field(
        default="hard", metadata={"help": "hard: the instruction's own tokens; soft: trained in their place"}
    )
    hint_table: str = field(
        default="frozen",
        metadata={"help": "embeddings that hints are made of: frozen, low-rank (an update of them) or copy (trained)"},
    )
    hint_table_rank: int = field(default=8, metadata={"help": "low-rank: the rank of the update"})
    mlp_layers: int = field(default=1, metadata={"help": "hidden layers of the hint MLP; 0: none"})
    mlp_residual: bool = field(
        default=True, metadata={"help": "add the hint MLP to its input, its part starting at zero"}
    )
    num_heads: int = field(default=2, metadata={"help": "attention: heads"})
    attention_dropout: float = field(default=0.1, metadata={"help": "attention: dropout in training"})
    attention_start: str = field(
        default="matching",
        metadata={"help": "attention starts by giving each query token its like in the passage, or at random"},
    )
    reference_settings: bool = field(
        default=False,
        metadata={
            "help": "score as the published code does: BOS and EOS of the query are scored too, the words around the "
            "hints go through the MLP, the prompt's own words may become hints, and the trained table chooses"
        },
    )
    template: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "the prompt's wording, where it differs from PromptTemplate's"},
    )
    token_dim: int | None = field(default=None, metadata={"help": "width of the base model's input embeddings"})
    vocab_size: int | None = field(default=None, metadata={"help": "rows of the base model's input embeddings"})
    instruction_ids: list[int] | None = field(
        default=None, metadata={"help": "token ids of the instruction, from which soft vectors start"}
    )
    lora_folder: str | None = field(
        default=None,
        metadata={"help": "folder, inside the adapter's own, of a LoRA that the base carries underneath"},
    )
    target_modules: str | None = field(
        default=DUMMY_TARGET_MODULES,
        metadata={"help": "read by peft; this value replaces no layer of the base"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PEFT_TYPE
        # With no task type, PeftModel.forward calls the base model directly and the hints never happen.
        self.task_type = "CAUSAL_LM"
        if self.reference_settings:
            self.hint_table, self.mlp_residual, self.attention_start = "copy", False, "random"
            self.template = {**REFERENCE_TEMPLATE, **self.template}
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise QPeftError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}.")
        unknown = sorted(set(self.filters) - set(FILTERS))
        if unknown:
            raise QPeftError(f"unknown filter {unknown[0]!r}; the filters are {', '.join(FILTERS)}.")
        if self.num_hints < 1 or self.pooled_hints < 0 or self.mlp_layers < 0 or self.hint_table_rank < 1:
            raise QPeftError(
                "num_hints and hint_table_rank must be at least 1, pooled_hints and mlp_layers at least 0."
            )

    @property
    def prompt_template(self) -> PromptTemplate:
        """The wording of the prompt, this adapter's changes included."""
        return PromptTemplate(**self.template)

    def fit_to(self, embeddings: Any) -> None:
        """Fills in, or checks, the shape of the base model's input embeddings.

        Args:
            embeddings: The module that `get_input_embeddings()` returns; its weight is `[vocabulary, width]`.

        Raises:
            QPeftError: If the adapter was made for another shape; both shapes are named.
        """
        rows, width = embeddings.weight.shape
        self.token_dim = self.token_dim or int(width)
        self.vocab_size = self.vocab_size or int(rows)
        if self.token_dim != width or self.vocab_size > rows:
            raise QPeftError(
                f"the adapter was made for embeddings of {self.vocab_size} x {self.token_dim} and the base model's are "
                f"{rows} x {width}: load it on the base model it was trained on"
                + (f" ({self.base_model_name_or_path})." if self.base_model_name_or_path else ".")
            )
