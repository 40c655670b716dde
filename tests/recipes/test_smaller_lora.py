"""A smaller LoRA is the nearest one of its rank, and a LoRA of that rank already stays as it is."""

import torch

from recipes.smaller_lora import smaller


def update(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    return weights["q.lora_B.weight"].double() @ weights["q.lora_A.weight"].double()


def lora(rank: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"q.lora_A.weight": torch.randn(rank, 20), "q.lora_B.weight": torch.randn(12, rank)}


def test_a_smaller_lora_is_the_nearest_one_of_its_rank() -> None:
    wanted = 2 * update(lora(6))
    found, kept = smaller(lora(6), 2.0, 3)
    left, values, right = torch.linalg.svd(wanted, full_matrices=False)
    nearest = left[:, :3] * values[:3] @ right[:3]
    assert found["q.lora_A.weight"].shape == (3, 20)
    torch.testing.assert_close(update(found), nearest, rtol=0, atol=0.02 * float(values[0]))
    assert abs(kept - float(values[:3].square().sum() / values.square().sum())) < 1e-9


def test_a_lora_of_the_rank_is_kept_whole() -> None:
    found, kept = smaller(lora(4), 0.5, 4)
    torch.testing.assert_close(update(found), 0.5 * update(lora(4)), rtol=0, atol=0.05)
    assert abs(kept - 1) < 1e-9
