"""An adapter is pushed with its card and nothing else; the hub is a stub."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from tiny import adapted, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.push import push_adapter

REPO = "someone/my-adapter"


class Hub:
    """What is called of HfApi; keeps what it was given."""

    calls: ClassVar[list[Any]] = []
    error: ClassVar[Exception | None] = None

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> str:
        if Hub.error is not None:
            raise Hub.error
        Hub.calls.append(("create", repo_id, private, exist_ok, self.token))
        return f"https://hub.example/{repo_id}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        files = {
            str(file.relative_to(folder_path)): file.read_bytes() for file in folder_path.rglob("*") if file.is_file()
        }
        Hub.calls.append(("upload", repo_id, files, commit_message))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    Hub.calls, Hub.error = [], None
    return Hub


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_weights_settings_and_card_are_pushed_and_nothing_else(hub: type[Hub], adapter: Path) -> None:
    (adapter / "README.md").write_text('# Mine\n\nreranker = from_pretrained("m", adapter=FOLDER)\n')
    (adapter / "training.json").write_text("{}")
    (adapter / "notes.txt").write_text("private")
    (adapter / "optimizer.bin").write_bytes(b"private")
    (adapter / "lora").mkdir()
    (adapter / "lora" / "adapter_model.safetensors").write_bytes(b"weights")
    before = sorted(adapter.rglob("*"))

    address = push_adapter(adapter, REPO, private=True, token="secret", message="First")

    assert address == f"https://hub.example/{REPO}"
    assert hub.calls[0] == ("create", REPO, True, True, "secret")
    _, repo, files, message = hub.calls[1]
    assert (repo, message) == (REPO, "First")
    assert sorted(files) == [
        *("README.md", "adapter_config.json", "adapter_model.safetensors"),
        *("lora/adapter_model.safetensors", "training.json"),
    ]
    assert files["README.md"].decode() == f'# Mine\n\nreranker = from_pretrained("m", adapter="{REPO}")\n'
    assert files["adapter_model.safetensors"] == (adapter / "adapter_model.safetensors").read_bytes()
    assert sorted(adapter.rglob("*")) == before
    assert "adapter=FOLDER" in (adapter / "README.md").read_text()


def test_an_adapter_without_a_card_gets_a_short_one(hub: type[Hub], adapter: Path) -> None:
    (adapter / "README.md").unlink(missing_ok=True)
    push_adapter(adapter, REPO)
    card = hub.calls[1][2]["README.md"].decode()
    assert "library_name: peft" in card
    assert f'adapter="{REPO}"' in card


def test_a_reranker_pushes_the_adapter_that_it_was_loaded_with(
    hub: type[Hub], adapter: Path, tiny_model_dir: Path
) -> None:
    from pyserini_qpeft import QPeftReranker

    QPeftReranker.from_pretrained(tiny_model_dir, adapter, dtype="float32").push_to_hub(REPO)
    assert hub.calls[1][2]["adapter_config.json"] == (adapter / "adapter_config.json").read_bytes()
    with pytest.raises(QPeftError, match="there is no adapter to push"):
        QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32").push_to_hub(REPO)


def test_mistakes_and_refusals_are_one_sentence(hub: type[Hub], adapter: Path, tmp_path: Path) -> None:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    with pytest.raises(QPeftError, match=r"has no adapter_config\.json"):
        push_adapter(tmp_path, REPO)
    with pytest.raises(QPeftError, match="write owner/name"):
        push_adapter(adapter, "my-adapter")

    def answer(code: int) -> Exception:
        request = httpx2.Request("POST", "https://hub.example")
        return HfHubHTTPError("a long\nmessage", response=httpx2.Response(code, request=request))

    for error, sentence in (
        (LocalTokenNotFoundError("no token"), "log in first"),
        (answer(403), "token that may write"),
        (answer(500), "a long message"),
        (ConnectionError("no route"), r"the hub cannot be reached \(no route\)"),
    ):
        Hub.error = error
        with pytest.raises(QPeftError, match=sentence) as caught:
            push_adapter(adapter, REPO)
        assert "\n" not in str(caught.value)
    assert hub.calls == []
