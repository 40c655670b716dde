"""The exception for rows that cannot be measured on this machine."""


class Skipped(Exception):
    """A row cannot be measured with this machine or installation; the message is the reason in the table."""
