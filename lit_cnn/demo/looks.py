"""A network's view of a picture: its probabilities, its input as a picture, and an attribution map."""

from typing import Any, NamedTuple

import matplotlib
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lit_cnn.demo.picture import write_png
from lit_cnn.inference.attribution import grad_cam, saliency
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms import Preprocess

OPACITY = 0.7  # of the map over the picture
GRAD_CAM = "Grad-CAM: evidence for the prediction"
SALIENCY = "Saliency: pixels that the prediction depends on"


class Look(NamedTuple):
    """Predictions and maps of a network for one picture."""

    probabilities: Float[Tensor, "k"]
    seen: UInt8[Tensor, "c h w"]  # its input, as a picture
    kind: str  # of the map
    heat: Float[Tensor, "h w"]  # over what it sees, from 0 to 1
    image: UInt8[Tensor, "c h w"]  # the input with its pixels back in their places
    heat_back: Float[Tensor, "h w"] | None  # the map over that; None if no pixel was moved

    def as_json(self) -> dict[str, Any]:
        """Returns it for the page, with pictures as data URLs."""
        maps = [{"title": self.kind, "image": write_png(overlay(self.seen, self.heat))}]
        if self.heat_back is not None:
            maps.append(
                {"title": "The same, permutation undone", "image": write_png(overlay(self.image, self.heat_back))}
            )
        probabilities = [round(p, 6) for p in self.probabilities.tolist()]
        return {"probabilities": probabilities, "seen": write_png(self.seen), "maps": maps}


def look(module: LitClassifier, preprocess: Preprocess, image: UInt8[Tensor, "1 c h w"]) -> Look:
    """Predicts one image of the network's shape, with a preprocessing that may differ from the network's own.

    The map is Grad-CAM of the predicted class; for networks without feature maps it is the saliency map.
    """
    inputs = preprocess.prepared(image)
    with torch.no_grad():
        probabilities = module.evaluate(inputs).softmax(1)
    classes = probabilities.argmax(1)
    kind, heat = GRAD_CAM, grad_cam(module, inputs, classes)
    if heat is None:
        kind, heat = SALIENCY, saliency(module, inputs, classes)
    heat = heat / heat.max().clamp(min=1e-12)
    seen = preprocess.to_picture(inputs)
    back = preprocess.permute.inverse if preprocess.permute else None
    return Look(
        probabilities=probabilities[0],
        seen=seen[0],
        kind=kind,
        heat=heat[0],
        image=(back(seen) if back else seen)[0],
        heat_back=back(heat[:, None])[0, 0] if back else None,
    )


def overlay(image: UInt8[Tensor, "c h w"], heat: Float[Tensor, "h w"]) -> UInt8[Tensor, "3 h w"]:
    """Returns an image in grey with a map from 0 to 1 over it in colours, the more opaque the larger its value."""
    grey = image.float().mean(0).expand(3, -1, -1)
    colours = torch.from_numpy(matplotlib.colormaps["inferno"](heat.numpy())[..., :3]).permute(2, 0, 1).float() * 255
    opacity = OPACITY * heat.sqrt()
    return (grey * (1 - opacity) + colours * opacity).round().byte()
