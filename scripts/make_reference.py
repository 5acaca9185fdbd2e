"""Writes the pages of the site that come from the code: the help of each verb, and the list of public names.

docs/conf.py calls it before each build; docs/generated/ is not kept in git.
"""

import contextlib
import inspect
import io
import os
import re
from pathlib import Path
from typing import Any

import lit_cnn
from lit_cnn.cli.main import COMMANDS, VERBS, main

ROOT = Path(__file__).parents[1]
MEMBERS = {  # methods that people call or override; the others are Lightning's
    "LitClassifier": "predict, classify, loss_of, count",
    "ImageDataModule": "read, arrays",
    "PixelPermutation": "__call__",
}


def help_of(*argv: str) -> str:
    """Returns what a command prints, in lines of 100 columns."""
    out, columns = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(out):
            code = main(list(argv))
    finally:
        os.environ.pop("COLUMNS") if columns is None else os.environ.update(COLUMNS=columns)
    if code:
        raise RuntimeError(f"python -m lit_cnn {' '.join(argv)}: exit code {code}")
    return out.getvalue().strip()


def groups() -> dict[str, list[str]]:
    """Returns the public names by kind, in alphabetical order."""
    found: dict[str, list[str]] = {}
    names: list[str] = lit_cnn.__all__  # type: ignore[attr-defined]
    for name in sorted(set(names) - {"models", "__version__"}):
        found.setdefault(_kind(getattr(lit_cnn, name)), []).append(name)
    order = ["Load", "Networks with their training", "Data modules", "Transforms", "Callbacks and plugins"]
    return {kind: found[kind] for kind in order}


def _kind(thing: Any) -> str:
    if not inspect.isclass(thing):
        return "Load"
    home = thing.__module__.split(".")[1]
    kinds = {"training": "Networks with their training", "data": "Data modules", "transforms": "Transforms"}
    return kinds.get(home, "Callbacks and plugins")


def write_reference(folder: Path) -> None:
    """Writes all pages into a folder; files that would not change are left as they are."""
    pages = {"overview.md": f"```text\n{help_of('--help')}\n```\n"}
    for verb, what in (VERBS | COMMANDS).items():
        page = f"# {verb}\n\n{what[0].upper()}{what[1:]}.\n\n```text\n{help_of(verb, '--help')}\n```\n"
        if verb in VERBS:
            page += f"\n## All settings\n\n```text\n{help_of(verb, '--help_all')}\n```\n"
        pages[f"verbs/{verb}.md"] = page
    api = ""
    for kind, names in groups().items():
        api += f"## {kind}\n\n```{{eval-rst}}\n"
        for name in names:
            directive = "autoclass" if inspect.isclass(getattr(lit_cnn, name)) else "autofunction"
            api += f".. {directive}:: lit_cnn.{name}\n"
            api += f"   :members: {MEMBERS[name]}\n" if name in MEMBERS else ""
            api += "\n"
        api += "```\n\n"
    api += "## Networks alone\n\n```{eval-rst}\n.. autofunction:: lit_cnn.models.create\n```\n"
    pages["api.md"] = api
    table = (ROOT / "configs" / "README.md").read_text("utf-8").removeprefix("# Configs\n\n")
    pages["configs.md"] = re.sub(r"\]\((?!http)", "](../configs/", table)
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
