"""Names and types of all settings, read from source code, since importing torch and Lightning takes seconds.

A type that is not built of plain types is `UNCLEAR`, and left to the parser after the import.
"""

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

Node = TypeVar("Node", bound=ast.AST)

UNCLEAR = object()

ARGUMENTS = "lit_cnn.cli.arguments"
TRAINER = "lightning.pytorch.trainer.trainer", "Trainer"
CLI = "lightning.pytorch.cli", "LightningCLI"

# Modules that are quick to import for their types.
LIGHT = {"collections.abc", "datetime", "jsonargparse.typing", "os", "pathlib", "typing"}

# Packages whose source is searched for names.
OWN = ("lit_cnn.", "lightning.")

# Parts of a config that select a class: module and name of the base class, and the modules of its subclasses.
BRANCHES = {
    "model": ("lit_cnn.training.classifier", "LitClassifier", "lit_cnn.training.architectures"),
    "data": ("lit_cnn.data.module", "ImageDataModule", "lit_cnn.data"),
    "data.augment": ("lit_cnn.transforms.augment", "Augmentation", "lit_cnn.transforms"),
    "data.views": ("lit_cnn.transforms.views", "View", "lit_cnn.transforms"),
}


@dataclass(frozen=True, eq=False)
class Source:
    """The parsed source of a module: classes, other names and imports."""

    name: str
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    aliases: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)


class Known(NamedTuple):
    """A known setting: its type as an annotation, and the source with it."""

    annotation: ast.expr | None
    source: Source

    @property
    def type(self) -> Any:
        """The type, or UNCLEAR."""
        return type_of(self.annotation, self.source)


@cache
def source_of(module: str) -> Source:
    """Parses a module without importing it; returns an empty Source if it is not found."""
    source = Source(module)
    path = _file_of(module)
    for node in ast.parse(path.read_bytes()).body if path else ():
        if isinstance(node, ast.ClassDef):
            source.classes[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            source.aliases[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            source.aliases[node.target.id] = node.value
        elif isinstance(node, ast.FunctionDef):
            source.functions[node.name] = node
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            source.imports.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})
    return source


def _file_of(module: str) -> Path | None:
    package, *parts = module.split(".")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *parts)
        for candidate in (path / "__init__.py", path.with_suffix(".pyi"), path.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


@cache
def classes_of(branch: str) -> dict[str, Source]:
    """Returns the classes for this part of a config, each with its source."""
    if branch not in BRANCHES:
        return {}
    home, base, where = BRANCHES[branch]
    folder = _file_of(where)
    assert folder is not None
    modules = [where]
    if folder.name == "__init__.py":
        paths = [path for path in sorted(folder.parent.glob("*.py")) if path.stem[0] != "_" and _derives(path)]
        modules = [f"{where}.{path.stem}" for path in paths]
    sources = [source_of(module) for module in dict.fromkeys([home, *modules])]
    found = {name: source for source in sources for name in source.classes}
    return {
        name: source
        for name, source in found.items()
        if name != base and base in (ancestors := _ancestors(name, source)) and not _abstract(ancestors)
    }


def _derives(path: Path) -> bool:
    """Whether a file defines a class with a base, in a hundredth of the time of parsing it."""
    return re.search(r"^class \w+\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def _ancestors(name: str, source: Source) -> dict[str, tuple[ast.ClassDef, Source]]:
    """Returns a class and its base classes by name, if their source is found."""
    hops = 0
    while name not in source.classes:
        if name not in source.imports or hops > 20:
            return {}
        module, name = source.imports[name]
        source, hops = source_of(module), hops + 1
    node = source.classes[name]
    found = {name: (node, source)}
    for base in node.bases:
        if isinstance(base, ast.Name):
            found |= {n: c for n, c in _ancestors(base.id, source).items() if n not in found}
    return found


def _abstract(ancestors: dict[str, tuple[ast.ClassDef, Source]]) -> bool:
    defined: set[str] = set()
    for node, _ in ancestors.values():
        for part in node.body:
            if isinstance(part, ast.FunctionDef):
                marked = any(isinstance(d, ast.Name) and d.id == "abstractmethod" for d in part.decorator_list)
                if marked and part.name not in defined:
                    return True
                defined.add(part.name)
    return False


@cache
def parameters(name: str, source: Source | str) -> dict[str, Known] | None:
    """Returns the arguments of a class by name.

    Args:
        name: The class.
        source: The source or module that defines or imports it.

    Returns:
        None if it takes arguments that are not found.
    """
    found: dict[str, Known] = {}
    for node, home in _ancestors(name, source_of(source) if isinstance(source, str) else source).values():
        init = next((p for p in node.body if isinstance(p, ast.FunctionDef) and p.name == "__init__"), None)
        if init is None:
            continue
        arguments = [*init.args.args[1:], *init.args.kwonlyargs]
        found = {a.arg: Known(a.annotation, home) for a in arguments} | found
        if init.args.kwarg is None:
            return found
    return None if found else {}


def type_of(annotation: ast.expr | None, source: Source) -> Any:
    """Returns the type of an annotation, or UNCLEAR if it is not built of plain types."""
    if annotation is None:
        return UNCLEAR
    modules = {id(node.value) for node in ast.walk(annotation) if isinstance(node, ast.Attribute)}
    names: dict[str, Any] = {}
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and id(node) not in modules:
            names[node.id] = _named(node.id, source)
        elif isinstance(node, ast.Attribute):  # module.Name
            module = source.imports.get(getattr(node.value, "id", ""))
            return _named(node.attr, source_of(".".join(module))) if module and node is annotation else UNCLEAR
        elif isinstance(node, ast.Call):
            return UNCLEAR
    if any(value is UNCLEAR for value in names.values()):
        return UNCLEAR
    try:
        return eval(compile(ast.Expression(annotation), source.name, "eval"), names)
    except (TypeError, NameError):
        return UNCLEAR


def _named(name: str, source: Source) -> Any:
    if name in source.aliases:
        return type_of(source.aliases[name], source)
    if name in source.imports:
        module, original = source.imports[name]
        if module in LIGHT:
            return getattr(import_module(module), original)
        return _named(original, source_of(module)) if module.startswith(OWN) else UNCLEAR
    return getattr(builtins, name, UNCLEAR) if name not in source.classes else UNCLEAR


@cache
def sections() -> dict[str, Known]:
    """Returns the top-level keys of a config of any verb.

    They come from LightningCLI, `arguments.py`, and the Trainer's methods.
    """
    ours, trainer = source_of(ARGUMENTS), source_of(TRAINER[0])
    names = ("config", "print_config", "help", "model", "data", "trainer", *parts())
    found = dict.fromkeys(names, Known(None, ours))
    found["seed_everything"] = Known(ast.parse("bool | int", mode="eval").body, ours)
    for call in _inside(ours.functions["add_arguments"], ast.Call):
        flag = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if isinstance(flag, str) and flag.startswith("--"):
            kind = next((keyword.value for keyword in call.keywords if keyword.arg == "type"), None)
            found[flag[2:]] = Known(kind, ours)
    methods, cli = _methods(trainer.classes[TRAINER[1]]), _methods(source_of(CLI[0]).classes[CLI[1]])
    table = next(_inside(cli["subcommands"], ast.Dict))  # the arguments of each method that are not settings
    for verb, skipped in ast.literal_eval(table).items():
        for argument in methods[verb].args.args[1:]:
            if argument.arg not in skipped:
                found[argument.arg] = Known(argument.annotation, trainer)
    return found


@cache
def parts() -> dict[str, tuple[str, str]]:
    """Returns the module and class of each section with the arguments of one class."""
    table = source_of(ARGUMENTS).aliases["PARTS"]
    assert isinstance(table, ast.Dict)
    rows = [(ast.unparse(key or table), ast.unparse(cls)) for key, cls in zip(table.keys, table.values, strict=True)]
    return {ast.literal_eval(name): source_of(ARGUMENTS).imports[cls] for name, cls in rows}


def settings_of(branch: str, names: Sequence[str] = ()) -> list[dict[str, Known]] | None:
    """Returns the settings of a section; if it selects classes, those of each class.

    Args:
        branch: A section, such as trainer or data.augment.
        names: The given classes, by name or path; by default all.

    Returns:
        None if they are unknown.
    """
    if branch in BRANCHES:
        classes = classes_of(branch)
        home, base, _ = BRANCHES[branch]
        classes = {base: source_of(home)} | classes
        short = [name.rpartition(".")[2] for name in names if "." not in name or name.startswith("lit_cnn.")]
        if len(short) < len(names) or not set(short) <= classes.keys():
            return None
        found = [parameters(name, classes[name]) for name in short or classes]
    elif branch == "trainer" or branch in parts():
        module, name = TRAINER if branch == "trainer" else parts()[branch]
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
    for cls, source in classes_of("model").items():
        named = (parameters(cls, source) or {}).get("name")
        if named and name in get_args(named.type):
            return cls, {"name": name}
        if cls.lower() == f"lit{name.replace('_', '')}":
            return cls, {}
    return None


def _methods(cls: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {part.name: part for part in cls.body if isinstance(part, ast.FunctionDef)}


def _inside(node: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (inner for inner in ast.walk(node) if isinstance(inner, kind))
