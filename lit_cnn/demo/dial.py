"""The dial: an MLP and a CNN of equal size on digits whose blocks of k x k pixels have changed places.

For each k there are two pairs of networks: those that were trained on digits with the same blocks in the same new
places (`ablate dial_mnist`, seed 0), and those that were trained on whole digits and never saw blocks move.
"""

import json
from pathlib import Path
from typing import Any, Literal, get_args

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.demo.looks import look
from lit_cnn.demo.picture import write_png
from lit_cnn.inference.load import load
from lit_cnn.runs.weights import INDEX

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
    """The networks of all block sizes."""

    def __init__(self) -> None:
        self.modules = {(name, block): load(weights_of(name, block)) for name in NETWORKS for block in BLOCKS}

    def about(self) -> dict[str, Any]:
        """Returns what the page shows before there is a picture: accuracies, and where the pixels go."""
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
        """Returns the looks of both networks at an image whose blocks have changed places, and the image itself."""
        looks = []
        for name in NETWORKS:
            preprocess = self.modules[name, block].preprocess
            assert preprocess is not None
            module = self.modules[name, block if training == "shuffled" else BLOCKS[-1]]
            looks.append(look(module, preprocess, image).as_json())
        return {"picture": write_png(image[0]), "networks": looks}
