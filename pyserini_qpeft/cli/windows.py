"""The options of windows: `--windows`, and how documents are cut."""

import argparse
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from pyserini_qpeft.cli.options import add_options, one_of
from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.windows.config import WindowConfig


def add_window_options(parser: argparse._ActionsContainer, prefix: str = "--") -> None:
    """Add the options that say whether and how long documents are scored through windows."""
    from pyserini_qpeft.windows.config import COMBINE, WindowConfig

    parser.add_argument(
        f"{prefix}windows",
        dest="windows",
        nargs="?",
        const=WindowConfig().combine,
        help="score documents that are longer than the passage tokens through windows: by the best window (max), the "
        "mean of the best ones, the first one, or a smooth maximum; none cuts their end "
        f"(default: none; {prefix}windows alone is {WindowConfig().combine})",
        **one_of(("none", *COMBINE)),
    )
    add_options(parser, WindowConfig, prefix=f"{prefix}window-")


def read_windows(args: argparse.Namespace, stored: "WindowConfig | None" = None) -> "WindowConfig | None":
    """The windows that the options ask for, or those of a stored configuration with the options that are given.

    Documents that are given as passages always have windows.

    Raises:
        QPeftError: A value is out of range, a setting is given that has no effect (windows are off, or combined in
            another way), or they are turned off and documents are given as passages.
    """
    from pyserini_qpeft.windows.config import WindowConfig

    windows = stored
    if args.windows is not None:
        windows = None if args.windows == "none" else replace(stored or WindowConfig(), combine=args.windows)
    if windows is None and getattr(args, "passages_from", None) is not None:
        if args.windows == "none":
            raise QPeftError("the passages of --passages-from are scored as windows: leave out --windows none.")
        windows = WindowConfig()
    given = {field.name: getattr(args, field.name) for field in fields(WindowConfig) if field.name in args}
    if given and windows is None:
        raise QPeftError(f"the {next(iter(given))} of windows has no effect without them: add --windows.")
    for name, combine in (("best", "mean"), ("temperature", "smooth")):
        if name in given and windows is not None and windows.combine != combine:
            raise QPeftError(f"the setting {name} of windows is for --windows {combine}, not for {windows.combine}.")
    return windows and replace(windows, **given)
