"""Check before a run that a user's own network can process the images."""

import copy

import torch

from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError, place_in_own_code
from lit_cnn.training.classifier import LitClassifier

# What a network raises for images of a wrong shape; other errors are mistakes in its code.
MISFITS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)


def refuse_misfit(model: LitClassifier, data: ImageDataModule) -> None:
    """Checks that a network turns two images into two rows of logits, in evaluation and training mode.

    Classes of lit_cnn are not checked, since they are built for the data.
    """
    own = [type(part).__name__ for part in (model.net, model) if not type(part).__module__.startswith("lit_cnn.")]
    if not own:
        return
    images = torch.zeros(2, data.in_channels, *data.image_size)
    shape = f"[batch, {', '.join(str(size) for size in images.shape[1:])}]"
    modes = [(part, part.training) for part in model.modules()]
    for training in (False, True):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            net = copy.deepcopy(model).train() if training else model.eval()  # this initialises lazy layers
            try:
                logits = net(images)
            except MISFITS as error:
                place = place_in_own_code(error)
                raise ConfigError(
                    f"The network {own[0]} cannot process the images of {data.dataset_name}, {shape} "
                    f"(channels, height, width):\n{place}{': ' * bool(place)}{' '.join(str(error).split())[:300]}\n"
                    f"Its first layer needs {data.in_channels} channels, and its layers have to fit this image size; "
                    f"transformers of timm have --model.net.img_size."
                ) from error
        for part, mode in modes:
            part.training = mode
        got = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        if got != [2, data.num_classes]:
            what = f"logits {['batch', *got[1:]]}".replace("'", "") if isinstance(got, list) else f"a {got}"
            several = not isinstance(got, list)
            remedy = "aux_logits false, if it has that" if several else f"num_classes {data.num_classes}"
            raise ConfigError(
                f"The network {own[0]} turns images {shape} into {what}{' in training' * training}, but "
                f"{data.dataset_name} has {data.num_classes} classes. It has to return [batch, {data.num_classes}].\n"
                f"Set its argument, such as --model.net.{remedy}, or change its last layer."
            )
