"""Names and types of all settings, read from source code, since importing torch and Lightning takes seconds.

A type that is not built of plain types is `UNCLEAR`, and left to the parser after the import.
"""

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, get_args

UNCLEAR = object()

ARGUMENTS = "lit_cnn.cli.arguments"
TRAINER = "lightning.pytorch.trainer.trainer", "Trainer"
OF_LIGHTNING = {  # of LightningCLI and the Trainer's methods
    "seed_everything": "bool | int",
    "ckpt_path": "str | None",
    "weights_only": "bool | None",
    "verbose": "bool",
    "return_predictions": "bool | None",
}

# Sections with the arguments of one class, a callback: its module and name.
PARTS = {
    "checkpoint": ("lightning.pytorch.callbacks.model_checkpoint", "ModelCheckpoint"),
    "pictures": ("lit_cnn.callbacks.tensorboard.pictures", "Pictures"),
    "evaluation": ("lit_cnn.callbacks.tensorboard.evaluation", "Evaluation"),
    "features": ("lit_cnn.callbacks.tensorboard.features", "Features"),
    "health": ("lit_cnn.callbacks.tensorboard.health", "Health"),
    "graph": ("lit_cnn.callbacks.tensorboard.graph", "Graph"),
}

# Modules that are quick to import for their types.
LIGHT = {"collections.abc", "datetime", "jsonargparse.typing", "os", "pathlib", "typing"}

# Packages whose source is searched for names.
OWN = ("lit_cnn.", "lightning.")

# Parts of a config that select a class: module and name of the base class; the others lie in the same folder.
BRANCHES = {
    "model": ("lit_cnn.training.classifier", "LitClassifier"),
    "data": ("lit_cnn.data.module", "ImageDataModule"),
    "data.augment": ("lit_cnn.transforms.augment", "Augmentation"),
    "data.views": ("lit_cnn.transforms.views", "View"),
}


@dataclass(frozen=True, eq=False)
class Source:
    """The parsed source of a module: classes, functions, other names and imports."""

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    aliases: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


class Known(NamedTuple):
    """A known setting: its type as an annotation, and the source with it."""

    annotation: ast.expr | None
    source: Source

    @property
    def type(self) -> Any:
        """The type, or UNCLEAR."""
        return _type_of(self.annotation, self.source)


@cache
def source_of(module: str) -> Source:
    """Parses a module without importing it, a stub if there is one; returns an empty Source if it is not found."""
    source = Source()
    path = _file_of(module)
    for node in ast.parse(path.read_bytes()).body if path else ():
        if isinstance(node, ast.ClassDef):
            source.classes[node.name] = node
        elif isinstance(node, ast.FunctionDef):
            source.functions[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            source.aliases[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            source.aliases[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom) and node.module:
            home = f"{module}.{node.module}" if node.level else node.module  # relative in our list of public names
            source.imports.update({alias.asname or alias.name: (home, alias.name) for alias in node.names})
    return source


def _file_of(module: str) -> Path | None:
    package, *parts = module.split(".")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for ending in ("/__init__.pyi", "/__init__.py", ".pyi", ".py"):
            if (path := Path(f"{Path(folder, *parts)}{ending}")).is_file():
                return path
    return None


@cache
def classes_of(branch: str) -> dict[str, Source]:
    """Returns the public classes for this part of a config, each with its source."""
    if branch not in BRANCHES:
        return {}
    home, base = BRANCHES[branch]
    public = source_of("lit_cnn").imports.items()
    found = {name: source_of(module) for name, (module, _) in public if module.startswith(home.rpartition(".")[0])}
    return {name: source for name, source in found.items() if name != base and base in _ancestors(name, source)}


def _ancestors(name: str, source: Source) -> dict[str, tuple[ast.ClassDef, Source]]:
    """Returns a class and its base classes by name, if their source is found."""
    while name not in source.classes:
        if name not in source.imports:
            return {}
        module, name = source.imports[name]
        source = source_of(module)
    node = source.classes[name]
    found = {name: (node, source)}
    for base in node.bases:
        if isinstance(base, ast.Name):
            found |= {n: c for n, c in _ancestors(base.id, source).items() if n not in found}
    return found


@cache
def parameters(name: str, source: Source) -> dict[str, Known] | None:
    """Returns the arguments of a class in a source by name, or None if it takes arguments that are not found."""
    found: dict[str, Known] = {}
    for node, home in _ancestors(name, source).values():
        init = next((p for p in node.body if isinstance(p, ast.FunctionDef) and p.name == "__init__"), None)
        if init is None:
            continue
        found = _arguments(init, home) | found
        if init.args.kwarg is None:
            return found
    return None if found else {}


def _arguments(function: ast.FunctionDef, source: Source) -> dict[str, Known]:
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return {a.arg: Known(a.annotation, source) for a in arguments if a.arg != "self"}


def _type_of(annotation: ast.expr | None, source: Source) -> Any:
    if isinstance(annotation, ast.Attribute) and isinstance(annotation.value, ast.Name):  # module.Name
        module = source.imports.get(annotation.value.id)
        return _named(annotation.attr, source_of(".".join(module))) if module else UNCLEAR
    if annotation is None or any(isinstance(node, (ast.Attribute, ast.Call)) for node in ast.walk(annotation)):
        return UNCLEAR
    names = {node.id: _named(node.id, source) for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    if any(value is UNCLEAR for value in names.values()):
        return UNCLEAR
    try:
        return eval(compile(ast.Expression(annotation), "annotation", "eval"), names)
    except (TypeError, NameError):
        return UNCLEAR


def _named(name: str, source: Source) -> Any:
    if name in source.aliases:
        return _type_of(source.aliases[name], source)
    if name in source.imports:
        module, original = source.imports[name]
        if module in LIGHT:
            return getattr(import_module(module), original)
        return _named(original, source_of(module)) if module.startswith(OWN) else UNCLEAR
    return UNCLEAR if name in source.classes else getattr(builtins, name, UNCLEAR)


@cache
def sections() -> dict[str, Known]:
    """Returns the top-level keys of a config of any verb."""
    ours = source_of(ARGUMENTS)
    names = ("config", "print_config", "help", "model", "data", "trainer", *PARTS)
    lightnings = {name: Known(ast.parse(kind, mode="eval").body, ours) for name, kind in OF_LIGHTNING.items()}
    return dict.fromkeys(names, Known(None, ours)) | lightnings | _arguments(ours.functions["of_the_run"], ours)


def settings_of(branch: str, names: Sequence[str] = ()) -> list[dict[str, Known]] | None:
    """Returns the settings of a section such as trainer or data.augment, or None if they are unknown; "" is the top.

    If it selects classes, they are those of each class in `names`, by default of all.
    """
    if branch in BRANCHES:
        home, base = BRANCHES[branch]
        classes = {base: source_of(home)} | classes_of(branch)
        short = [name.rpartition(".")[2] for name in names if "." not in name or name.startswith("lit_cnn.")]
        if len(short) < len(names) or not set(short) <= classes.keys():
            return None
        found = [parameters(name, classes[name]) for name in short or classes]
    elif not branch:
        found = [sections()]
    elif branch == "trainer" or branch in PARTS:
        module, name = PARTS.get(branch, TRAINER)
        found = [parameters(name, source_of(module))]
    else:
        return None
    return None if None in found else [known for known in found if known is not None]


def family_of(name: str) -> tuple[str, dict[str, str]] | None:
    """Returns the Lit class of a network in the model registry, and the settings that select the network.

    Example:
        >>> family_of("resnet18"), family_of("alexnet"), family_of("alexnut")
        (('LitResNet', {'name': 'resnet18'}), ('LitAlexNet', {}), None)
    """
    for cls, source in classes_of("model").items():
        named = (parameters(cls, source) or {}).get("name")
        if named and name in get_args(named.type):
            return cls, {"name": name}
        if cls.lower() == f"lit{name.replace('_', '')}":
            return cls, {}
    return None
