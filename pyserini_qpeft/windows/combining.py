"""The likelihoods of a document's windows become the likelihood of the document.

With likelihoods l_1 … l_n of its windows, best first, a document has

    max       l_1
    mean      1/k · Σ l_i, over the best k, or over all n if there are fewer
    first     the likelihood of its first window
    smooth    t · log(1/n · Σ exp(l_i / t)), from the mean of all windows (large t) to the best one (small t)

With t = 1 / (tokens of the query), the smooth maximum is the likelihood under a mixture of the windows, all with the
same share.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.windows.config import WindowConfig


def combine(likelihoods: Sequence[float] | npt.NDArray[np.floating], config: WindowConfig) -> float:
    """The likelihood of a document: never above that of its best window, and the window's own if there is one.

    Args:
        likelihoods: Those of its windows, in the order of the document; at least one.
        config: How they are combined.
    """
    windows = np.asarray(likelihoods, dtype=np.float64)
    best = windows.max()
    match config.combine:
        case "max":
            return float(best)
        case "first":
            return float(windows[0])
        case "mean":
            return float(np.sort(windows)[-config.best :].mean())
        case "smooth":
            with np.errstate(under="ignore"):
                return float(best + config.temperature * np.log(np.exp((windows - best) / config.temperature).mean()))
