"""Attribution: saliency maps, occlusion and Grad-CAM.

Each function takes a network in evaluation mode, a batch of preprocessed images, and for each image the class to
explain. They work with any kind of layer.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lit_cnn.models.layer_table import hooked


def saliency(net: nn.Module, inputs: Float[Tensor, "b c h w"], classes: Int64[Tensor, "b"]) -> Float[Tensor, "b h w"]:
    """Saliency map: the absolute gradient of a class's logit by each pixel, largest over the channels.

    Simonyan, Vedaldi & Zisserman 2014, https://arxiv.org/abs/1312.6034, section 3.1.
    """
    inputs = inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(_scores(net(inputs), classes), inputs)
    return gradient.abs().amax(1)


def occlusion(
    net: nn.Module,
    inputs: Float[Tensor, "b c h w"],
    classes: Int64[Tensor, "b"],
    side: int,
    stride: int = 1,
    at_once: int = 256,
) -> Float[Tensor, "b h w"]:
    """Occlusion map: the drop in a class's probability for each pixel, averaged over the squares that hide it.

    Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, section 4.2. Hidden pixels are 0, the mean of the dataset.

    Args:
        side: Side of the square, in pixels.
        stride: Distance between squares, in pixels; the last ones always touch the edge. Pixels never hidden are 0.
        at_once: Batch size of the network.
    """
    height, width = inputs.shape[2:]
    corners = [(y, x) for y in _starts(height, side, stride) for x in _starts(width, side, stride)]
    hidden = torch.zeros(len(corners), height, width, dtype=torch.bool, device=inputs.device)
    for k, (y, x) in enumerate(corners):
        hidden[k, y : y + side, x : x + side] = True
    maps = []
    with torch.no_grad():
        before = net(inputs).softmax(1).gather(1, classes[:, None])
        for image, label, probability in zip(inputs, classes, before, strict=True):
            parts = (net(image.masked_fill(part[:, None], 0)) for part in hidden.split(at_once))
            falls = probability - torch.cat([logits.softmax(1)[:, label] for logits in parts])
            maps.append((falls[:, None, None] * hidden).sum(0) / hidden.sum(0).clamp(min=1))
    return torch.stack(maps)


def _starts(length: int, side: int, stride: int) -> list[int]:
    last = max(length - side, 0)
    return [*range(0, last, stride), last]


def grad_cam(
    net: nn.Module, inputs: Float[Tensor, "b c h w"], classes: Int64[Tensor, "b"]
) -> Float[Tensor, "b h w"] | None:
    """Grad-CAM: the evidence for a class in the last feature maps; None for a network without feature maps.

    Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2: each map is weighted by the mean
    gradient of the logit, negative values are cut off, and the sum is upsampled to the input size with bilinear
    interpolation. The last feature maps are the last ones with more than one pixel.
    """
    layer = _last_with_maps(net, inputs[:1])
    if layer is None:
        return None
    kept: list[Tensor] = []

    def keep(module: nn.Module, arguments: object, maps: Tensor) -> Tensor:
        kept.append(maps.detach().clone().requires_grad_())
        return kept[-1].clone()  # a later layer may change its input in place

    with hooked([(layer, keep)]), torch.enable_grad():
        scores = _scores(net(inputs), classes)
        (gradient,) = torch.autograd.grad(scores, kept[-1])
    maps = (gradient.mean((2, 3), keepdim=True) * kept[-1].detach()).sum(1, keepdim=True).relu()
    return interpolate(maps, inputs.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def _last_with_maps(net: nn.Module, inputs: Float[Tensor, "b c h w"]) -> nn.Module | None:
    found: list[nn.Module] = []

    def look(module: nn.Module, arguments: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[2] * output.shape[3] > 1:
            found.append(module)

    with hooked((module, look) for module in net.modules()), torch.no_grad():
        net(inputs)
    return found[-1] if found else None


def _scores(logits: Float[Tensor, "b k"], classes: Int64[Tensor, "b"]) -> Float[Tensor, ""]:
    # One backward pass of the sum over the batch: in evaluation mode, an image does not affect the logits of others.
    return logits.gather(1, classes[:, None]).sum()
