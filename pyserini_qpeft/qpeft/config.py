"""The settings of a Q-PEFT adapter, kept in its `adapter_config.json`."""

from dataclasses import dataclass, field, fields
from typing import Any

from peft import PeftConfig
from peft.utils.constants import DUMMY_TARGET_MODULES

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.hints import HINT_RULES, hint_rule
from pyserini_qpeft.qpeft.hints.filters import FILTERS
from pyserini_qpeft.qpeft.template import REFERENCE_TEMPLATE, PromptTemplate

PEFT_TYPE = "QPEFT"


@dataclass
class QPeftConfig(PeftConfig):  # type: ignore[misc]
    """Settings of one Q-PEFT adapter (arXiv 2404.04522). Those with a help text are options of `qpeft train`.

    `variant="none"` with `instruction_mode="soft"` is prompt tuning: a trained instruction and no hints.

    Attributes:
        variant: The hint rule: retrieval (Q-PEFT-R), attention (Q-PEFT-A), none, or a rule that was added.
        template: Changes of the prompt's wording, see `PromptTemplate`.
        token_dim: Width of the base model's input embeddings.
        vocab_size: Rows of the base model's input embeddings.
        instruction_ids: Token ids of the words that are trained (instruction_mode soft or suffix), or of the
            instruction; training starts from their embeddings.
        lora_folder: Folder, inside the adapter's own, of a LoRA that was trained together with the hints.
        target_modules: Read by peft. The default replaces no layer of the base model.

    Raises:
        QPeftError: If a setting has a value that does not exist.
    """

    variant: str = field(default="retrieval", metadata={"choices": tuple(HINT_RULES)})
    hint_position: str = field(
        default="suffix",
        metadata={
            "help": "where the hints are: after the passage (suffix) or before it (prefix)",
            "choices": ("suffix", "prefix"),
        },
    )
    hint_gate: float | None = field(
        default=None,
        metadata={
            "help": "first value of a trained number that is added to the attention that hints get: from about -3 the "
            "start is close to the bare model; the hints have no label then, and do not move the query (default: no "
            "gate)"
        },
    )
    num_hints: int = field(
        default=15, metadata={"help": "retrieval: largest number of hints of a passage (k in the paper)"}
    )
    pooled_hints: int = field(
        default=0, metadata={"help": "attention: number of hints, by learned pooling; 0 gives one hint per query token"}
    )
    filters: list[str] = field(
        default_factory=list,
        metadata={
            "help": "passage tokens that do not become hints: those of the query, stopwords, or tokens without a "
            "letter (default: none of these)",
            "choices": FILTERS,
        },
    )
    hint_settings: dict[str, Any] = field(
        default_factory=dict,
        metadata={"help": "settings that only the chosen variant has (see qpeft/hints)"},
    )
    instruction_mode: str = field(
        default="hard",
        metadata={
            "help": "hard: the instruction is text; soft: its token embeddings are trained; suffix: the embeddings of "
            "the words between passage and query are trained instead, so that passages are read as by the bare model",
            "choices": ("hard", "soft", "suffix"),
        },
    )
    hint_table: str = field(
        default="frozen",
        metadata={
            "help": "embeddings that hints are made of: the base model's (frozen), the same with a trained low-rank "
            "update (low-rank), or a trained copy (copy)",
            "choices": ("frozen", "low-rank", "copy"),
        },
    )
    hint_table_rank: int = field(default=8, metadata={"help": "hint table low-rank: rank of the update"})
    mlp_layers: int = field(default=1, metadata={"help": "hidden layers of the hint MLP; 0 leaves the MLP out"})
    mlp_residual: bool = field(
        default=True,
        metadata={"help": "add the hint MLP's output to its input, so that training starts from the token embeddings"},
    )
    num_heads: int = field(default=2, metadata={"help": "attention: number of heads"})
    attention_dropout: float = field(default=0.1, metadata={"help": "attention: dropout in training"})
    attention_start: str = field(
        default="matching",
        metadata={
            "help": "attention: first weights; with matching, a query token attends to the same token of the passage",
            "choices": ("matching", "random"),
        },
    )
    reference_settings: bool = field(
        default=False,
        metadata={
            "help": "score as the published code does: BOS and EOS of the query are scored too, the words around the "
            "hints go through the MLP, words of the prompt may become hints, and the trained table chooses hints"
        },
    )
    template: dict[str, str] = field(default_factory=dict)
    token_dim: int | None = None
    vocab_size: int | None = None
    instruction_ids: list[int] | None = None
    lora_folder: str | None = None
    target_modules: str | None = DUMMY_TARGET_MODULES

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PEFT_TYPE
        # With no task type, PeftModel.forward calls the base model directly and the hints never happen.
        self.task_type = "CAUSAL_LM"
        if self.reference_settings:
            self.hint_table, self.mlp_residual, self.attention_start = "copy", False, "random"
            self.template = {**REFERENCE_TEMPLATE, **self.template}
        for setting in fields(self):
            for value in _listed(getattr(self, setting.name)):
                choices = setting.metadata.get("choices")
                if choices is not None and value not in choices:
                    raise QPeftError(f"{setting.name} must be one of {', '.join(choices)}, not {value!r}.")
        own = hint_rule(self).own_settings
        if foreign := sorted(self.hint_settings.keys() - own.keys()):
            known = f"its settings are {', '.join(own)}" if own else "it has none"
            raise QPeftError(f"the variant {self.variant} has no setting {foreign[0]!r} of its own: {known}.")
        gateless = not hint_rule(self).has_hints or self.hint_position == "prefix" or self.reference_settings
        if self.hint_gate is not None and gateless:
            raise QPeftError("hint_gate needs a variant with hints, hint_position suffix, and no reference_settings.")
        if self.num_hints < 1 or self.pooled_hints < 0 or self.mlp_layers < 0 or self.hint_table_rank < 1:
            raise QPeftError(
                "num_hints and hint_table_rank must be at least 1, pooled_hints and mlp_layers at least 0."
            )

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """The names of the settings that `qpeft train` offers."""
        return tuple(one.name for one in fields(cls) if one.name in cls.__annotations__ and "help" in one.metadata)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values for JSON; `hint_settings` is left out if it is empty."""
        plain: dict[str, Any] = super().to_dict()
        return {name: value for name, value in plain.items() if name != "hint_settings" or value}

    @property
    def hints_come_first(self) -> bool:
        """Whether hints stand before the passage, so that the model reads the passage anew for each query."""
        return self.hint_position == "prefix" and hint_rule(self).has_hints

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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
