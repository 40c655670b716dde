"""The topics that Pyserini knows by name."""

from pyserini_qpeft.data.records import Topics
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini


def named_topics(name: str, topics_format: str = "default") -> Topics:
    """The queries of topics that come with Pyserini, or of a file in one of Pyserini's special formats.

    Args:
        name: For example "dl19-passage", or a path.
        topics_format: Pyserini's `--topics-format`, for example "kilt".

    Returns:
        The queries in Pyserini's order; qids are strings.

    Raises:
        QPeftError: Pyserini knows no such topics or format, or a topic is not text.
    """
    queries = load_pyserini("pyserini.query_iterator")
    from jnius import JavaException

    try:
        topics = {
            str(qid): query for qid, query in queries.get_query_iterator(name, queries.TopicsFormat(topics_format))
        }
    except JavaException as error:
        raise QPeftError(f"Pyserini could not read the topics {name}: {error.innermessage}.") from error
    except (ValueError, OSError, NotImplementedError, KeyError) as error:
        raise QPeftError(
            f"the topics {name} are neither a file nor a name that Pyserini knows ({topics_format}): {error}."
        ) from error
    for qid, query in topics.items():
        if not isinstance(query, str):
            raise QPeftError(f"topic {qid} of {name} is not text ({topics_format}): only text can be reranked.")
    return topics
