"""Where the time goes within scoring: matrix products, attention, all else of the model, and what is not the model."""

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
    """The parts of the time that torch's operators take; what happens between them is not seen.

    Attributes:
        size: The model, with hints retrieved.
        dtype: Its dtype.
        way: Each pair by itself, or passages shared.
        pairs: Pairs that were scored.
        seconds: All operators together.
        matrix_products_share: The share of linear layers.
        attention_share: The share of attention.
        elsewhere_share: The share of all else: norms, activations, positions, copies.
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
    """Profiles every size in every dtype, once each way."""
    for place, pairs in context.models():
        for way, shared in _WAYS.items():
            context.tell(f"profile, {place.size.name}, {place.dtype}: {way}")
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
            continue  # a GPU's kernels, which their operators have counted
        own = (operator.self_device_time_total if gpu else operator.self_cpu_time_total) / 1e6
        total += own
        if _ATTENTION in operator.key:
            attention += own
        elif operator.key in _PRODUCTS:
            products += own
    return total, products / total, attention / total, 1 - (products + attention) / total
