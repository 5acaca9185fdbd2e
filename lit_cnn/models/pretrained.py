"""Pretrained weights: loading them, adapting the last layer, and freezing the backbone."""

import re
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_cnn.errors import CheckpointError, nearest

State = dict[str, Tensor]


class Pretrained(nn.Module):
    """Mixin for a network that can start from pretrained weights with a new head; its networks have these arguments.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both. Without it, images are not checked,
            and the stem auto means small.
        weights: Where to start from: the path of a state dict or checkpoint; or torchvision's name of weights of this
            network, such as IMAGENET1K_V1, which are downloaded once.
        freeze_body: Freeze the backbone: train the last layer only.

    Raises:
        ValueError: If there is no such architecture or stem, or the images are too small for it.
        CheckpointError: If the weights cannot be read or are of another network.

    Attributes:
        heads: The layers that give the logits. They are initialised anew if their shapes differ from the weights.
        auxiliary: The parts used in training only; weights may include them or not.
    """

    heads: tuple[str, ...] = ("fc",)
    auxiliary: tuple[str, ...] = ()
    _body_is_frozen = False

    def start_from(self, name: str, weights: str | None, freeze_body: bool) -> None:
        """Loads the weights of an architecture, and freezes all but the heads; batch norms keep their statistics."""
        if weights is not None:
            self.load_state_dict(self._fitted(name, weights, _read(name, weights)))
        if freeze_body:
            self._body_is_frozen = True
            self.body.requires_grad_(False)
            self.train(self.training)

    @property
    def body(self) -> nn.ModuleList:
        """The backbone: all layers but the heads."""
        layers = {key: layer for key, layer in self.named_modules() if not [*layer.children()]}
        return nn.ModuleList(layer for key, layer in layers.items() if not _belongs(key, self.heads))

    def train(self, mode: bool = True) -> Self:
        """Sets training mode; the batch norms of a frozen backbone stay in evaluation mode."""
        super().train(mode)
        if self._body_is_frozen:
            for layer in self.body:
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self

    def _fitted(self, name: str, weights: str, theirs: State) -> State:
        ours = self.state_dict()
        keep = {key for key in ours if _belongs(key, self.auxiliary) and key not in theirs}
        keep |= {key for key in ours if key.endswith("num_batches_tracked")} - set(theirs)  # files from before 2018
        theirs = {key: value for key, value in theirs.items() if key in ours or not _belongs(key, self.auxiliary)}
        for head in self.heads:
            mine, others = ({k: v.shape for k, v in s.items() if _belongs(k, (head,))} for s in (ours, theirs))
            if mine != others:
                keep |= set(mine)
                theirs = {key: value for key, value in theirs.items() if key not in others}
        expected = {key: value for key, value in ours.items() if key not in keep}
        for key in [*expected, *theirs]:
            here, there = (list(s[key].shape) if key in s else None for s in (expected, theirs))
            if here != there:
                raise CheckpointError(
                    f"`weights` {weights} {_mismatch(name, key, here, there, key == next(iter(ours)))}"
                )
        return {key: ours[key] if key in keep else theirs[key] for key in ours}


def _belongs(key: str, parts: tuple[str, ...]) -> bool:
    return any(key == part or key.startswith(f"{part}.") for part in parts)


def _mismatch(name: str, key: str, ours: list[int] | None, theirs: list[int] | None, is_first: bool) -> str:
    if is_first and ours and theirs and len(ours) == len(theirs) == 4:
        if ours[2:] != theirs[2:]:
            return (
                f"have another stem: {theirs[2]} x {theirs[3]} pixels in the first kernel, "
                f"where this {name} has {ours[2]} x {ours[3]}.\nSet `stem` to the other of imagenet and small."
            )
        if ours[1] != theirs[1]:
            return (
                f"are for images of {theirs[1]} channels, but these have {ours[1]}.\n"
                f"Bring images of {theirs[1]} channels, or leave `weights` out."
            )
    there, here = ("missing" if shape is None else shape for shape in (theirs, ours))
    return (
        f"are not those of {name}: {key} is {there} there and {here} here.\n"
        "Take weights of this architecture, or the architecture of these weights."
    )


def _read(name: str, weights: str) -> State:
    if not Path(weights).is_file():
        if re.fullmatch(r"[A-Z0-9_]+", weights):
            return _download(name, weights)
        raise CheckpointError(
            f"`weights` {weights}: there is no such file. Give a file, or torchvision's name such as IMAGENET1K_V1."
        )
    try:
        content = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds here
        reason = (str(error).strip() or repr(error)).splitlines()[0].split(". ")[0]
        raise CheckpointError(
            f"`weights` {weights} cannot be read, it may be cut short: {reason}\n"
            "Download it again, or save the network's `state_dict()` again."
        ) from error
    if isinstance(content, dict) and "state_dict" in content:  # a checkpoint of lit_cnn, whose network is `net`
        content = {k.removeprefix("net."): v for k, v in content["state_dict"].items() if k.startswith("net.")}
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"`weights` {weights} holds no state dict. Save a network's `state_dict()` to it.")
    return content


def _download(name: str, weights: str) -> State:
    from torchvision.models import get_model_weights, list_models

    if name not in list_models():
        raise CheckpointError(f"`weights` {weights}: torchvision has no weights of {name}. Give a file.")
    published = get_model_weights(name)
    if weights not in published.__members__:
        known = list(published.__members__)
        raise CheckpointError(
            f"`weights` {weights}: torchvision has none of this name for {name}.{nearest(weights, known)} "
            f"There are {', '.join(known)}."
        )
    try:
        return dict(published[weights].get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:  # no network; another hash
        raise CheckpointError(
            f"`weights` {weights} of {name} cannot be downloaded from {published[weights].url}: {error}\n"
            "Download it elsewhere, and give its path."
        ) from error
