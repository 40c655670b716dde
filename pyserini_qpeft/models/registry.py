"""What is known of models by name."""

UNKNOWN_FUSION_WEIGHT = 0.5
"""The fusion weight of a model that has no record: likelihood and first stage count the same."""


def fusion_weight(model: str | None) -> float:
    """The share of the likelihood in the fused score, 0 to 1, that was chosen for a model on development queries.

    Args:
        model: Name, hub id or folder of a model; None is the shipped model.
    """
    return 0.35 if model is None else UNKNOWN_FUSION_WEIGHT
