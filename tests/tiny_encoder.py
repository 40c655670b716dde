"""A tiny random-weight BERT as an encoder of passages and queries, built in memory: nothing is downloaded."""

import json
from pathlib import Path

WORDS = [
    "the",
    "of",
    "and",
    "is",
    "a",
    "river",
    "nile",
    "paris",
    "capital",
    "france",
    "rome",
    "italy",
    "aaron",
    "priest",
    "moses",
    "prophet",
    "brother",
    "song",
    "love",
    "reba",
]


def save_tiny_encoder(folder: Path, *, dimensions: int = 32, seed: int = 0, normalized: bool = True) -> Path:
    """An encoder folder as sentence-transformers writes it: mean pooling, and vectors of length 1 if `normalized`."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)) + "\n")
    BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(dict.fromkeys(pieces)),
        hidden_size=dimensions,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = BertModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.add_(torch.randn_like(weight) * 0.2)
    model.save_pretrained(folder)
    modules = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling")]
    modules += [("2", "2_Normalize", "Normalize")] if normalized else []
    described = [
        {"idx": place, "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (name, path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(described))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24, "do_lower_case": False}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {
        "word_embedding_dimension": dimensions,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


def reference_vector(folder: Path, text: str, *, max_length: int = 24):
    """The mean of the last layer's vectors of one text, scaled to length 1: with transformers alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=max_length, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0]
    vector = states.mean(dim=0)
    return (vector / vector.norm()).numpy()
