"""Tiny random-weight models of several architectures, and tokenizers trained in memory: nothing is downloaded."""

from pathlib import Path
from typing import Any

SENTENCES = [
    "given the hints, please generate a question for the input passage",
    "Passage: Aaron is a prophet, high priest and the brother of Moses in the Abrahamic religions.",
    "Question: who sings does he love me with reba? Linda Davis. The capital of France is Paris.",
    "Hints: what is the name of the river that runs through Egypt? The Nile: 6,650 km long.\n",
]
WORDS = [
    "river",
    "capital",
    "Paris",
    "Nile",
    "Egypt",
    "prophet",
    "song",
    "hill",
    "longest",
    "France",
    "brother",
    "flows",
]
"""Words of generated passages and queries."""
VOCABULARY = 400
PAIRS = [
    ("who sings does he love me", "linda davis sings does he love me with reba"),
    ("what is the capital", "Paris is the capital of France, and the Nile runs through Egypt.\nIt is long."),
    ("nile", "Aaron is a prophet"),
    ("Où est la Tour Eiffel ? 日本", "La tour Eiffel est à Paris. 日本 🗼"),
    ("the river", ""),
]


def tiny_tokenizer(*, bos: bool = True, style: str = "byte-level") -> Any:
    """A fast tokenizer trained on four sentences.

    Args:
        bos: Whether it puts a BOS token before every text, as Llama's does and GPT-2's does not.
        style: "byte-level" (GPT-2, Llama 3, Qwen) or "metaspace" (Llama 2, Gemma: a blank is "▁", bytes as fallback).
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<s>", "</s>"]
    if style == "byte-level":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        specials = [*specials, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        alphabet = []
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def tiny_configs() -> dict[str, Any]:
    """Configurations of the architectures that scoring is proved on, two layers each."""
    from transformers import (
        BloomConfig,
        Gemma3TextConfig,
        GPT2Config,
        GPTNeoXConfig,
        LlamaConfig,
        MixtralConfig,
        OPTConfig,
        Qwen3Config,
    )

    common = dict(vocab_size=VOCABULARY, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    llama_like = dict(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    opt = dict(hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=512)
    return {
        "llama": LlamaConfig(**common, **llama_like),
        "qwen3": Qwen3Config(**common, **llama_like, head_dim=8),
        "gemma3": Gemma3TextConfig(
            **common,
            **llama_like,
            head_dim=8,
            sliding_window=16,
            layer_types=["sliding_attention", "full_attention"],
        ),
        "gpt2": GPT2Config(**common, n_embd=32, n_layer=2, n_head=4, n_positions=512),
        "gpt-neox": GPTNeoXConfig(
            **common,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
        ),
        "opt": OPTConfig(**common, **opt, word_embed_proj_dim=32),
        "opt-projected": OPTConfig(**common, **opt, word_embed_proj_dim=16),
        "bloom": BloomConfig(**common, hidden_size=32, n_layer=2, n_head=4),
        "mixtral": MixtralConfig(**common, **llama_like, num_local_experts=4, num_experts_per_tok=2),
    }


def tiny_model(architecture: str = "llama", *, seed: int = 0) -> Any:
    """A random-weight model in float32, its weights spread so that positions and tokens make a difference."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(tiny_configs()[architecture]).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.add_(torch.randn_like(weight) * 0.15)
    return model


def save_tiny_model(folder: Path, architecture: str = "llama") -> Path:
    """A model folder as a user would have it: config, safetensors, tokenizer."""
    tiny_model(architecture).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def adapted(architecture: str, tokenizer: Any, **settings: Any) -> Any:
    """A tiny model with an adapter whose weights are all away from zero."""
    import torch
    from peft import get_peft_model

    from pyserini_qpeft.qpeft import QPeftConfig

    ids = tokenizer("given the hints, please generate a question for the input passage\n", add_special_tokens=False)
    config = QPeftConfig(instruction_ids=ids["input_ids"], **settings)
    torch.manual_seed(1)
    model = get_peft_model(tiny_model(architecture), config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "qpeft_" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    return model
