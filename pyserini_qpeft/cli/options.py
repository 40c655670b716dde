"""Command-line options from the fields of a dataclass, and the dataclass from the options that were given."""

import argparse
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pyserini_qpeft.errors import did_you_mean


def add_options(
    parser: argparse._ActionsContainer,
    config: type,
    names: Collection[str] | None = None,
    *,
    prefix: str = "--",
    short: Collection[str] = (),
) -> None:
    """Add an option for each field of a configuration that has a help text.

    The field `batch_tokens` becomes `--batch-tokens`. An option that is not given is absent from the parsed
    arguments, so the dataclass alone holds the defaults.

    Args:
        parser: Parser or argument group.
        config: A dataclass; each field's `metadata["help"]` is the help text. A field may be a bool (`--x`, `--no-x`),
            a Literal (choices), a tuple or list (several values), a dict (`NAME=VALUE`), a str, int, float or Path, or
            one of these or None.
            `metadata["choices"]` lists the values that a str, or each of several, may have. An int with
            `metadata["unit"] == "bytes"` may be written as 20GB.
        names: Fields that become options; None is all.
        prefix: What the options begin with.
        short: Fields that also get an option with two dashes and no other prefix.
    """
    hints = get_type_hints(config)
    for field in fields(config):
        if "help" not in field.metadata or (names is not None and field.name not in names):
            continue
        name = field.name.replace("_", "-")
        flags = dict.fromkeys([prefix + name, *(["--" + name] if field.name in short else [])])
        parser.add_argument(
            *flags,
            dest=field.name,
            default=argparse.SUPPRESS,
            help=_help(field),
            **(
                {"type": _size, "metavar": "SIZE"}
                if field.metadata.get("unit") == "bytes"
                else _how(hints[field.name], field.metadata.get("choices"))
            ),
        )


def read_options[Config](config: type[Config], args: argparse.Namespace, **given: Any) -> Config:
    """Return the configuration with the values that were given on the command line.

    Args:
        config: The dataclass whose options were added.
        args: Parsed arguments.
        **given: Values of fields that are not options.
    """
    present = {field.name for field in fields(config)} & set(vars(args))  # type: ignore[arg-type]
    return config(**{**{name: getattr(args, name) for name in present}, **given})


def one_of(choices: Sequence[str], aliases: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The keyword arguments of `add_argument` for a choice that suggests a name if the given one is mistyped.

    Args:
        choices: The values.
        aliases: Other words for some of them.
    """

    def read(name: str) -> str:
        value = (aliases or {}).get(name, name)
        if value not in choices:
            known = ", ".join(choices)
            raise argparse.ArgumentTypeError(
                f"invalid choice: {name!r} (choose from {known}).{did_you_mean(name, choices)}"
            )
        return value

    return {"choices": choices, "type": read}


def _size(word: str) -> int:
    from pyserini_qpeft.scoring.sizes import parse_size

    try:
        return parse_size(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Assignments(argparse.Action):
    """Reads `NAME=VALUE` words as a dict; a value is a number, true, false or text, as in YAML."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        import yaml

        read = {}
        for word in values:
            name, equals, value = word.partition("=")
            if not name or not equals:
                parser.error(f"argument {option_string}: {word!r} is not NAME=VALUE")
            try:
                read[name] = yaml.safe_load(value)
            except yaml.YAMLError:
                read[name] = value
        setattr(namespace, self.dest, read)


def _help(field: "Field[Any]") -> str:
    text = str(field.metadata["help"]).replace("%", "%%")
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if default in (None, MISSING, "", (), [], {}):
        return text
    if isinstance(default, bool):
        default = "on" if default else "off"
    elif field.metadata.get("unit") == "bytes":
        default = f"{default / 2**30:g}GiB"
    return f"{text} (default: {' '.join(map(str, default)) if isinstance(default, tuple | list) else default})"


def _how(kind: Any, choices: Sequence[str] | None = None) -> dict[str, Any]:
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(member for member in get_args(kind) if member is not types.NoneType)
    if get_origin(kind) in (tuple, list, Sequence):
        return {"nargs": "+", **_how(get_args(kind)[0], choices)}
    if get_origin(kind) is dict:
        return {"nargs": "+", "action": _Assignments, "metavar": "NAME=VALUE"}
    if choices is not None:
        return one_of(choices)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return one_of(get_args(kind))
    return {"type": kind, "metavar": getattr(kind, "__name__", str(kind)).upper()}
