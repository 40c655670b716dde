"""The Hugging Face hub: whether a repository is cached or can be reached, found out within seconds.

transformers and peft try for half a minute before they give up, and then say that a file is missing.
"""

from pathlib import Path
from typing import NoReturn

from pyserini_qpeft.errors import QPeftError

_SECONDS = 3.0
"""How long the hub may take to answer."""


def is_cached(repo: str, file: str = "config.json") -> bool:
    """Whether a file of a repository is in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(repo, file), str)
    except HFValidationError:
        return False


def must_use_cache(repo: str, file: str, advice: str = "", shown: str = "") -> bool:
    """Whether a repository can only be had from the hub's cache, because the hub cannot be reached.

    Args:
        repo: Hub id.
        file: A file that the repository must have.
        advice: What else a user can do; added to the message if the repository cannot be had.
        shown: How to name the repository in the message, if not by its id alone.

    Returns:
        False if the hub has the file; True if the hub cannot be reached and the file is cached.

    Raises:
        QPeftError: The hub has no such repository or file, or it cannot be reached and the file is not cached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HFValidationError, RepositoryNotFoundError

    def refuse(reason: str, error: Exception) -> NoReturn:
        raise QPeftError(f"cannot load {shown or repr(repo)}: {reason}.{' ' + advice if advice else ''}") from error

    try:
        get_hf_file_metadata(hf_hub_url(repo, file), timeout=_SECONDS)
    except HFValidationError as error:
        refuse("it is neither a folder here nor a valid hub id", error)
    except GatedRepoError as error:
        refuse("its owner has to grant access; ask for it on the hub, then log in (hf auth login)", error)
    except RepositoryNotFoundError as error:
        refuse("it is neither a folder here nor a repository on the hub that you may read", error)
    except EntryNotFoundError as error:
        refuse(f"its repository on the hub has no {file}", error)
    except Exception as error:  # the network fails in as many ways as it has layers
        if is_cached(repo, file):
            return True
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        refuse(
            f"it is neither a folder here nor in the hub's cache, and the hub cannot be reached (network: {reason})",
            error,
        )
    return False


def download(repo: str, file: str, advice: str = "", shown: str = "") -> Path:
    """Path of one file of a repository, downloaded into the hub's cache if it is not there.

    Raises:
        QPeftError: As for `must_use_cache`, or the download fails.
    """
    from huggingface_hub import hf_hub_download

    cached = must_use_cache(repo, file, advice, shown)
    try:
        return Path(hf_hub_download(repo, file, local_files_only=cached))
    except Exception as error:  # as above
        raise QPeftError(f"cannot download {file} of {repo!r}: {' '.join(str(error).split())[:200]}") from error


def download_folder(repo: str, file: str, patterns: list[str], advice: str = "") -> Path:
    """Folder with the files of an adapter's repository that match `patterns`; `file` must be among them.

    Raises:
        QPeftError: As for `must_use_cache`, or the download fails.
    """
    from huggingface_hub import snapshot_download

    cached = must_use_cache(repo, file, advice, shown=f"the adapter {repo!r}")
    try:
        return Path(snapshot_download(repo, allow_patterns=patterns, local_files_only=cached))
    except Exception as error:  # as above
        raise QPeftError(f"cannot download the adapter {repo!r}: {' '.join(str(error).split())[:200]}") from error
