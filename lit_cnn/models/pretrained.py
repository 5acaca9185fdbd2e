"""Pretrained weights: loading them, adapting first and last layer, and freezing the backbone."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_cnn.errors import CheckpointError, nearest
from lit_cnn.models.heads import belongs, body_of, heads_of
from lit_cnn.runs.weights import SUFFIX, read_weights, shipped_weights

State = dict[str, Tensor]


class Pretrained(nn.Module):
    """Mixin for a network that can start from pretrained weights with a new head; its networks have these arguments.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both. Without it, images are not checked,
            and the stem auto means small.
        weights: Weights to start from: the path of a state dict or checkpoint; or the name of torchvision's weights of
            this network, such as IMAGENET1K_V1, which are downloaded once.
        freeze_body: Freeze the backbone: train only the last layer.

    Raises:
        ValueError: If there is no such architecture or stem, or the images are too small for it.
        CheckpointError: If the weights cannot be read or are of another network.

    Attributes:
        heads: The layers that give the logits. They are initialised again if their shapes differ from the weights.
        auxiliary: The parts used in training only; weights may include them or not.
    """

    heads: tuple[str, ...] = ("fc",)
    auxiliary: tuple[str, ...] = ()
    _body_is_frozen = False

    def start_from(self, name: str, weights: str | None, freeze_body: bool) -> None:
        """Loads the weights of an architecture, and freezes all but the heads; batch norms keep their statistics."""
        if weights is not None:
            start_from(self, name, weights, self.auxiliary)
        if freeze_body:
            self._body_is_frozen = True
            self.body.requires_grad_(False)
            self.train(self.training)

    @property
    def body(self) -> nn.ModuleList:
        """The backbone: all layers but the heads."""
        return body_of(self)

    def train(self, mode: bool = True) -> Self:
        """Sets training mode; the batch norms of a frozen backbone stay in evaluation mode."""
        super().train(mode)
        if self._body_is_frozen:
            for layer in self.body:
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self


def start_from(net: nn.Module, name: str, weights: str, auxiliary: Sequence[str] = ()) -> None:
    """Loads weights into a network; its attribute `adapted` says which layers are new or changed, if any.

    A head for other classes keeps its initial values. For grey images, kernels for colour images are summed over the
    colours: this gives the same as a colour image with equal colours. For colour images, kernels for grey images are
    divided among the colours.

    Args:
        net: The network.
        name: Its name, for torchvision's weights and messages.
        weights: A file, or torchvision's name of weights.
        auxiliary: Parts that the weights may include or not.

    Raises:
        CheckpointError: If the weights cannot be read or are of another network.
    """
    ours, theirs, said = net.state_dict(), dict(_read(name, weights)), list[str]()
    keep = {key for key in ours if belongs(key, auxiliary) and key not in theirs}
    keep |= {key for key in ours if key.endswith("num_batches_tracked")} - set(theirs)  # files from before 2018
    theirs = {key: value for key, value in theirs.items() if key in ours or not belongs(key, auxiliary)}
    for head in heads_of(net):
        mine, others = ({k: v.shape for k, v in s.items() if belongs(k, (head,))} for s in (ours, theirs))
        if mine != others:
            keep |= set(mine)
            theirs = {key: value for key, value in theirs.items() if key not in others}
            said.append(f"{head} is initialised again")
    expected = {key: value for key, value in ours.items() if key not in keep}
    first = next(iter(ours), "")
    if first in theirs and (adapted := _of_other_channels(theirs[first], ours[first])) is not None:
        colours = ("summed over" if len(adapted[0]) == 1 else "divided among") + " the colours"
        said.append(f"the kernels of {first.rpartition('.')[0]} are {colours}")
        theirs[first] = adapted
    for key in [*expected, *theirs]:
        here, there = (list(s[key].shape) if key in s else None for s in (expected, theirs))
        if here != there:
            raise CheckpointError(f"`weights` {weights} {_mismatch(name, key, here, there, key == first)}")
    net.load_state_dict({key: ours[key] if key in keep else theirs[key] for key in ours})
    net.__dict__["adapted"] = f"{weights}: {'; '.join(said) or 'all layers'}"


def _of_other_channels(theirs: Tensor, ours: Tensor) -> Tensor | None:
    """Returns kernels of colour images for grey ones, or the other way round; None for any other difference."""
    if theirs.dim() != 4 or len(theirs) != len(ours) or {theirs.shape[1], ours.shape[1]} != {1, 3}:
        return None
    return theirs.sum(1, keepdim=True) if ours.shape[1] == 1 else theirs.expand(-1, 3, -1, -1) / 3


def _mismatch(name: str, key: str, ours: list[int] | None, theirs: list[int] | None, is_first: bool) -> str:
    if is_first and ours and theirs and len(ours) == len(theirs) == 4:
        if ours[2:] != theirs[2:]:
            return (
                f"have another stem: {theirs[2]} x {theirs[3]} pixels in the first kernel, "
                f"but this {name} has {ours[2]} x {ours[3]}.\nSet `stem` to the other choice, imagenet or small."
            )
        if ours[1] != theirs[1]:
            return (
                f"are for images of {theirs[1]} channels, but these have {ours[1]}.\n"
                f"Use images of {theirs[1]} channels, or remove `weights`."
            )
    there, here = ("missing" if shape is None else shape for shape in (theirs, ours))
    return (
        f"do not fit {name}: {key} is {there} in the weights and {here} in the network.\n"
        "Use weights of this architecture, or the architecture of these weights."
    )


def _read(name: str, weights: str) -> State:
    file = Path(weights)
    if file.is_dir():
        file = file / "checkpoints" / "best.ckpt"
    if not file.is_file() and (shipped := shipped_weights().get(weights)):
        return _of_checkpoint(read_weights(shipped))
    if not file.is_file():
        if re.fullmatch(r"[A-Z0-9_]+", weights):
            return _download(name, weights)
        known = ", ".join(shipped_weights())
        raise CheckpointError(
            f"`weights` {weights}: there is no such file. Give a file, or torchvision's name such as IMAGENET1K_V1, "
            f"or one of {known}."
        )
    try:
        safe = file.suffix == SUFFIX
        content = load_file(file) if safe else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds here
        reason = (str(error).strip() or repr(error)).splitlines()[0].split(". ")[0]
        raise CheckpointError(
            f"`weights` {weights} cannot be read; it may be incomplete: {reason}\n"
            "Download it again, or save the network's `state_dict()` again."
        ) from error
    if isinstance(content, dict) and "state_dict" in content:
        content = _of_checkpoint(content)
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"`weights` {weights} contains no state dict. Save a network's `state_dict()` to it.")
    return {key: value.float() if value.is_floating_point() else value for key, value in content.items()}


def _of_checkpoint(content: dict[str, Any]) -> State:
    """Returns the weights of the network: `net` in a checkpoint of lit_cnn, else the whole state dict."""
    state = content["state_dict"]
    ours = {key.removeprefix("net."): value for key, value in state.items() if key.startswith("net.")}
    return ours or state


def _download(name: str, weights: str) -> State:
    from torchvision.models import get_model_weights, list_models

    if name not in list_models():
        raise CheckpointError(f"`weights` {weights}: torchvision has no weights of {name}. Give a file.")
    published = get_model_weights(name)
    if weights not in published.__members__:
        known = list(published.__members__)
        raise CheckpointError(
            f"`weights` {weights}: torchvision has no such weights for {name}.{nearest(weights, known)} "
            f"Choices: {', '.join(known)}."
        )
    try:
        return dict(published[weights].get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:  # no network; another hash
        raise CheckpointError(
            f"`weights` {weights} of {name} cannot be downloaded from {published[weights].url}: {error}\n"
            "Download it on another machine, and give its path."
        ) from error
