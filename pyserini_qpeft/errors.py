"""The exceptions of this package, and words that messages share: a suggestion for a mistyped name, a counted noun."""

from collections.abc import Iterable


class QPeftError(Exception):
    """A mistake of the user. The message says in one sentence what is wrong, where, and what to do.

    It is one line: the line ends of an id or a name in it are shown as `\\n`.
    """

    def __str__(self) -> str:
        return super().__str__().replace("\r", "\\r").replace("\n", "\\n")


class NonFiniteScoreError(QPeftError):
    """A score that is NaN or infinite.

    Args:
        sentence: The message.
        query: The text of the query; callers that know its id add it to the message.
    """

    def __init__(self, sentence: str, query: str) -> None:
        super().__init__(sentence)
        self.query = query

    def __reduce__(self) -> tuple[type["NonFiniteScoreError"], tuple[str, str]]:
        return type(self), (self.args[0], self.query)  # errors are sent between processes


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names what a mistyped name could mean, with a blank before it; empty if nothing is similar.

    Args:
        name: The name that is not known.
        known: The names that are. Upper and lower case count as the same.
    """
    from difflib import get_close_matches

    by_lower_case: dict[str, str] = {}
    for other in known:
        by_lower_case.setdefault(other.lower(), other)
    close = get_close_matches(name.lower(), list(by_lower_case), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(by_lower_case[other]) for other in close)}?" if close else ""


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: "1 query", "2,300 queries".

    Args:
        number: How many.
        singular: The noun for one.
        plural: The noun for any other number; None adds an "s", or replaces a "y" at the end by "ies".
    """
    if plural is None:
        plural = singular[:-1] + "ies" if singular.endswith("y") else singular + "s"
    return f"{number:,} {singular if number == 1 else plural}"
