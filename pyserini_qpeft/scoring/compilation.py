"""torch.compile where it can be had."""

import os
import shutil
import sys
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer


def compile_scoring(scorer: "LikelihoodScorer") -> None:
    """Compiles the body of a scorer's model for shapes of any size, in place: whoever uses the model uses it compiled.

    Two pairs are scored at once, so that what is amiss is told here. The output layer stays as it is: it sees the
    scored places alone, which are a different number every time.

    Raises:
        QPeftError: If the device is a CPU and there is no C++ compiler, which torch needs there; or if torch fails.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if scorer.device.type == "cpu" and shutil.which(compiler) is None:
        raise QPeftError(f"compiling for a CPU needs the C++ compiler {compiler}: install it, or do not compile.")
    trial = scorer.sequences([("a question", "a passage"), ("another question", "another passage")])
    scorer.score(trial)  # finds out whether pairs pack, before that would be compiled too
    scorer.causal_model.get_decoder().compile(dynamic=True)
    try:
        scorer.score(trial)
    except RuntimeError as error:
        raise QPeftError(f"this model cannot be compiled here: {str(error).strip().splitlines()[0]}") from error
