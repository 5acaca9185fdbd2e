"""Check before a run that a user's own network turns the images into logits that can be trained."""

import copy
import re
from typing import Any

import torch
from torch import Tensor

from lit_cnn.data.contract import refuse_incomplete
from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError, LitCNNError, is_out_of_memory
from lit_cnn.own_code import failure, place_in_own_code, place_of_class, said_by
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.training.contract import losses_of

# Words in the messages of errors about the images' shape; other errors are mistakes in the code.
OF_SHAPE = re.compile(r"shape|size|channel|dimension|height|width|\b[2-5]D\b", re.IGNORECASE)

NAN = "NaN", "Look for logarithms and roots of negative numbers, and for divisions by 0."


def refuse_misfit(model: LitClassifier, data: ImageDataModule) -> None:
    """Checks that a network turns images into rows of logits, in evaluation and training, and has gradients.

    Evaluation takes two images, and one, as the last batch may have, and two after the training. Classes of lit_cnn are
    not checked, since they are built for the data.

    Raises:
        ConfigError: If it does not.
    """
    refuse_incomplete(data)
    own = [type(part) for part in (model.net, model) if not type(part).__module__.startswith("lit_cnn.")]
    if not own:
        return
    modes = [(part, part.training) for part in model.modules()]
    for number, training in ((2, False), (1, False), (2, True)):
        with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(training):
            net = copy.deepcopy(model).train() if training else model.eval()  # this initialises lazy layers
            images = torch.randn(number, data.in_channels, *data.image_size)
            shape = str(["batch" if number > 1 else 1, *images.shape[1:]]).replace("'", "")
            what, when = "network", " in training" * training
            try:
                logits = net(images)
                wrong, remedy = _judged(logits, (number, data.num_classes), training and _is_trained(net))
                if training and not wrong and logits.requires_grad:
                    what = "backward pass of the network"
                    logits.sum().backward()
                if training and not wrong:
                    _try_loss_of(net, images)
                    what, when = "network", " in evaluation"
                    wrong, remedy = NAN if net.eval()(images).isnan().any() else ("", "")
            except Exception as error:
                if isinstance(error, LitCNNError) or is_out_of_memory(error):
                    raise
                raise _failed(f"{what} {own[0].__name__}", place_of_class(own[0]), shape, data, error) from error
            finally:
                for part, mode in modes:
                    part.training = mode
        if wrong:
            classes = data.num_classes
            raise ConfigError(
                f"The network {own[0].__name__} turns images {shape} into {wrong}{when}. "
                f"It has to return logits [batch, {classes}] for the {classes} classes of {data.dataset_name}.\n"
                f"{remedy}"
            )


def _try_loss_of(net: LitClassifier, images: Tensor) -> None:
    """Checks what the `loss_of` of a user's own class returns, if it runs without a Trainer; else the run does."""
    if type(net).loss_of is LitClassifier.loss_of or not _is_trained(net):
        return
    try:
        losses_of(net, images, torch.zeros(len(images), dtype=torch.int64))
    except LitCNNError:
        raise
    except Exception:
        return


def _is_trained(model: LitClassifier) -> bool:
    return any(parameter.requires_grad for parameter in model.parameters())


def _failed(what: str, home: str, shape: str, data: ImageDataModule, error: Exception) -> ConfigError:
    """Returns the error for a network that fails: because of the images' shape, or by a mistake in its code."""
    place = place_in_own_code(error)
    if not OF_SHAPE.search(str(error)):
        return failure(error, f"The {what}, with images {shape},", place or home)
    return ConfigError(
        f"The {what} cannot process the images of {data.dataset_name}, {shape} (channels, height, width):\n"
        f"{place}{': ' * bool(place)}{said_by(error)}\n"
        f"Its first layer needs {data.in_channels} channels, and its layers have to fit this image size; "
        "transformers of timm have --model.net.img_size."
    )


def _judged(logits: Any, expected: tuple[int, int], with_gradient: bool) -> tuple[str, str]:
    """Returns what is wrong with what a network has returned, and the remedy; nothing if it is right.

    Args:
        logits: What it has returned.
        expected: The number of images, and of classes.
        with_gradient: Whether logits need a gradient.
    """
    if logits is None:
        return "None", "Its forward needs a `return`."
    if not isinstance(logits, Tensor):
        remedy = "Return the logits alone; networks of torchvision do so with --model.net.aux_logits false."
        return f"a {type(logits).__name__}", remedy
    if not logits.is_floating_point():
        return f"{str(logits.dtype).removeprefix('torch.')} numbers", "Return the logits before argmax and the like."
    (number, classes), shape = expected, tuple(logits.shape)
    if shape != expected:
        sizes = ["batch" if number > 1 and size == number else size for size in shape[:1]]
        what = f"logits {[*sizes, *shape[1:]]}".replace("'", "")
        if shape[:1] != (number,):
            return what, "Keep the batch as the first dimension: no mean over it, and no squeeze() of a single image."
        if logits.numel() == number * classes:
            return what, "End its forward with .flatten(1)."
        return what, f"Set its argument, such as --model.net.num_classes {classes}, or change its last layer."
    if with_gradient and logits.isnan().any():
        return NAN
    if with_gradient and not logits.requires_grad:
        return "numbers without a gradient", "Look for detach(), no_grad() and argmax in its forward."
    return "", ""
