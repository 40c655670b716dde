"""The exception for users' mistakes."""


class QPeftError(Exception):
    """A user's mistake, told in one sentence: what was wrong, where, and what to do about it."""


class NonFiniteScoreError(QPeftError):
    """A score that is NaN or infinite.

    Args:
        sentence: What is told.
        query: The query whose list it is in, for who knows its id.
    """

    def __init__(self, sentence: str, query: str) -> None:
        super().__init__(sentence)
        self.query = query
