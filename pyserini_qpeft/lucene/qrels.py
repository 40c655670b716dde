"""The qrels that Pyserini knows by name."""

from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini


def named_qrels_file(name: str) -> Path:
    """The file of qrels that come with Pyserini, which downloads them if needed.

    Args:
        name: For example "dl19-passage" or "beir-v1.0.0-scifact-test".

    Raises:
        QPeftError: Pyserini knows no such qrels, or cannot download them.
    """
    search = load_pyserini("pyserini.search")
    from jnius import JavaException

    try:
        return Path(search.get_qrels_file(name))
    except (JavaException, OSError) as error:
        cause = str(error).splitlines()[0]  # the other lines are the Java stack
        raise QPeftError(
            f"the qrels {name} are neither a file nor a name that Pyserini knows and can download: {cause}."
        ) from error
