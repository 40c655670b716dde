"""Turns off the messages of libraries."""

import logging
import warnings


def quiet() -> None:
    """Turns off warnings, progress bars and the advice of transformers in this process."""
    from transformers.utils import logging as transformers_logging

    warnings.simplefilter("ignore")
    logging.captureWarnings(capture=True)
    logging.disable(logging.INFO)  # one of the libraries turns on logging for all
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
