"""Keeps libraries from talking between the figures."""

import logging
import warnings


def quiet() -> None:
    """Silences warnings, and the progress bars and advice of transformers, in this process."""
    from transformers.utils import logging as transformers_logging

    warnings.simplefilter("ignore")
    logging.captureWarnings(capture=True)
    logging.disable(logging.INFO)  # one of them turns it on for everybody
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
