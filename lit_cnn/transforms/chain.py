"""Several augmentations, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.transforms.augment import Augmentation
from lit_cnn.transforms.draws import Draws
from lit_cnn.transforms.placement import Place, Placement, put


def augment(
    placed: Callable[[Place], UInt8[Tensor, "b c h w"]],
    augmentations: Sequence[Augmentation],
    draws: Draws,
    done: int = 0,
) -> UInt8[Tensor, "b c h w"]:
    """Applies the augmentations in their order, each with draws of its own.

    Args:
        placed: Gives the images in the places that it is told, which a gathering from memory can do as it copies.
        augmentations: What to apply.
        draws: The draws of these images.
        done: How many of the first augmentations have been applied before.
    """
    waiting = Place()  # placements that follow each other are done at once
    for position, augmentation in list(enumerate(augmentations))[done:]:
        own = replace(draws, purpose=f"{type(augmentation).__name__} {position}")
        if not isinstance(augmentation, Placement):
            placed, waiting = partial(put, augmentation(placed(waiting), own)), Place()
            continue
        place = augmentation.draw(own)
        both = waiting.then(place)
        if both is None:
            placed, both = partial(put, placed(waiting)), place
        waiting = both
    return placed(waiting)
