"""A model that cannot be had from the hub is reported within seconds, with what else can be done."""

import subprocess
import sys
from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import adapter_folder
from pyserini_qpeft.models.hub import is_cached, must_use_cache
from pyserini_qpeft.models.source import find_source

NOBODY = "http://localhost:9"


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub at a port where nobody listens."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{NOBODY}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    return tmp_path / "hub"


def test_a_named_model_that_cannot_be_reached_has_other_ways() -> None:
    with pytest.raises(QPeftError) as caught:
        find_source("smollm2-135m")
    message = str(caught.value)
    for part in ("HuggingFaceTB/SmolLM2-135M-Instruct", "the hub cannot be reached", "'tiny'", "'smollm2-135m-q4'"):
        assert part in message
    assert "\n" not in message


def test_a_mistyped_name_has_close_names() -> None:
    with pytest.raises(QPeftError, match=r"Did you mean 'smollm2-135m' or 'smollm2-135m-q4'\?"):
        find_source("smolm2-135m")


def test_an_adapter_that_cannot_be_reached_says_that_it_is_the_network() -> None:
    with pytest.raises(QPeftError, match=r"cannot load the adapter 'some/adapter': .*the hub cannot be reached"):
        adapter_folder("some/adapter", find_source("tiny"))


def test_a_gguf_file_on_the_hub_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(QPeftError, match=r"cannot load 'a/b:model\.gguf': .*the hub cannot be reached"):
        find_source("a/b:model.gguf")


def test_what_is_no_hub_id_is_refused() -> None:
    with pytest.raises(QPeftError, match="neither a folder here nor a valid hub id"):
        find_source("a model?")


def cached(cache: Path, repo: str, file: str, content: str) -> None:
    """Puts a file into the hub's cache."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    (snapshot / file).write_text(content)


def test_without_a_network_the_cache_is_used(no_cache: Path) -> None:
    assert not is_cached("a/b")
    cached(no_cache, "a/b", "config.json", "{}")
    assert is_cached("a/b")
    assert must_use_cache("a/b", "config.json")
    assert find_source("a/b").cached_only


def test_an_adapter_in_the_cache_is_used_without_a_network(no_cache: Path) -> None:
    cached(no_cache, "a/b", "adapter_config.json", "{}")
    with pytest.raises(QPeftError, match=r"has no adapter_model\.safetensors"):
        adapter_folder("a/b", find_source("tiny"))


def test_a_model_that_is_not_there_is_reported_before_torch_is_imported() -> None:
    code = (
        "import sys\n"
        "from pyserini_qpeft import QPeftReranker\n"
        "try: QPeftReranker.from_pretrained('smolm2-135m')\n"
        "except Exception as error: print(type(error).__name__, 'torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["QPeftError", "False"]


def test_the_hub_is_asked_once_with_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    def ask(url: str, *, timeout: float) -> None:
        asked.append(timeout)
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", ask)
    with pytest.raises(QPeftError, match=r"the hub cannot be reached \(network: no route\)"):
        find_source("smollm2-135m")
    assert asked == [3.0]
