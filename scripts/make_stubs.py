"""Writes lit_cnn/training/architectures.pyi, by which editors and type checkers know the arguments of the Lit classes.

The classes take their signatures from their networks when they are imported, which a type checker does not see.

    python scripts/make_stubs.py            # writes the file; a test holds that it is up to date
"""

import inspect
import sys
from inspect import Parameter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

sys.path.insert(0, str(Path(__file__).parents[1]))

from lit_cnn import typed_arguments
from lit_cnn.training import architectures
from lit_cnn.training.lit_network import LitNetwork

RANGES = {repr(kind): name for name, kind in vars(typed_arguments).items() if get_origin(kind) is Annotated}
TARGET = Path(architectures.__file__).with_suffix(".pyi")
HEAD = '''"""Written by scripts/make_stubs.py: the arguments of the Lit classes, for editors and type checkers."""

from collections.abc import Sequence
from typing import Any, Literal

from torch.nn import Module

from lit_cnn.training.lit_network import LitNetwork
from lit_cnn.typed_arguments import NonNegativeInt, PositiveFloat, PositiveInt, Share
'''


def stub() -> str:
    """Returns the content of the stub file."""
    found = [c for c in vars(architectures).values() if isinstance(c, type) and issubclass(c, LitNetwork)]
    classes = [_class(c) for c in found if not inspect.isabstract(c)]
    return "\n".join([HEAD, *classes])


def _class(cls: type) -> str:
    lines, keyword_only = ["self"], False
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind is Parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            lines.append("*")
        lines.append(f"{name}: {_written(parameter.annotation)} = ...")
    arguments = "".join(f"        {line},\n" for line in lines)
    network = "    @staticmethod\n    def network(**kwargs: Any) -> Module: ...\n"
    return f"class {cls.__name__}(LitNetwork):\n{network}    def __init__(\n{arguments}    ) -> None: ...\n"


def _written(annotation: Any) -> str:
    """Returns an annotation in one form; each version of Python has another text for `Union`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " | ".join(map(_written, inner))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, inner))}]"
    if origin is Annotated:
        return RANGES[repr(annotation)]
    if annotation is NoneType:
        return "None"
    if annotation is Parameter.empty:
        return "Any"
    name = str((origin or annotation).__name__)
    return f"{name}[{', '.join(map(_written, inner))}]" if inner else name


if __name__ == "__main__":
    TARGET.write_text(stub(), "utf-8")
    print(f"wrote {TARGET}")
