"""lit_cnn: experiments with CNNs on small images, on PyTorch Lightning.

The public names are in `__init__.pyi`. Each is imported at its first use, so that `import lit_cnn` is quick.
"""

import lazy_loader

__getattr__, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
