"""lit_cnn: experiments with CNNs on small images, on PyTorch Lightning.

The public names are in `__init__.pyi`. Each is imported at its first use, so `import lit_cnn` is quick.
"""

import lazy_loader

from lit_cnn.version import __version__ as __version__

__getattr__, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
