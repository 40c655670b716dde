"""The one exception for users' mistakes."""


class QPeftError(Exception):
    """A user's mistake, told in one sentence: what was wrong, where, and what to do about it."""
