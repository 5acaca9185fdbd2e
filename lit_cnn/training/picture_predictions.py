"""Predictions for pictures: paths, PIL images or arrays in, probabilities or class names out."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lit_cnn.data.images import Picture, as_batch
from lit_cnn.transforms import Preprocess

Pictures = Picture | Sequence[Picture] | UInt8[Tensor, "b c h w"]


class PicturePredictions:
    """`predict` and `classify` of a LitClassifier that `load` has given its preprocessing."""

    preprocess: Preprocess | None
    class_names: list[str]
    device: Any
    evaluate: Callable[[Tensor], Tensor]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width to which `predict` converts images."""
        if self.preprocess is None:
            raise ValueError("Only a module from `lit_cnn.load` can prepare images.")
        return self.preprocess.image_shape

    @torch.inference_mode()
    def predict(self, images: Pictures) -> Float[Tensor, "b k"]:
        """Returns the probability of each class for each image, preprocessed like the training images.

        Args:
            images: One image or several, as paths, PIL images or uint8 arrays `[h, w]` or `[h, w, c]`, converted to
                the network's size and channels; or a uint8 tensor `[b, c, h, w]` of the right shape.

        Raises:
            ValueError: If the module is not from `load`, or the images have a wrong type or shape.
        """
        channels, height, width = self.input_shape
        batch = as_batch(images, channels, (height, width)).to(self.device)
        return self.evaluate(self.preprocess.prepared(batch)).softmax(dim=1)  # type: ignore[union-attr]

    def classify(self, images: Pictures) -> list[str]:
        """Returns the name of the predicted class of each image; takes the same images as `predict`."""
        return [self.class_names[i] for i in self.predict(images).argmax(dim=1).tolist()]
