"""Puts the folder of an adapter on the Hugging Face hub, with its model card."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import check_adapter_folder

_FILES = ("*.json", "*.safetensors", "README.md")
# The line of the card that loads the adapter: its folder, or its name in this package, means nothing to others.
_LOADS = re.compile(r"\badapter=(?:FOLDER|\"[^\"]*\"|'[^']*')")


def push_adapter(
    folder: Path, repo: str, *, private: bool | None = None, token: str | None = None, message: str | None = None
) -> str:
    """Upload an adapter as one commit; the repository is created if it does not exist.

    Weights, settings, the training record and the card are uploaded, and no other files. In the card, the line that
    loads the adapter names the repository.

    Args:
        folder: The adapter's folder, as `qpeft train` or peft writes it.
        repo: Hub id, `owner/name`.
        private: Whether a new repository is private; None is the owner's default.
        token: Token for the hub; None is the one that `hf auth login` has stored.
        message: Message of the commit.

    Returns:
        Address of the repository.

    Raises:
        QPeftError: The folder holds no adapter, or the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    check_adapter_folder(folder)
    if "/" not in repo:
        raise QPeftError(f"{repo!r} is not a hub id: write owner/name.")
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "adapter"
        _copy(folder, copy, repo)
        try:
            address = api.create_repo(repo, private=private, exist_ok=True)
            api.upload_folder(repo_id=repo, folder_path=copy, commit_message=message or "Upload the adapter")
        except HFValidationError as error:
            raise QPeftError(f"{repo!r} is not a hub id: {_line(error)}") from error
        except LocalTokenNotFoundError as error:
            raise QPeftError(f"cannot push to {repo!r}: log in first (hf auth login), or give a token.") from error
        except HfHubHTTPError as error:
            if getattr(error.response, "status_code", None) in (401, 403):
                raise QPeftError(
                    f"cannot push to {repo!r}: you may not write there. Log in with a token that may write "
                    "(hf auth login), and look at the owner's name."
                ) from error
            raise QPeftError(f"cannot push to {repo!r}: {_line(error)}") from error
        except Exception as error:  # the network fails in as many ways as it has layers
            raise QPeftError(f"cannot push to {repo!r}: the hub cannot be reached ({_line(error)}).") from error
    return str(address)


def _copy(folder: Path, copy: Path, repo: str) -> None:
    wanted = {file for pattern in _FILES for file in folder.rglob(pattern)}

    def unwanted(place: str, names: list[str]) -> list[str]:
        files = [Path(place) / name for name in names]
        return [file.name for file in files if file.is_file() and file not in wanted]

    shutil.copytree(folder, copy, ignore=unwanted)
    card = copy / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else _short_card(repo)
    card.write_text(_LOADS.sub(lambda _: f'adapter="{repo}"', text), encoding="utf-8")


def _short_card(repo: str) -> str:
    return (
        "---\nlibrary_name: peft\ntags: [reranking, q-peft, pyserini]\n---\n\n"
        f"# {repo.partition('/')[2]}\n\nAn adapter for reranking by query likelihood (Q-PEFT, arXiv 2404.04522).\n\n"
        "```python\nfrom pyserini_qpeft import QPeftReranker\n\n"
        "reranker = QPeftReranker.from_pretrained(MODEL, adapter=FOLDER)\n```\n"
    )


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
