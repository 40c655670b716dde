"""MkDocs hook: pages of the site that are made from other files, from the command line, and from the package.

- README, RESULTS, CONTRIBUTING and others become pages; links between files of the tree become links of the site.
- The page of the command line comes from the parsers, so it has every option with its help text.
- The pages of the Python API list the public names; mkdocstrings adds their docstrings.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from inspect import isclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
FROM_THE_TREE = {
    "index.md": "README.md",
    "results.md": "RESULTS.md",
    "results/adapters.md": "results/adapters.md",
    "results/gemma.md": "results/gemma.md",
    "results/plain.md": "results/plain.md",
    "results/shipped.md": "results/shipped.md",
    "results/smollm2.md": "results/smollm2.md",
    "speed.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "architecture.md": "ARCHITECTURE.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages that are files of the tree outside docs/: the page, and the file."""

GLOSSARY = "\n## Glossary\n"
"""Where the glossary begins in ARCHITECTURE.md; on the site it is a page of its own."""

_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the recipes that exist into the navigation."""
    recipes = sorted(f"extend/{path.name}" for path in (ROOT / "docs" / "extend").glob("*.md"))
    if recipes and config.nav is not None:
        config.nav.append({"Extend": recipes})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    pages = {uri: (ROOT / path).read_text() for uri, path in FROM_THE_TREE.items()}
    pages["architecture.md"], _, glossary = pages["architecture.md"].partition(GLOSSARY)
    pages["glossary.md"] = f"# Glossary\n{glossary}"
    pages["command-line.md"] = command_line()
    pages.update(api_pages())
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links between files of the tree into links of the site."""
    uri = page.file.src_uri
    return relinked(markdown, uri, FROM_THE_TREE.get(uri, f"docs/{uri}"))


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that needs a network to be read."""
    for page in Path(config.site_dir).rglob("*.html"):
        if found := loaded_from_elsewhere(page.read_text()):
            raise PluginError(f"{page.relative_to(config.site_dir)} loads {found[0]}: the site must work offline")


def loaded_from_elsewhere(html: str) -> list[str]:
    """The scripts, styles, fonts and images that a page loads from other hosts."""
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", html)
    found = (re.search(r"""(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""", tag) for tag in tags)
    return [address[1] for address in found if address is not None]


def relinked(markdown: str, uri: str, source: str) -> str:
    """Turn links between files of the tree into links of the site.

    Args:
        markdown: A page.
        uri: Its place in the site.
        source: Its place in the tree.

    Returns:
        The page. A link to a file that is in the tree and not on the site becomes plain text. A link to nothing stays
        as it is, and MkDocs reports it.
    """
    pages = {path: page for page, path in FROM_THE_TREE.items()}

    def link(found: re.Match[str]) -> str:
        mark, text, target, anchor = found.groups(default="")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if (path, anchor) == ("ARCHITECTURE.md", "#glossary"):
            path, anchor = "docs/glossary.md", ""
        goal = pages.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if goal is not None:
            return f"{mark}[{text}]({posixpath.relpath(goal, posixpath.dirname(uri) or '.')}{anchor})"
        return text if (ROOT / path).exists() else found[0]

    parts = _FENCE.split(markdown)
    return "".join(part if place % 2 else _LINK.sub(link, part) for place, part in enumerate(parts))


def command_line() -> str:
    """The page of the command line: every command with its options, from the parsers."""
    text = [
        "# Command line",
        "`qpeft COMMAND [options]`. Words in capitals are values. `qpeft COMMAND --help` shows the same text.",
    ]
    for name, module in commands().items():
        text += [f"## qpeft {name}", _sentence(module.HELP), *_options(name, module)]
    return "\n\n".join(text) + "\n"


def commands() -> dict[str, Any]:
    """The modules of the command line that are commands, by name."""
    from pyserini_qpeft.cli.__main__ import commands as known

    return dict(known())


def _options(name: str, module: Any) -> Iterator[str]:
    from pyserini_qpeft.cli.__main__ import Parser

    parser = Parser(prog=f"qpeft {name}", add_help=False)
    module.add_arguments(parser)
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        rows = []
        for action in group._group_actions:
            if action.help == "==SUPPRESS==":
                continue
            value = formatter._format_args(action, formatter._get_default_metavar_for_optional(action))
            flags = [f"`{flag} {value}`" if value else f"`{flag}`" for flag in action.option_strings] or [f"`{value}`"]
            required = " **Required.**" if action.required and action.option_strings else ""
            rows.append(f"| {'<br>'.join(flags)} | {_cell(formatter._expand_help(action))}{required} |\n")
        if rows:
            standard = group.title in ("options", "positional arguments")
            head = "" if standard else f"### {name}: {group.title}\n\n"
            yield f"{head}| option | meaning |\n|---|---|\n{''.join(rows)}"
    if parser.epilog:
        yield f"```text\n{parser.epilog.strip()}\n```" if "\n" in parser.epilog else parser.epilog


def api_pages() -> dict[str, str]:
    """The pages of the Python API, by their place in the site."""
    import pyserini_qpeft

    package = pyserini_qpeft.__name__
    interop = import_module(f"{package}.interop")
    names = [found.name for found in iter_modules(interop.__path__) if found.name != "settings"]
    adapters = [f"{package}.interop.{name}" for name in names]
    pages: dict[str, tuple[str, str, list[str]]] = {
        "reranking": (
            "Reranking",
            "Import these names from `pyserini_qpeft`; `rerank_run` and `RunConfig`, for whole runs, from "
            "`pyserini_qpeft.reranking.rerank_run`. Nothing heavy is loaded before a name is used.",
            [f"{package}.{name}" for name in pyserini_qpeft.__all__]
            + [f"{package}.reranking.rerank_run.{name}" for name in ("rerank_run", "RunConfig")],
        ),
        "lucene": (
            "Lucene",
            "Import these names from `pyserini_qpeft.lucene`. Java starts when one of them needs it.",
            _public(f"{package}.lucene"),
        ),
        "training": (
            "Training",
            "A training run is one configuration and one function; `qpeft train` is made of the same fields.",
            [f"{package}.training.{name}" for name in TRAINING],
        ),
        "evaluation": (
            "Evaluation",
            "Import these names from `pyserini_qpeft.evaluation`.",
            _public(f"{package}.evaluation"),
        ),
        "notebook": (
            "Notebooks",
            "Import these names from `pyserini_qpeft.notebook`.",
            _public(f"{package}.notebook"),
        ),
        "interop": (
            "Other libraries",
            "One module for each library; each imports its library when it is used.",
            adapters,
        ),
    }
    return {
        f"api/{name}.md": f"# {title}\n\n{lead}\n\n" + "\n\n".join(map(_entry, paths)) + "\n"
        for name, (title, lead, paths) in pages.items()
    }


TRAINING = (
    "run.train",
    "config.TrainConfig",
    "adapter_config.AdapterConfig",
    "config.SamplingConfig",
    "losses.config.LossConfig",
    "config.OptimizationConfig",
    "mining.Miner",
    "mining.MiningConfig",
)
"""Public names of training, by module."""


def _public(module: str) -> list[str]:
    return [f"{module}.{name}" for name in import_module(module).__all__]


def _entry(path: str) -> str:
    """A name for mkdocstrings, with a table of the fields if it is a configuration."""
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name, None)
    return f"::: {path}\n" + (_field_table(found) if isclass(found) and is_dataclass(found) else "")


def _field_table(config: Any) -> str:
    """The fields of a configuration that have a help text."""
    rows = [
        f"| `{field.name}` | `{_default(field)}` | {_cell(field.metadata['help'])} |\n"
        for field in fields(config)
        if "help" in field.metadata
    ]
    return f"\n| field | default | meaning |\n|---|---|---|\n{''.join(rows)}" if rows else ""


def _default(field: Any) -> str:
    if field.default is not MISSING:
        return repr(field.default)
    return f"{field.default_factory.__name__}()" if field.default_factory is not MISSING else "required"


def _cell(text: str) -> str:
    escaped: Mapping[int, str] = str.maketrans({"|": r"\|", "[": r"\[", "<": "&lt;", "*": r"\*", "_": r"\_"})
    return " ".join(text.split()).translate(escaped)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
