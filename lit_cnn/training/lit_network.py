"""LitNetwork, the base of the Lit classes: builds a network, and takes its arguments beside LitClassifier's.

`class LitVGG(LitNetwork, network=VGG)` gets its signature and docstring from VGG and LitClassifier. So each argument is
described once, and help, checks and `load_from_checkpoint` see all arguments.
"""

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from docstring_parser import DocstringStyle, parse
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lit_cnn.errors import ConfigError
from lit_cnn.training.classifier import LitClassifier

DEFAULT_SIZE = 32  # of images, in pixels, for networks that take any size


class LitNetwork(LitClassifier, ABC):
    """Base of the Lit classes: a LitClassifier that builds its own network.

    Args:
        **kwargs: The network's arguments, and LitClassifier's except `net`.
    """

    decides: tuple[str, ...] = ()  # arguments of the network that the class sets itself

    @staticmethod
    @abstractmethod
    def network(**kwargs: Any) -> nn.Module:
        """Builds the network."""

    def __init_subclass__(cls, network: Callable[..., nn.Module] | None = None, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if network is not None:
            cls.network = staticmethod(network)  # type: ignore[method-assign]
            cls.unsaved = (*LitClassifier.unsaved, *cls.decides)
            signature = _signature_of(cls)
            cls.__init__ = _init_with(cls, signature)  # type: ignore[method-assign]
            cls.__doc__ = _docstring_of(cls, signature)

    def __init__(self, **kwargs: Any):
        names = inspect.signature(self.network).parameters
        of_network = {name: kwargs[name] for name in names if name in kwargs}
        others = {name: value for name, value in kwargs.items() if name not in names}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")  # reported below
            net = self.network(**of_network)
        if empty := next((name for name, weight in net.named_parameters() if not weight.numel()), None):
            raise ConfigError(f"{type(self).__name__}: the layer {empty} has no weights. Use widths of at least 1.")
        super().__init__(net, kwargs["num_classes"], **others)


class LitNetworkWithAuxiliaryHeads(LitNetwork):
    """Base for networks with auxiliary heads, whose losses are added in training.

    Args:
        aux_weight: Weight of each auxiliary head in the loss; 0 leaves the heads out.
    """

    decides = ("aux_logits",)
    net: Any

    def __init__(self, *, aux_weight: float = 0.3, **kwargs: Any):
        super().__init__(aux_logits=aux_weight > 0, **kwargs)

    def loss_of(
        self, images: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, ""]]:
        """Returns logits, and the loss with those of the auxiliary heads."""
        logits, auxiliary = self.net.forward_with_aux(images)
        losses = [self.loss(head.float(), labels) for head in (logits, *auxiliary)]
        return logits.float(), losses[0] + self.hparams["aux_weight"] * sum(losses[1:])


def _signature_of(cls: type[LitNetwork]) -> Signature:
    """Returns the arguments of the network, of the bases below LitNetwork, and of LitClassifier, in this order."""
    found = {p.name: p for p in inspect.signature(cls.network).parameters.values() if p.name not in cls.decides}
    if found["image_size"].default is None:
        found["image_size"] = found["image_size"].replace(default=DEFAULT_SIZE)
    for base in (*_bases(cls), LitClassifier):
        for parameter in inspect.signature(base.__init__).parameters.values():  # type: ignore[misc]
            if parameter.name not in ("self", "net") and parameter.kind is not Parameter.VAR_KEYWORD:
                found.setdefault(parameter.name, parameter.replace(kind=Parameter.KEYWORD_ONLY))
    return Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *found.values()])


def _bases(cls: type[LitNetwork]) -> list[type[LitNetwork]]:
    return [base for base in cls.__mro__[1 : cls.__mro__.index(LitNetwork)] if inspect.isabstract(base)]


def _init_with(cls: type[LitNetwork], signature: Signature) -> Callable[..., None]:
    __class__ = LitNetwork  # save_hyperparameters needs it to recognise a subclass

    def __init__(self: LitNetwork, *args: Any, **kwargs: Any) -> None:
        assert issubclass(cls, __class__)
        try:
            given = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}() {error}") from None
        given.apply_defaults()
        del given.arguments["self"]
        super(cls, self).__init__(**given.arguments)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    __init__.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    del __init__.__annotations__["self"]
    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__


def _docstring_of(cls: type[LitNetwork], signature: Signature) -> str:
    meanings: dict[str, str] = {}
    for source in (LitClassifier, *_bases(cls), *reversed(cls.network.__mro__)):  # type: ignore[attr-defined]
        if source.__module__.startswith("lit_cnn."):
            found = parse(source.__dict__.get("__doc__") or "", DocstringStyle.GOOGLE).params
            meanings |= {param.arg_name: " ".join((param.description or "").split()) for param in found}
    network, *_ = inspect.getdoc(cls.network).partition("\n\nArgs:")  # type: ignore[union-attr]
    arguments = [f"    {name}: {meanings[name]}" for name in signature.parameters if name in meanings]
    size = signature.parameters["image_size"].default
    shape = f"2, {signature.parameters['in_channels'].default}, {size}, {size}"
    classes = signature.parameters["num_classes"].default
    example = [
        "    >>> import torch",
        f"    >>> {cls.__name__}().eval()(torch.zeros({shape})).shape",
        f"    torch.Size([2, {classes}])",
    ]
    return "\n".join([f"{inspect.getdoc(cls)}\n\n{network}\n\nArgs:", *arguments, "\nExample:", *example, ""])
