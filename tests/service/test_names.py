"""What is served under which name and with which settings, and what is refused before a process starts."""

import asyncio
from typing import Any

import pytest

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.service import engine
from pyserini_qpeft.service.config import LimitsConfig, ServerConfig, ServiceConfig
from pyserini_qpeft.service.names import scoring_settings, served_models

RULE = StoppingRule(0.0, -2.0, -0.1, -1.7, 0.09)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"adapters": ("bare=none",)}, "name each as a stage"),
        ({"adaptive": True}, "adaptive depth cannot be used with a cascade"),
        ({"rerank": RerankConfig(depth=9)}, "depth is set for all stages of a cascade"),
        ({"model": ModelConfig("tiny")}, "model is set for all stages of a cascade"),
    ],
)
def test_what_a_cascade_cannot_follow_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        engine.Service(ServiceConfig(cascade="tiny@3", **settings))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"adapters": "none"}, "adapters must be a list of strings, not the string 'none'"),
        ({"index": "indexes/scifact"}, "index must be a list of strings"),
        ({"rule": "rule.json", "adaptive": True}, "rule must be a StoppingRule, not 'rule.json': read_rule reads"),
        ({"rule": RULE}, "a stopping rule has no effect without adaptive depth"),
        ({"batch_wait_ms": -1.0}, "batch_wait_ms must not be negative, and is -1.0"),
        ({"turn_seconds": 0.0}, "turn_seconds must be above 0, and is 0.0"),
    ],
)
def test_settings_that_would_be_ignored_or_fail_later_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        ServiceConfig(**settings)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(QPeftError, match=f"port must be between 0 and 65535, and is {port}"):
        ServerConfig(port=port)


def test_a_limit_that_is_no_number_is_refused() -> None:
    with pytest.raises(QPeftError, match="the limit request_seconds must be above 0, not nan"):
        LimitsConfig(request_seconds=float("nan"))


def test_a_rule_that_is_given_belongs_to_the_first_model() -> None:
    """The others follow the rules that come with them, as they use the calibrations that come with them."""
    served = served_models(ServiceConfig(adaptive=True, rule=RULE, adapters=("other=attention",)))
    assert scoring_settings(served).rules == {"tiny": RULE, "other": None}


def test_the_list_of_models_says_depth_and_margin_of_each_stage(client_of: Any) -> None:
    with client_of(adapters=(), cascade="tiny@6,tiny+attention@3~1.5") as client:
        listed = client.get("/v1/models").json()["data"][0]
    assert listed["stages"] == [
        {"model": "tiny", "depth": 6, "margin": None},
        {"model": "tiny+attention", "depth": 3, "margin": 1.5},
    ]


def test_a_service_that_has_stopped_says_that_it_cannot_start_again() -> None:
    async def twice() -> None:
        service = engine.Service(ServiceConfig())
        async with service, service:
            assert service.ready
        with pytest.raises(QPeftError, match="has stopped, and cannot start again: make a new one"):
            async with service:
                pass

    asyncio.run(twice())
