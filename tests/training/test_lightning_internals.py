"""Lightning's private names are used in one file."""

import ast
import re
from importlib import import_module
from pathlib import Path

import lightning
import torch

PACKAGE = Path(__file__).parents[2] / "lit_cnn"
HOME = PACKAGE / "training" / "lightning_internals.py"
PRIVATE = re.compile(r"_[a-zA-Z]\w*")
PUBLIC_MODULES = re.compile(
    r"lightning\.pytorch(\.(accelerators|callbacks|cli|loggers|plugins(\.(io|precision))?|profilers|strategies"
    r"|utilities(\.(exceptions|seed))?))?"
)


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def names_of(module):
    """Returns the private names that a file defines, and those that it uses."""
    defined, used = set(), []
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.Attribute):
            used.append((node.attr, node.lineno))
            if isinstance(node.ctx, ast.Store):
                defined.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    return {n for n in defined if PRIVATE.fullmatch(n)}, [(n, line) for n, line in used if PRIVATE.fullmatch(n)]


def lightnings():
    """Returns the private names of Lightning's source that are not torch's."""
    weight = torch.nn.Parameter(torch.zeros(1))
    torchs = {name for thing in (torch.nn.Linear(1, 1), weight, torch.optim.SGD([weight])) for name in dir(thing)}
    return set().union(*(names_of(tree(p))[0] for p in Path(lightning.__file__).parent.rglob("*.py"))) - torchs


def named_in_strings(module):
    """Returns the texts that are a name as a whole, as for getattr; not the fixed parts of f-strings."""
    parts = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value, node.lineno


def found_in(module, private):
    own, used = names_of(module)
    # `self._x` is the file's own if it says what `_x` is; `other._x` is a private name of somebody else's.
    selves = {
        (node.attr, node.lineno)
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    }
    yield from ((name, line) for name, line in used if name in private and not ((name, line) in selves and name in own))
    yield from ((name, line) for name, line in named_in_strings(module) if name in private)
    for node in ast.walk(module):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
            if node.module.split(".")[0] == "lightning":
                yield from ((a.name, node.lineno) for a in node.names if PRIVATE.fullmatch(a.name))
        for name in modules:
            if name.split(".")[0] in ("lightning", "pytorch_lightning") and not PUBLIC_MODULES.fullmatch(name):
                yield name, node.lineno


def test_private_names_of_lightning_are_used_in_one_file():
    private = lightnings()
    assert {"_should_accumulate", "_logger_connector", "_run_subcommand"} <= private
    found = {
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path in PACKAGE.rglob("*.py")
        if path != HOME
        for name, line in found_in(tree(path), private)
    }
    assert sorted(found) == []


def test_the_search_finds_what_it_is_for():
    source = """
from lightning.pytorch.loops.fit_loop import _FitLoop
import lightning.fabric.utilities.cloud_io
from lightning.pytorch import Trainer
class Mine:
    def _run_stage(self):
        self._run_stage()
        self._active_loop
        super()._run_stage()
        trainer.fit_loop._data_fetcher
        getattr(trainer, "_results")
        print(f"{trainer}_results", trainer._mine)
"""
    names = [name for name, _ in found_in(ast.parse(source), lightnings())]
    assert sorted(names) == sorted(
        [
            *("_FitLoop", "lightning.pytorch.loops.fit_loop", "lightning.fabric.utilities.cloud_io"),
            *("_active_loop", "_run_stage", "_data_fetcher", "_results"),
        ]
    )


def test_no_class_replaces_a_private_method_of_its_lightning_base():
    files = [path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py") if path.name != "__main__.py"]
    modules = [import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__")) for file in files]
    kinds = {k for module in modules for k in vars(module).values() if isinstance(k, type)}
    replaced = {
        f"{kind.__name__}.{name}"
        for kind in kinds
        if kind.__module__.startswith("lit_cnn.")
        for base in kind.__mro__[1:]
        if base.__module__.startswith("lightning.")
        for name in vars(kind).keys() & vars(base).keys()
        if PRIVATE.fullmatch(name) and not name.startswith("_abc")
    }
    assert replaced == set()
