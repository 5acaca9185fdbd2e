"""Several augmentations, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from jaxtyping import Shaped
from torch import Tensor

from lit_cnn.transforms.augment import Augmentation
from lit_cnn.transforms.draws import Draws
from lit_cnn.transforms.placement import Place, Placement, put
from lit_cnn.transforms.views import View


def augment(
    placed: Callable[[Place], Shaped[Tensor, "b c h w"]],
    augmentations: Sequence[Augmentation],
    draws: Draws,
    done: int = 0,
) -> Shaped[Tensor, "b c h w"]:
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


def check_levels(views: Sequence[View], augmentations: Sequence[Augmentation]) -> None:
    """Makes sure that the augmentations can work on the grey levels that the views make.

    Raises:
        ValueError: If one needs bytes, and does not get them.
    """
    floats = [type(view).__name__ for view in views if view.floats and "train" in view.splits]
    bytes_only = [type(augmentation).__name__ for augmentation in augmentations if not augmentation.takes_floats]
    if floats and bytes_only:
        raise ValueError(
            f"{bytes_only[0]} works on whole grey levels from 0 to 255, and {floats[0]} makes others.\n"
            f"Leave one of them out, or give {floats[0]} `clip: true`, which rounds them and cuts them off."
        )
