"""What cannot be measured here is told in its row, with the reason."""


class Skipped(Exception):
    """A row that this machine or installation cannot give; the message says why."""
