"""GPU check before torch is imported: `--trainer.accelerator gpu` on a machine without a GPU is refused at once.

Only clear cases are refused: a build of torch for CPUs, or no NVIDIA driver. torch decides all other cases.
"""

import ast
import ctypes
import sys

from lit_cnn.cli.command_line import Setting, only_prints
from lit_cnn.cli.known_settings import names_in
from lit_cnn.errors import ConfigError

KEY = "trainer.accelerator"


def refuse_absent_gpu(argv: list[str], settings: list[Setting]) -> None:
    """Raises a ConfigError if the arguments of a verb, with these settings, ask for a GPU that cannot be there."""
    if only_prints(argv, "help", "print_config"):
        return
    given = [setting for setting in settings if setting.key == KEY]
    if given and given[-1].value in ("gpu", "cuda") and not may_have_gpu():
        setting = given[-1]
        raise ConfigError(
            f"{KEY}: {setting.value} ({setting.origin}), but this machine has no GPU that torch can use.\n"
            f"Use --{KEY} auto."
        )


def may_have_gpu() -> bool:
    """Whether torch may find a GPU, by the version that it is built for and by the driver."""
    built = {name: value.value for name, value in names_in("torch.version").items() if isinstance(value, ast.Constant)}
    if sys.platform == "darwin" or built.get("hip"):
        return True
    if built.get("cuda", "not known") is None:
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
