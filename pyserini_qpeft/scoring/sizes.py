"""Numbers of bytes as people write and read them: 4000000000, 20GB, 1.5 GiB."""

import re

_FACTORS = {"": 1, "B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("", 1000), ("B", 1000), ("IB", 1024))
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_size(text: str) -> int:
    """The number of bytes that a text means.

    Args:
        text: A number, with a unit or without: kB, MB, GB and TB are powers of 1,000, KiB, MiB, GiB and TiB of 1,024.

    Raises:
        ValueError: The text is not a size.
    """
    found = _SIZE.fullmatch(text)
    if found is None or found[2].upper() not in _FACTORS:
        raise ValueError(f"{text!r} is not a size: write a number of bytes, or 500MB, 20GB, 1.5GiB.")
    return int(float(found[1]) * _FACTORS[found[2].upper()])


def size_text(size: int) -> str:
    """A number of bytes with three digits and a unit of 1,000: `17.2 GB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
