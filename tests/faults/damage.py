"""Contents of files for the fuzzer: good files that are damaged, and files that have never been good."""

import gzip
import json
from random import Random
from typing import Any

NAMES = (
    *("_id", "id", "qid", "docid", "pid", "text", "title", "query", "question", "answers", "metadata", "hits", "ctxs"),
    *("candidates", "contexts", "doc", "score", "rank", "first_stage_score", "first_stage_rank", "likelihood"),
    *("seconds", "hints", "positive_ctxs", "hard_negative_ctxs", "passage", "depth", "fusion", "model", "windows"),
)
ATOMS = (
    *(None, True, 0, 1, -1, 1.5, float("nan"), float("inf"), 10**400, "", " ", "1", "a", "\ud800", "9" * 400),
    *([], {}, "none", "é", "\u00a0", "\x1c", "\x00"),
)
WORDS = (
    *("1", "a", "Q0", "0", "-1", "1e999", "nan", "9" * 5000, "query-id", "['x']", "[", "<top>", "</top>", "<num>"),
    *("<title>", '<topic number="1">', "{", '"', "\ufeff", "\u00a0", "\x1c", "\x00", "qid,docid,score", "1,a,2"),
)
_EDITS = (b"", b"\n", b"\x00", b"-1", b"null", b'"x"', b"{}", b"[]", b"1e99", b"true", b"\xff", b",", b"\r")


def content(samples: list[bytes], rng: Random) -> bytes:
    """The content of a file.

    Args:
        samples: Good files.
        rng: Draws everything.
    """
    match rng.randrange(8):
        case 0 | 1:
            made = damaged_bytes(rng.choice(samples), rng)
        case 2 | 3:
            made = damaged_structure(rng.choice(samples), rng)
        case 4:
            made = _json(rng)
        case 5 | 6:
            made = _columns(rng)
        case _:
            made = rng.randbytes(rng.randrange(40))
    if rng.randrange(8):
        return made
    zipped = gzip.compress(made, 1)
    return zipped[: rng.randrange(len(zipped))] if rng.randrange(2) else zipped


def damaged_bytes(sample: bytes, rng: Random, places: int | None = None) -> bytes:
    """A file with a few bytes replaced, inserted or cut out, among its first bytes if `places` says so."""
    made = bytearray(sample)
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, min(len(made), places or len(made)))
        new = rng.randbytes(rng.randrange(4)) if rng.randrange(3) == 0 else rng.choice((*_EDITS, bytes(made[:20])))
        made[start : start + rng.randrange(7)] = new
    return bytes(made)


def damaged_structure(sample: bytes, rng: Random) -> bytes:
    """A JSON file, or JSON lines, with values replaced, dropped, repeated or renamed; other files lose whole words."""
    try:
        values = [json.loads(line) for line in sample.splitlines()]
        joint = "\n"
    except ValueError:
        try:
            values, joint = [json.loads(sample)], ""
        except ValueError:
            words = sample.split(b" ")
            words[rng.randrange(len(words))] = rng.choice(WORDS).encode("utf-8", "surrogatepass")
            return b" ".join(words)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(values))
        values[place] = _changed(values[place], rng)
    text = joint.join(json.dumps(value, ensure_ascii=bool(rng.randrange(4))) for value in values)
    return text.encode("utf-8", "surrogatepass")


def _changed(value: Any, rng: Random) -> Any:
    """A JSON value in which one value is another."""
    if not value or not isinstance(value, list | dict) or rng.randrange(4) == 0:
        return _value(rng, 2)
    if isinstance(value, list):
        place = rng.randrange(len(value))
        new = rng.choice(([], [value[place]] * 2, [_changed(value[place], rng)], [_changed(value[place], rng)]))
        return [*value[:place], *new, *value[place + 1 :]]
    name = rng.choice(list(value))
    others = {other: kept for other, kept in value.items() if other != name}
    match rng.randrange(5):
        case 0:
            return others
        case 1:
            return {**others, rng.choice(NAMES): value[name]}
        case 2:
            return {**value, rng.choice(NAMES): _value(rng, 1)}
        case _:
            return {**value, name: _changed(value[name], rng)}


def _value(rng: Random, deep: int) -> Any:
    match rng.randrange(6 if deep else 4):
        case 4:
            return [_value(rng, deep - 1) for _ in range(rng.randrange(4))]
        case 5:
            return {rng.choice(NAMES): _value(rng, deep - 1) for _ in range(rng.randrange(6))}
        case 0:
            return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x11000)))) for _ in range(3))
        case _:
            return rng.choice(ATOMS)


def _json(rng: Random) -> bytes:
    records = [{rng.choice(NAMES): _value(rng, 3) for _ in range(rng.randrange(6))} for _ in range(rng.randint(1, 3))]
    if rng.randrange(2):
        return "\n".join(map(json.dumps, records)).encode()
    return json.dumps(records if rng.randrange(2) else _value(rng, 4), indent=rng.choice((None, 1))).encode()


def _columns(rng: Random) -> bytes:
    lines = [
        rng.choice(" \t,").join(rng.choice(WORDS) for _ in range(rng.randrange(8))) for _ in range(rng.randrange(5))
    ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")
