"""The dial: an MLP and a CNN of equal size on digits whose blocks of k x k pixels are shuffled.

For each k there are two pairs of networks: one pair was trained on digits that were shuffled in the same way
(`ablate dial_mnist`, seed 0), the other was trained on whole digits.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.demo.looks import look
from lit_cnn.demo.picture import write_png
from lit_cnn.inference.load import load
from lit_cnn.runs.weights import INDEX
from lit_cnn.training.classifier import LitClassifier

BLOCKS = (1, 2, 4, 7, 14, 28)  # pixels; at 28 the digit is whole
NETWORKS = ("mlp_mnist", "cnn_mnist")
Training = Literal["shuffled", "whole"]  # what the pair of networks was trained on
TRAININGS: tuple[Training, ...] = get_args(Training)

# Test accuracy on shuffled digits of the networks that were trained on whole ones, by scripts/make_dial.py.
WHOLE = Path(__file__).with_name("dial.json")


def weights_of(network: str, block: int) -> str:
    """Returns the name of the weights of a network for a block size."""
    return network if block == BLOCKS[-1] else f"{network}_blocks{block}"


class Dial:
    """The networks of all block sizes.

    Args:
        whole: The networks that are loaded already and were trained on whole digits, by name.
    """

    def __init__(self, whole: Mapping[str, LitClassifier]):
        self.modules = {
            (name, block): whole[name] if block == BLOCKS[-1] else load(weights_of(name, block))
            for name in NETWORKS
            for block in BLOCKS
        }

    def about(self) -> dict[str, Any]:
        """Returns the data that the page shows first: accuracies, and the order of the pixels."""
        known, orders = json.loads(INDEX.read_text("utf-8")), []
        for block in BLOCKS:
            preprocess = self.modules[NETWORKS[0], block].preprocess
            assert preprocess is not None
            orders.append(preprocess.permute.order.tolist() if preprocess.permute else None)
        shuffled = {
            name: [known[weights_of(name, b)]["correct"] / known[weights_of(name, b)]["test_images"] for b in BLOCKS]
            for name in NETWORKS
        }
        whole = json.loads(WHOLE.read_text("utf-8"))
        return {"blocks": list(BLOCKS), "accuracies": {"shuffled": shuffled, "whole": whole}, "orders": orders}

    def look(self, image: UInt8[Tensor, "1 1 28 28"], block: int, training: Training) -> dict[str, Any]:
        """Returns the predictions of both networks for an image with shuffled blocks, and that image."""
        looks = []
        for name in NETWORKS:
            preprocess = self.modules[name, block].preprocess
            assert preprocess is not None
            module = self.modules[name, block if training == "shuffled" else BLOCKS[-1]]
            looks.append(look(module, preprocess, image).as_json())
        return {"picture": write_png(image[0]), "networks": looks}
