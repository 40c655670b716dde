"""Places in a text where it may be cut, and how good each place is."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NOWHERE, CHARACTER, WORD, SENTENCE = range(4)
"""How good a place is: inside a character, between two characters, before a word, before a sentence."""

_SENTENCE_START = re.compile(
    r"""(?: [.!?…؟۔।॥։።] ['"”’»)\]]* \s+     # the end of a sentence, and quotes or brackets that close
          | [。！？｡] ['"”’」』）)]* \s*        # scripts without blanks
          | \n\s*\n\s*                         # a blank line
        ) (?=\S)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The places before each token of a text, and its end.

    Attributes:
        places: Place of each boundary in the text, in characters: int64 `[tokens + 1]`, never descending. A boundary
            before blanks is moved behind them. The last one is the end of the text.
        quality: `SENTENCE`, `WORD`, `CHARACTER` or `NOWHERE` for each boundary, int64 `[tokens + 1]`. Of several
            boundaries in one place all but the first are `NOWHERE`.
    """

    places: npt.NDArray[np.int64]
    quality: npt.NDArray[np.int64]


def sentence_starts(text: str) -> set[int]:
    """The places in a text where a sentence or a paragraph starts, except the start of the text.

    A sentence ends at a mark such as `.`, `!` or `。`, with blanks after it unless its script has none. A full
    stop before a small letter does not end a sentence, as in "i.e. this".
    """
    return {found.end() for found in _SENTENCE_START.finditer(text) if not text[found.end()].islower()}


def boundaries(text: str, spans: npt.NDArray[np.int64]) -> Boundaries:
    """Find where a text may be cut between its tokens.

    Args:
        text: The text, without blanks at its ends.
        spans: Start and stop of each token in characters, int64 `[tokens, 2]`, in order.
    """
    sentences = sentence_starts(text)
    length = len(text)
    places = np.full(len(spans) + 1, length, dtype=np.int64)
    quality = np.full(len(spans) + 1, NOWHERE, dtype=np.int64)
    before, stop = -1, 0
    for token, (start, end) in enumerate(spans.tolist()):
        place = max(0, start, before)
        while place < length and text[place].isspace():
            place += 1
        places[token] = place
        if place != before and place < length and start >= stop:
            if place == 0 or place in sentences:
                quality[token] = SENTENCE
            elif text[place - 1].isspace():
                quality[token] = WORD
            else:
                quality[token] = CHARACTER
        before, stop = place, max(stop, end)
    quality[-1] = SENTENCE
    return Boundaries(places, quality)
