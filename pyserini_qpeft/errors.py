"""The exceptions of this package."""


class QPeftError(Exception):
    """A mistake of the user. The message says in one sentence what is wrong, where, and what to do."""


class NonFiniteScoreError(QPeftError):
    """A score that is NaN or infinite.

    Args:
        sentence: The message.
        query: The text of the query; callers that know its id add it to the message.
    """

    def __init__(self, sentence: str, query: str) -> None:
        super().__init__(sentence)
        self.query = query
