"""Polarity: whether images are dark on light while the training images were light on dark, or the reverse."""

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.training.classifier import LitClassifier

DARK, LIGHT = 0.35, 0.65  # mean level of images on a dark and on a light ground, on a scale from 0 to 1


class Polarity:
    """Inverts images if asked to, and counts those that look inverted.

    Args:
        module: A network from `load`; the mean of its training images shows whether their background was dark.
        invert: Invert all images.
    """

    def __init__(self, module: LitClassifier, invert: bool):
        assert module.preprocess is not None
        mean = module.preprocess.settings["mean"]
        self.invert, self.trained = invert, sum(mean) / len(mean)
        self.inverted = self.images = 0

    def seen(self, images: UInt8[Tensor, "b c h w"]) -> UInt8[Tensor, "b c h w"]:
        """Returns images as the network is to see them."""
        images = 255 - images if self.invert else images
        if len(images):
            levels = images.flatten(1).float().mean(1) / 255
            other = levels > LIGHT if self.trained < DARK else levels < DARK
            self.inverted += int(other.sum()) if not DARK <= self.trained <= LIGHT else 0
            self.images += len(images)
        return images

    def text(self) -> str:
        """Returns a sentence if most images look inverted, else nothing."""
        if self.inverted <= self.images // 2:
            return ""
        trained, these = ("light on dark", "dark on light")[:: 1 if self.trained < DARK else -1]
        remedy = "Remove --invert." if self.invert else "Use --invert."
        return (
            f"{self.inverted} of {self.images} images look inverted: they are {these}, and the training images were "
            f"{trained}. {remedy}"
        )
