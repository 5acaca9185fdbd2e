"""The data of the page, as plain dicts: the networks, and their predictions for a picture."""

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lit_cnn.data.sources import sample
from lit_cnn.demo.dial import BLOCKS, TRAININGS, Dial, Training
from lit_cnn.demo.looks import look
from lit_cnn.demo.picture import Changes, centred, changed, read_png, white_on_black, write_png
from lit_cnn.errors import ConfigError
from lit_cnn.inference.load import load
from lit_cnn.runs.folder import find_run, read_results
from lit_cnn.runs.weights import FOLDER, INDEX, weights_file
from lit_cnn.training.classifier import LitClassifier

SHIPPED = ("mlp_mnist", "cnn_mnist", "quickstart", "airbench94_cifar")
MODES = ("draw", "photo")  # for networks of one channel, and of three channels
DIGITS = [str(digit) for digit in range(10)]
# The largest value of each slider, in both directions; the page has the same.
LIMITS = Changes(right=0.5, down=0.5, degrees=180.0, noise=1.0)


class Network(NamedTuple):
    """A trained network on the page."""

    name: str  # of the run or the weights
    module: LitClassifier
    accuracy: str  # on its test images, in words; empty if it is not known

    @property
    def mode(self) -> str:
        """Whether it looks at drawings or at photos."""
        return MODES[self.module.input_shape[0] == 3]

    def about(self) -> dict[str, Any]:
        """Returns the data about it that the page shows first."""
        kind = type(self.module).__name__.removeprefix("Lit")
        parameters = sum(p.numel() for p in self.module.net.parameters())
        about = f"{parameters:,} parameters{self.accuracy and ', '}{self.accuracy}"
        return {"name": self.name, "kind": kind, "about": about, "mode": self.mode, "classes": self.module.class_names}


class Session:
    """The networks of a demo; without runs, the networks in the package, and the dial."""

    def __init__(self, runs: Sequence[str] = ()):
        self.networks = [_network(run) for run in runs or SHIPPED]
        self.dial = None if runs else Dial({network.name: network.module for network in self.networks})

    def about(self) -> dict[str, Any]:
        """Returns the networks, the dial, and, if networks read digits, a test digit of each class to start with."""
        networks = [network.about() for network in self.networks]
        digits = []
        if any(network["mode"] == "draw" and network["classes"] == DIGITS for network in networks):
            test = sample.read("test")
            digits = [write_png(test.images[int((test.labels == digit).nonzero()[0])]) for digit in range(len(DIGITS))]
        return {"networks": networks, "digits": digits, "dial": self.dial.about() if self.dial else None}

    def look(self, request: dict[str, Any]) -> dict[str, Any]:
        """Returns the predictions of the networks of a mode for a picture; for a drawing, also those of the dial.

        Args:
            request: `image`, a PNG as a data URL, and `mode`, "draw" or "photo". What may be missing: `centre`, whether
                to make a drawing white on black, and scale and centre it, as MNIST's digits are; the fields of
                `Changes`; the dial's `block` in pixels; and `training`, "shuffled" or "whole".

        Raises:
            DataError: If the picture cannot be read.
            ConfigError: If another value is wrong.
        """
        mode = _one_of("mode", request.get("mode"), MODES)
        block = _one_of("block", request.get("block", BLOCKS[-1]), BLOCKS)
        training: Training = _one_of("training", request.get("training", TRAININGS[0]), TRAININGS)
        changes = Changes(*(_number(name, request.get(name, 0), limit) for name, limit in LIMITS._asdict().items()))
        picture = read_png(str(request.get("image")))
        if mode == "draw":
            picture = centred(white_on_black(picture)) if request.get("centre") else picture.convert("L")
            if not np.asarray(picture).any():
                return {"empty": True}
        looks = []
        for network in self.networks:
            if network.mode == mode:
                preprocess = network.module.preprocess
                assert preprocess is not None
                image = changed(picture, network.module.input_shape, changes)
                looks.append(look(network.module, preprocess, image).as_json())
        answer: dict[str, Any] = {"empty": False, "networks": looks}
        if self.dial and mode == "draw":
            answer["dial"] = self.dial.look(changed(picture, (1, 28, 28), changes), block, training)
        return answer


def _network(run: str) -> Network:
    """Loads a network for the page.

    Raises:
        ConfigError: If the page cannot make its images: not 1 or 3 channels, or a view that needs an image's index.
    """
    module = load(run)
    assert module.preprocess is not None
    module.preprocess.check_others()
    if module.input_shape[0] not in (1, 3):
        raise ConfigError(
            f"{run} takes images of {module.input_shape[0]} channels. The page can make images of 1 or 3 channels."
        )
    return Network(run, module, _accuracy(run))


def _accuracy(run: str) -> str:
    file = weights_file(run)
    if file is None:
        accuracy = read_results(find_run(run)).get("test/acc")
    else:
        known = json.loads(INDEX.read_text("utf-8")).get(file.stem) if file.parent == FOLDER else None
        accuracy = known and known["correct"] / known["test_images"]
    return f"{accuracy:.1%} test accuracy" if accuracy else ""


def _one_of(name: str, value: Any, known: Sequence[Any]) -> Any:
    if value not in known:
        raise ConfigError(f"`{name}` has to be one of {', '.join(map(str, known))}, but got {value!r}.")
    return value


def _number(name: str, value: Any, limit: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"`{name}` has to be a number, but got {value!r}.")
    return max(-limit, min(limit, float(value)))
