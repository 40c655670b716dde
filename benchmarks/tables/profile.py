"""The shares of matrix products, attention and other operators in the time of scoring."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.context import Context
from benchmarks.rivals.ours import reranker
from benchmarks.rivals.rival import Pairs
from pyserini_qpeft.reranking.reranker import QPeftReranker

_PRODUCTS = ("aten::addmm", "aten::mm", "aten::bmm", "aten::linear", "mkldnn::_linear_pointwise")
_ATTENTION = "scaled_dot_product"
_WAYS = {"each pair by itself": False, "passages shared": True}


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Time in torch's operators; the time between operators is not measured.

    Attributes:
        size: Name of the model; it has retrieved hints.
        dtype: Dtype of the model.
        way: Each pair alone, or passages shared.
        pairs: Number of pairs.
        seconds: Seconds in all operators.
        matrix_products_share: Share of linear layers.
        attention_share: Share of attention.
        elsewhere_share: Share of all other operators: norms, activations, positions, copies.
    """

    size: str
    dtype: str
    way: str
    pairs: int
    seconds: float
    matrix_products_share: float
    attention_share: float
    elsewhere_share: float


def measure(context: Context) -> Iterator[ProfileRow]:
    """Profiles each model in each dtype, once for each way."""
    for place, pairs in context.models():
        for way, shared in _WAYS.items():
            context.log(f"profile, {place.size.name}, {place.dtype}: {way}")
            ours = reranker(place, "retrieval", share_passages=shared)
            ours.predict(pairs[:8])
            yield ProfileRow(place.size.name, place.dtype, way, len(pairs), *_shares(ours, pairs))


def _shares(ours: QPeftReranker, pairs: Pairs) -> tuple[float, float, float, float]:
    gpu = ours.scorer.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as profiled, torch.inference_mode():
        ours.predict(pairs)
    products = attention = total = 0.0
    for operator in profiled.key_averages():
        if operator.device_type != DeviceType.CPU:
            continue  # kernels of a GPU, which are part of their operators' time
        own = (operator.self_device_time_total if gpu else operator.self_cpu_time_total) / 1e6
        total += own
        if _ATTENTION in operator.key:
            attention += own
        elif operator.key in _PRODUCTS:
            products += own
    return total, products / total, attention / total, 1 - (products + attention) / total
