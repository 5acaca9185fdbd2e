"""Allowed imports: a class path in a config imports its module, so only known modules are allowed."""

import sys

from jsonargparse import set_parsing_settings

from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError
from lit_cnn.runs.class_paths import ALLOW, homes, path_of, trusted
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms import Augmentation, View
from lit_cnn.typed_arguments import subclasses_of

# Not whole packages: torch.load, torch.hub and Lightning's commands read or run their arguments.
IMPORTABLE = [
    *(f"lit_cnn.{part}" for part in ("callbacks", "data", "models", "runs.checkpoint_io", "transforms")),
    *(f"lit_cnn.training.{part}" for part in ("architectures", "classifier", "lr_schedules")),
    *(f"lightning.pytorch.{part}" for part in ("callbacks", "loggers", "profilers")),
    *(f"lightning.{api}.{part}" for api in ("pytorch", "fabric") for part in ("accelerators", "plugins", "strategies")),
    *("torch.nn", "torch.optim", "torchmetrics", "torchvision.models", "torchvision.ops", "torchvision.transforms"),
]

_allowed: set[str] = set()


def allow_imports() -> None:
    """Restricts the parser's imports to `IMPORTABLE`, classes imported already, and the packages in $LIT_CNN_ALLOW.

    Other class paths are refused before their module is imported, also if they go through an allowed module, as in
    `torch.nn.modules.module.torch.load`.
    """
    for name in trusted():
        if not all(part.isidentifier() for part in name.split(".")) or name.partition(".")[0] == "jsonargparse":
            raise ConfigError(f"{ALLOW}: {name!r} is not a package. Name packages or modules, separated by commas.")
    bases: list[type] = [LitClassifier, ImageDataModule, Augmentation, View]
    imported = [path_of(cls) for base in bases for cls in subclasses_of(base)]
    imported = [path for path in imported if all(part.isidentifier() for part in path.split("."))]
    now = {*IMPORTABLE, *(f"lit_cnn.{name}" for name in homes()), *trusted(), *imported}
    set_parsing_settings(import_path_denylist=["*", *sorted(_allowed - now)], import_path_allowlist=sorted(now))
    _allowed.clear()
    _allowed.update(now)


def refusal(name: str, place: str) -> str:
    """Returns the error message for a class path that is not allowed, with the place of its setting."""
    standard = name.partition(".")[0] in sys.stdlib_module_names
    package = name.rpartition(".")[0]
    remedy = "Remove it." if standard else f"If you trust it: --allow {package}, or {ALLOW}={package}."
    return (
        f"{place} names {name}, but configs may only import lit_cnn,\n"
        f"torchmetrics, and some parts of lightning, torch and torchvision. {remedy}"
    )
