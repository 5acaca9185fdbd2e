"""Names and types of all settings, read from source code, since importing torch and Lightning takes seconds.

A type that is not built of plain types is `UNCLEAR`; the parser checks it after the import.
"""

import ast
import builtins
from collections.abc import Sequence
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
LIGHT = {"collections.abc", "datetime", "jsonargparse.typing", "lit_cnn.typed_arguments", "os", "pathlib", "typing"}

# Packages whose source is searched for names.
OWN = ("lit_cnn.", "lightning.")

# Parts of a config that select a class: module and name of the base class; the others lie in the same folder.
BRANCHES = {
    "model": ("lit_cnn.training.classifier", "LitClassifier"),
    "data": ("lit_cnn.data.module", "ImageDataModule"),
    "data.augment": ("lit_cnn.transforms.augment", "Augmentation"),
    "data.views": ("lit_cnn.transforms.views", "View"),
}


# Settings that name a class: the modules that list the choices, their base class, and the setting of its arguments.
NAMED = {
    "model.optimizer": (("torch.optim", "lit_cnn.training.muon"), "Optimizer", "model.optimizer_args"),
    "model.scheduler": (
        ("torch.optim.lr_scheduler", "lit_cnn.training.lr_schedules"),
        "LRScheduler",
        "model.scheduler_args",
    ),
    "trainer.logger": (("lightning.pytorch.loggers",), "Logger", None),
    "trainer.profiler": (("lightning.pytorch.profilers",), "Profiler", None),
    "trainer.callbacks": (("lightning.pytorch.callbacks", "lit_cnn"), "Callback", None),
}
DEFAULT_OPTIMIZER = "Adam"  # of LitClassifier and all Lit classes
NOT_OF_ARGS = {"params", "lr", "optimizer"}  # arguments that an optimizer or schedule gets in another way
PLATEAU, OF_PLATEAU = "ReduceLROnPlateau", {"monitor"}  # lit_cnn adds this argument


NONE = frozenset[tuple[str, str]]()


class Known(NamedTuple):
    """A known setting: its type as an annotation, and the module with it."""

    annotation: ast.expr | None
    module: str

    @property
    def type(self) -> Any:
        """The type, or UNCLEAR."""
        return _type_of(self.annotation, self.module)


@cache
def names_in(module: str) -> dict[str, Any]:
    """Returns the meaning of the names in a module, from its stub or source, without importing it.

    They are syntax nodes of classes, functions and values, and (module, name) of imports; none if it is not found.
    """
    found: dict[str, Any] = {}
    path = _file_of(module)
    folder = module if path and path.stem == "__init__" else module.rpartition(".")[0]  # for relative imports
    for node in ast.parse(path.read_bytes()).body if path else ():
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node.value
            case ast.ImportFrom(module=str(below)):
                home = f"{folder}.{below}" if node.level == 1 else below
                found |= {alias.asname or alias.name: (home, alias.name) for alias in node.names}
    return found


def _file_of(module: str) -> Path | None:
    package, *parts = module.split(".")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for ending in ("/__init__.pyi", "/__init__.py", ".pyi", ".py"):
            if (path := Path(f"{Path(folder, *parts)}{ending}")).is_file():
                return path
    return None


@cache
def classes_of(branch: str) -> dict[str, str]:
    """Returns the public classes for this part of a config, each with its module."""
    if branch not in BRANCHES:
        return {}
    home, base = BRANCHES[branch]
    public = [(name, place[0]) for name, place in names_in("lit_cnn").items() if isinstance(place, tuple)]
    found = {name: module for name, module in public if module.startswith(home.rpartition(".")[0])}
    return {name: module for name, module in found.items() if name != base and base in _ancestors(name, module)}


def home_of(key: str, name: str) -> str | None:
    """Returns the module of a class that a setting of NAMED may name, or None."""
    modules, base, _ = NAMED[key]
    for module in reversed(modules) if name != base and not name.startswith("_") else ():
        place = names_in(module).get(name)
        home = place[0] if isinstance(place, tuple) else module
        if place is not None and base in _ancestors(name, home):
            return home
    return None


def choices(key: str) -> list[str]:
    """Returns all classes that a setting of NAMED may name."""
    return list(dict.fromkeys(name for module in NAMED[key][0] for name in names_in(module) if home_of(key, name)))


def _ancestors(name: str, module: str, seen: frozenset[tuple[str, str]] = NONE) -> dict[str, tuple[ast.ClassDef, str]]:
    """Returns a class and its base classes by name, each with its module, if their source is found.

    `seen` are the names that have led here; modules may import a name from each other.
    """
    node = names_in(module).get(name)
    if (module, name) in seen:
        return {}
    seen |= {(module, name)}
    if isinstance(node, tuple):
        return _ancestors(node[1], node[0], seen)
    if not isinstance(node, ast.ClassDef):
        return {}
    found = {name: (node, module)}
    for base in node.bases:
        if isinstance(base, ast.Name):
            found |= _ancestors(base.id, module, seen) | found
    return found


@cache
def parameters(name: str, module: str) -> dict[str, Known] | None:
    """Returns the arguments of a class in a module by name, or None if it takes arguments that are not found."""
    found: dict[str, Known] = {}
    for node, home in _ancestors(name, module).values():
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                found = _arguments(part, home) | found
                if part.args.kwarg is None:
                    return found
    return None if found else {}


def _arguments(function: ast.FunctionDef, module: str) -> dict[str, Known]:
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return {a.arg: Known(a.annotation, module) for a in arguments if a.arg != "self"}


def _type_of(annotation: ast.expr | None, module: str) -> Any:
    match annotation:
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):  # module.Name
            home = names_in(module).get(name)
            return _named(attribute, ".".join(home)) if isinstance(home, tuple) else UNCLEAR
    if annotation is None or any(isinstance(node, (ast.Attribute, ast.Call)) for node in ast.walk(annotation)):
        return UNCLEAR
    names = {node.id: _named(node.id, module) for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    if any(value is UNCLEAR for value in names.values()):
        return UNCLEAR
    try:
        return eval(compile(ast.Expression(annotation), "annotation", "eval"), names)
    except (TypeError, NameError):
        return UNCLEAR


def _named(name: str, module: str) -> Any:
    match names_in(module).get(name):
        case None:
            return getattr(builtins, name, UNCLEAR)
        case (home, original):
            if home in LIGHT:
                return getattr(import_module(home), original)
            return _named(original, home) if home.startswith(OWN) else UNCLEAR
        case meaning:
            return _type_of(meaning, module) if isinstance(meaning, ast.expr) else UNCLEAR


@cache
def sections() -> dict[str, Known]:
    """Returns the top-level keys of a config of any verb."""
    names = ("config", "print_config", "help", "model", "data", "trainer", *PARTS)
    kinds = {name: Known(ast.parse(kind, mode="eval").body, ARGUMENTS) for name, kind in OF_LIGHTNING.items()}
    ours = _arguments(names_in(ARGUMENTS)["of_the_run"], ARGUMENTS)
    return dict.fromkeys(names, Known(None, ARGUMENTS)) | kinds | ours


def settings_of(branch: str, names: Sequence[str] = ()) -> list[dict[str, Known]] | None:
    """Returns the settings of a section such as trainer or data.augment, or None if they are unknown; "" is the top.

    If it selects classes, they are those of each class in `names`, by default of all.
    """
    if not branch:
        return [sections()]
    if branch in BRANCHES:
        home, base = BRANCHES[branch]
        classes = {base: home} | classes_of(branch)
        short = [name.rpartition(".")[2] for name in names if "." not in name or name.startswith("lit_cnn.")]
        if len(short) < len(names) or not set(short) <= classes.keys():
            return None
        found = [parameters(name, classes[name]) for name in short or classes]
    elif branch == "trainer" or branch in PARTS:
        module, name = PARTS.get(branch, TRAINER)
        found = [parameters(name, module)]
    else:
        return None
    return None if None in found else [known for known in found if known is not None]


def family_of(name: str) -> tuple[str, dict[str, str]] | None:
    """Returns the Lit class of a network in the model registry, and the settings that select the network.

    Example:
        >>> family_of("resnet18"), family_of("alexnet"), family_of("alexnut")
        (('LitResNet', {'name': 'resnet18'}), ('LitAlexNet', {}), None)
    """
    for cls, module in classes_of("model").items():
        named = (parameters(cls, module) or {}).get("name")
        if named and name in get_args(named.type):
            return cls, {"name": name}
        if cls.lower() == f"lit{name.replace('_', '')}":
            return cls, {}
    return None
