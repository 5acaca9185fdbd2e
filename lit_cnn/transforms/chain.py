"""Several augmentations, one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.transforms.augment import Augmentation
from lit_cnn.transforms.draws import Draws
from lit_cnn.transforms.placement import Place, Placement, put


def augment(
    images: UInt8[Tensor, "b c h w"], augmentations: Sequence[Augmentation], draws: Draws
) -> UInt8[Tensor, "b c h w"]:
    """Applies the augmentations in their order, each with draws of its own."""
    waiting = Place()  # placements that follow each other are done at once
    for position, augmentation in enumerate(augmentations):
        own = replace(draws, purpose=f"{type(augmentation).__name__} {position}")
        if not isinstance(augmentation, Placement):
            images, waiting = augmentation(put(images, waiting), own), Place()
            continue
        place = augmentation.draw(own)
        both = waiting.then(place)
        if both is None:
            images, both = put(images, waiting), place
        waiting = both
    return put(images, waiting)
