"""Preprocessing: normalisation and pixel permutation of images, and back for pictures."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from lit_cnn.errors import ConfigError
from lit_cnn.transforms.permutation import PermutationKind, PixelPermutation
from lit_cnn.transforms.views import seen, view_of


class Preprocess(nn.Module):
    """Normalises images with the dataset's mean and standard deviation, then permutes their pixels.

    Images are bytes, or float16 from some views.

    Args:
        mean: Mean of each channel, on a scale from 0 to 1.
        std: Standard deviation of each channel, on a scale from 0 to 1.
        image_size: Height and width of the images, in pixels.
        permute_seed: Seed of the pixel permutation; None for no permutation.
        permute_kind: `kind` of PixelPermutation.
        permute_block: Size of its blocks, in pixels.
        views: The dataset's views, as `views.settings_of` returns them. They were applied when the dataset was read;
            `prepared` applies them to other images.

    Raises:
        ValueError: If the permutation does not fit, or a view is not known.
    """

    scale: Tensor
    bias: Tensor

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        image_size: Sequence[int],
        permute_seed: int | None = None,
        permute_kind: PermutationKind = "pixels",
        permute_block: int = 1,
        views: Sequence[dict[str, Any]] = (),
    ):
        super().__init__()
        height, width = image_size
        self.settings: dict[str, Any] = {"mean": list(mean), "std": list(std), "image_size": [height, width]}
        self.settings |= {"permute_seed": permute_seed, "permute_kind": permute_kind, "permute_block": permute_block}
        self.settings["views"] = list(views)
        self.views = [view_of(settings) for settings in views]
        std_255 = torch.tensor(std, dtype=torch.float64) * 255
        mean_255 = torch.tensor(mean, dtype=torch.float64) * 255
        # One number for each value of an image, since inner loops over 3 channels are slow on the CPU.
        for name, values in (("scale", 1 / std_255), ("bias", -mean_255 / std_255)):
            self.register_buffer(name, values.float().expand(height, width, -1).contiguous(), persistent=False)
        self.permute = None
        if permute_seed is not None:
            self.permute = PixelPermutation((height, width), permute_seed, permute_kind, permute_block)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images."""
        height, width = self.settings["image_size"]
        return len(self.settings["mean"]), height, width

    def forward(self, images: Shaped[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the network's inputs, in channels_last memory, on the device of the images."""
        return self.permuted(self.normalised(images))

    def prepared(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the network's inputs for images from outside of the dataset: applies its views too."""
        self.check_others()
        return self(seen(images, [view for view in self.views if "train" in view.splits], "train"))

    def check_others(self) -> None:
        """Raises ConfigError if a view of the training images depends on an image's index in the dataset."""
        drawn = [type(view).__name__ for view in self.views if view.numbered and "train" in view.splits]
        if drawn:
            raise ConfigError(
                f"The network was trained on images seen through {drawn[0]}, which needs the number of an image in the "
                "dataset.\nOther images have no number. Use `test` or `report` for images of the dataset."
            )

    def normalised(self, images: Shaped[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        if self.scale.device != images.device:
            self.to(images.device)
        inputs = images.permute(0, 2, 3, 1).float()
        return torch.addcmul(self.bias, inputs, self.scale, out=inputs).permute(0, 3, 1, 2)

    def permuted(self, inputs: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return inputs if self.permute is None else self.permute(inputs)

    def to_picture(self, inputs: Float[Tensor, "b c h w"]) -> UInt8[Tensor, "b c h w"]:
        """Returns the network's inputs as pictures: undoes the normalisation, but not the permutation."""
        pixels = (inputs.float().permute(0, 2, 3, 1) - self.bias) / self.scale
        return pixels.round().clamp(0, 255).byte().permute(0, 3, 1, 2)
