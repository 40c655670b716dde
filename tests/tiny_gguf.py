"""A tiny GGUF file: a Llama of random weights in several dtypes, with a tokenizer; or one with a fault."""

from pathlib import Path
from typing import Any

import numpy as np

WIDTH, INNER, LAYERS, HEADS, KEY_HEADS = 32, 64, 2, 4, 2


def write_tiny_gguf(path: Path, *, architecture: str = "llama", tokenizer: bool = True, seed: int = 0) -> Path:
    """Writes the file.

    Args:
        path: Where to write it.
        architecture: The architecture that the file names.
        tokenizer: Whether the file has a tokenizer.
        seed: Fixes the weights.
    """
    import gguf
    from gguf import GGMLQuantizationType as Dtype

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    vocabulary = _add_tokenizer(writer) if tokenizer else 400
    writer.add_vocab_size(vocabulary)
    random = np.random.default_rng(seed)

    def add(name: str, shape: tuple[int, ...], dtype: Dtype) -> None:
        weights = random.normal(scale=0.3, size=shape).astype(np.float32)
        writer.add_tensor(name, gguf.quantize(weights, dtype), raw_dtype=dtype)

    half = KEY_HEADS * WIDTH // HEADS
    add("token_embd.weight", (vocabulary, WIDTH), Dtype.Q8_0)
    add("output_norm.weight", (WIDTH,), Dtype.F32)
    for layer in range(LAYERS):
        for name, shape, dtype in (
            ("attn_norm", (WIDTH,), Dtype.F32),
            ("attn_q", (WIDTH, WIDTH), Dtype.Q8_0),
            ("attn_k", (half, WIDTH), Dtype.F16),
            ("attn_v", (half, WIDTH), Dtype.F32),
            ("attn_output", (WIDTH, WIDTH), Dtype.Q4_1),
            ("ffn_norm", (WIDTH,), Dtype.F32),
            ("ffn_gate", (INNER, WIDTH), Dtype.Q8_0),
            ("ffn_up", (INNER, WIDTH), Dtype.F16),
            ("ffn_down", (WIDTH, INNER), Dtype.F32),
        ):
            add(f"blk.{layer}.{name}.weight", shape, dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any) -> int:
    import json

    from tiny import tiny_tokenizer

    content = json.loads(tiny_tokenizer().backend_tokenizer.to_str())
    tokens = sorted(content["model"]["vocab"], key=content["model"]["vocab"].get)
    specials = {token["content"] for token in content["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in specials else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in content["model"]["merges"]])
    for name, token in (("bos", "<s>"), ("eos", "</s>"), ("pad", "<pad>")):
        getattr(writer, f"add_{name}_token_id")(tokens.index(token))
    return len(tokens)
