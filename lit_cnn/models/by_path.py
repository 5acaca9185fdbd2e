"""Networks by import path: any nn.Module class, or function that makes one, of torchvision, timm or your own.

A config or a checkpoint contains only the path and the arguments of such a network. Loading a stranger's file must not
run a stranger's code. So a path may only be a network of a known library, or of a package that the user allows.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, cast

from torch import nn

from lit_cnn.errors import ConfigError, is_out_of_memory, nearest
from lit_cnn.models.pretrained import start_from
from lit_cnn.own_code import mistake_in_own_code, place_of_class
from lit_cnn.runs.class_paths import ALLOW, present, trusted
from lit_cnn.sizes import ImageSize, height_and_width
from lit_cnn.typed_arguments import fits, in_words

Maker = Callable[..., nn.Module]

LIBRARIES = ("lit_cnn.models", "timm", "torch.nn", "torchvision.models")
# Arguments that the data decide, by their names in different libraries.
LINKED = {
    "num_classes": ("num_classes",),
    "in_channels": ("in_channels", "in_chans"),
    "image_size": ("image_size", "img_size"),
}
# Arguments for pretrained weights; a checkpoint has its own weights.
OF_THE_START = ("weights", "weights_backbone", "pretrained", "checkpoint_path")
REFUSALS = (RuntimeError, TypeError, ValueError, AssertionError, LookupError, AttributeError)


class Recipe(Mapping[str, Any]):
    """A network as a config or a checkpoint holds it: `{"class_path": ..., "init_args": {...}}`.

    It is not a dict, since the parser would import the class path of a dict.

    Args:
        net: The import path of a class or function, or a mapping with `class_path` and `init_args`.

    Raises:
        ConfigError: If it has no path, or other keys.
    """

    def __init__(self, net: str | Mapping[str, Any]):
        given: dict[str, Any] = {"class_path": net} if isinstance(net, str) else dict(net)
        path, arguments = str(given.pop("class_path", None)), given.pop("init_args", None) or {}
        self.arguments: dict[str, Any] = {**arguments, **(given.pop("dict_kwargs", None) or {})}
        if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", path):
            raise ConfigError(
                f"`net` has to be an import path, such as torchvision.models.resnet18, but got {path!r:.80}."
            )
        if given:
            raise ConfigError(f"`net` {path}: move {', '.join(given)} below init_args.")
        self.path = present(path)

    def __getitem__(self, key: str) -> Any:
        return {"class_path": self.path, "init_args": self.arguments}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("class_path", "init_args"))

    def __len__(self) -> int:
        return 2

    def __str__(self) -> str:
        return f"{self.path}({', '.join(f'{name}={value!r:.40}' for name, value in self.arguments.items())})"

    @property
    def name(self) -> str:
        """The name of the network: its argument for the name, else the name of the class or function."""
        named = self.arguments.get("model_name", self.arguments.get("name"))
        return named if isinstance(named, str) else self.path.rpartition(".")[2]

    def for_checkpoints(self) -> dict[str, Any]:
        """Returns the recipe without pretrained weights, which would be read again at each loading."""
        arguments = {name: value for name, value in self.arguments.items() if name not in OF_THE_START}
        return {"class_path": self.path, "init_args": arguments}


def build_network(
    recipe: Recipe, num_classes: int, in_channels: int | None = None, image_size: ImageSize | None = None
) -> nn.Module:
    """Builds the network of a recipe; sets classes, channels and image size if it has such arguments, not given yet.

    Args:
        recipe: Its path and arguments.
        num_classes: Number of classes, for `num_classes`.
        in_channels: Channels of the images, if known, for `in_channels` or `in_chans`.
        image_size: Height and width of the images in pixels, if known, for `image_size` or `img_size`.

    Raises:
        ConfigError: If there is no such network, it may not be imported, or refuses its arguments.
        CheckpointError: If weights to start from cannot be read, or are of another network.

    Example:
        >>> recipe = Recipe({"class_path": "torchvision.models.resnet18", "init_args": {"width_per_group": 64}})
        >>> build_network(recipe, num_classes=3).fc
        Linear(in_features=512, out_features=3, bias=True)
    """
    path, given = recipe.path, {name: _built(value) for name, value in recipe.arguments.items()}
    make = find(path)
    library = path.partition(".")[0]
    parameters = inspect.signature(make).parameters
    _check(path, parameters, given)
    takes = [name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):  # passed on to classes that have these arguments
        takes += {"timm": ["num_classes", "in_chans"], "torchvision": ["num_classes"]}.get(library, [])
    size = None if image_size is None else height_and_width(image_size)
    square = size[0] if size and size[0] == size[1] else size
    known = {"num_classes": num_classes, "in_channels": in_channels, "image_size": square}
    linked = {n: known[what] for what, names in LINKED.items() for n in names if n in takes and known[what] is not None}
    weights = given.pop("weights", None) if library == "torchvision" else None  # these need ImageNet's classes
    net = _made(make, path, linked | given)
    if weights is not None:
        start_from(net, recipe.name, weights)
    elif given.get("pretrained") and in_channels == 1:
        net.__dict__["adapted"] = f"timm's weights of {recipe.name}: the first kernels are summed over the colours"
    return net


def find(path: str) -> Maker:
    """Returns the class or function with this import path.

    Allowed are: networks (classes) of `LIBRARIES` and of modules that are imported already; functions of timm and
    torchvision that make networks; all classes and functions of packages in $LIT_CNN_ALLOW.

    Raises:
        ConfigError: If there is none, or it may not be imported.
    """
    home, _, name = path.rpartition(".")
    library = next((one for one in LIBRARIES if f"{home}.".startswith(f"{one}.")), None)
    allowed = any(f"{home}.".startswith(f"{one}.") for one in trusted())
    if not (library or allowed or home in sys.modules):
        raise not_allowed(path)
    try:
        found = getattr(import_module(home), name, None)
    except ModuleNotFoundError as error:
        package = str(error.name)
        if home.startswith(package) and "." in package:  # a library without this module
            raise ConfigError(f"`net` {path}: there is no module {package}.") from error
        remedy = (
            "Install it with pip install 'lit-cnn[timm]'." if package == "timm" else "Install it, or check the name."
        )
        raise ConfigError(f"`net` {path} needs the package {package}, which is not installed.\n{remedy}") from error
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    if allowed and inspect.isroutine(found):
        return cast(Maker, found)
    makers = _makers(library)
    if library and name in makers and inspect.isfunction(found):
        return cast(Maker, found)
    if found is not None and not library:
        raise not_allowed(path)
    what = "is not a network" if found is not None else f"is not in {home}"
    classes = [n for n, c in vars(sys.modules[home]).items() if isinstance(c, type) and issubclass(c, nn.Module)]
    raise ConfigError(f"`net` {path}: {name} {what}.{nearest(name, [*makers, *classes])}")


def not_allowed(path: str) -> ConfigError:
    """Returns the error for a path whose package is neither known nor allowed."""
    home = path.rpartition(".")[0]
    standard = home.partition(".")[0] in sys.stdlib_module_names
    remedy = "Remove it." if standard else f"If you trust it: --allow {home}, or {ALLOW}={home} in the environment."
    known = ", ".join(LIBRARIES)
    return ConfigError(f"`net` {path}: networks are imported only from {known} and packages that you allow.\n{remedy}")


def _makers(library: str | None) -> list[str]:
    """Returns the functions of a library that make its networks."""
    if library == "torchvision.models":
        from torchvision.models import list_models

        return ["get_model", *(name for name in list_models() if "/" not in name)]
    if library == "timm":
        from timm import list_models as all_of_timm

        return ["create_model", *all_of_timm()]
    return []


def _built(value: Any) -> Any:
    """Returns an argument with all networks in it, given by their class paths, built."""
    if isinstance(value, Mapping) and "class_path" in value:
        inner = Recipe(value)
        return _made(find(inner.path), inner.path, inner.arguments)
    return [_built(inner) for inner in value] if isinstance(value, list) else value


def _check(path: str, parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> None:
    names = [name for name, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    closed = not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in given.items():
        if closed and name not in names:
            raise ConfigError(
                f"`net`: {path} has no argument {name!r}.{nearest(name, names)} Its arguments are {', '.join(names)}."
            )
        kind = parameters[name].annotation if name in names else inspect.Parameter.empty
        if not isinstance(kind, str) and kind in (bool, int, float, str) and not fits(value, kind):
            raise ConfigError(f"`net`: {path}'s {name} has to be {in_words(kind)}, but got {value!r:.80}.")
    missing = [n for n in names if parameters[n].default is inspect.Parameter.empty and n not in given]
    missing = [name for name in missing if not any(name in linked for linked in LINKED.values())]
    if missing:
        flags = " ".join(f"--model.net.{name} ..." for name in missing)
        raise ConfigError(f"`net`: {path} needs {', '.join(missing)}. Give {flags}")


def _made(make: Maker, path: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        net = make(**arguments)
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        if arguments.get("pretrained") and not isinstance(error, (TypeError, ValueError)):
            raise ConfigError(
                f"`net`: the pretrained weights of {path} cannot be loaded: {why}\n"
                "Download them on another machine, and use --model.net.pretrained_cfg_overlay '{file: PATH}'."
            ) from error
        if isinstance(error, ImportError) or is_out_of_memory(error):
            raise
        if mistake := mistake_in_own_code(error, f"`net`: {path} with {_shown(arguments)}"):
            raise mistake from error
        if not isinstance(error, REFUSALS):
            raise
        near = ""
        if path.startswith("timm.") and re.search("Unknown model", why):
            near = nearest(str(arguments.get("model_name")), _makers("timm"))
        elif path == "torchvision.models.get_model":
            near = nearest(str(arguments.get("name")), _makers("torchvision.models"))
        raise ConfigError(f"`net`: {path} refuses {_shown(arguments)}: {why}{'.' * bool(near)}{near}") from error
    if not isinstance(net, nn.Module):
        kind = "None" if net is None else f"a {type(net).__name__}"
        raise ConfigError(f"`net`: {path} returns {kind}, which is not a network.")
    if "_modules" not in vars(net):
        place = place_of_class(type(net)) or path
        raise ConfigError(f"`net`: {place} has no super().__init__(). Call it first in __init__.")
    return net


def _shown(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value!r:.40}" for name, value in arguments.items()) or "no arguments"
