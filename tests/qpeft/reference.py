"""Q-PEFT scored one pair at a time, written from the paper and `PromptTemplate`'s layout, sharing no code with ours.

The prompt is tokenised whole as one string. Character offsets say which tokens are which; hint vectors are computed with
plain tensor algebra (the attention by hand) and put between embeddings; the model sees one unpadded sequence and gives
logits at every position.
"""

from typing import Any

import torch

INSTRUCTION = "given the hints, please generate a question for the input passage"


@torch.no_grad()
def reference_score(model: Any, tokenizer: Any, query: str, passage: str) -> float:
    tuner = model.base_model
    config, prompt, base = tuner.prompt.config, tuner.prompt, tuner.model
    embed = base.get_input_embeddings()
    before_passage, before_query = f"{INSTRUCTION}\nPassage: ", f"{INSTRUCTION}\nPassage: {passage}\nQuestion: "
    whole = tokenizer(before_query + query, add_special_tokens=False, return_offsets_mapping=True)
    ids = torch.tensor(whole["input_ids"])
    ends = torch.tensor([end for _, end in whole["offset_mapping"]])
    starts = torch.tensor([start for start, _ in whole["offset_mapping"]])
    is_query = ends > len(before_query)
    is_passage = (ends > len(before_passage)) & (starts < len(before_passage) + len(passage))
    passage_ids, query_ids = ids[is_passage], ids[is_query]

    hints = torch.zeros(0, config.token_dim)
    if config.variant == "retrieval":
        distinct = [i for n, i in enumerate(passage_ids.tolist()) if i not in passage_ids[:n].tolist()]
        nearest = sorted(distinct, key=lambda i: -_nearness(embed, i, query_ids))[: config.num_hints]
        if nearest:
            hints = _mlp(prompt.mlp, embed(torch.tensor(nearest)))
    elif config.variant == "attention" and len(passage_ids):
        hints = _mlp(prompt.mlp, _attention(prompt.attention, embed(query_ids), embed(passage_ids), config.num_heads))

    vectors = embed(ids)
    if config.instruction_mode == "soft":
        vectors = torch.cat([prompt.instruction, vectors[len(prompt.instruction) :]])
    if len(hints):
        label = tokenizer("\nHints:", add_special_tokens=False)["input_ids"]
        newline = tokenizer("x\n", add_special_tokens=False, return_offsets_mapping=True)
        newline_ids = [
            i for i, (_, end) in zip(newline["input_ids"], newline["offset_mapping"], strict=True) if end > 1
        ]
        label = label[len(label) - _length_after_newline(tokenizer) :]
        block = torch.cat([embed(torch.tensor(label)), hints, embed(torch.tensor(newline_ids))])
        seam = f"{INSTRUCTION}\n" if config.hint_position == "prefix" else f"{INSTRUCTION}\nPassage: {passage}\n"
        at = int((ends <= len(seam)).sum())
        vectors = torch.cat([vectors[:at], block, vectors[at:]])
    if tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id:
        vectors = torch.cat([embed(torch.tensor([tokenizer.bos_token_id])), vectors])
    logprobs = base(inputs_embeds=vectors[None], use_cache=False).logits[0].double().log_softmax(-1)
    n = len(query_ids)
    return float(logprobs[-n - 1 : -1].gather(1, query_ids[:, None]).mean())


def _length_after_newline(tokenizer: Any) -> int:
    offsets = tokenizer("\nHints:", add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return sum(end > 1 for _, end in offsets)


def _nearness(embed: Any, token: int, query_ids: torch.Tensor) -> float:
    if token in query_ids.tolist():
        return 1.0
    vector = embed(torch.tensor(token)).double()
    others = embed(query_ids).double()
    return float((others @ vector / (others.norm(dim=1) * vector.norm())).max())


def _mlp(mlp: Any, x: torch.Tensor) -> torch.Tensor:
    first, _, last = mlp.layers
    y = (x @ first.weight.T + first.bias).clamp(min=0) @ last.weight.T + last.bias
    return x + y if mlp.residual else y


def _attention(attention: Any, queries: torch.Tensor, passages: torch.Tensor, heads: int) -> torch.Tensor:
    width = queries.shape[-1]
    q_weight, k_weight, v_weight = attention.in_proj_weight.split(width)
    q_bias, k_bias, v_bias = attention.in_proj_bias.split(width)
    q, k, v = queries @ q_weight.T + q_bias, passages @ k_weight.T + k_bias, passages @ v_weight.T + v_bias
    size = width // heads
    outputs = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        weights = (q[:, part] @ k[:, part].T / size**0.5).softmax(-1)
        outputs.append(weights @ v[:, part])
    return torch.cat(outputs, dim=-1) @ attention.out_proj.weight.T + attention.out_proj.bias
