"""Whitening convolution: a first layer whose filters are computed from the training images, and not trained."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 5e-4  # added to the variances, so that directions without variance are not blown up


class WhiteningConv2d(nn.Conv2d):
    """Convolution without padding, whose outputs are uncorrelated and of variance 1 on the training images.

    Its filters are the eigenvectors of the covariance of all patches, each divided by its standard deviation, and the
    same with the other sign, so that an activation function keeps both sides. They are random until `learn` sets them,
    and frozen; biases are trained.

    Page 2019, https://myrtle.ai/learn/how-to-train-your-resnet-8-bag-of-tricks; Jordan 2024,
    https://arxiv.org/abs/2404.00498, section 3.2.
    """

    learned: Tensor  # whether the filters are set; a part of checkpoints

    def __init__(self, in_channels: int, kernel_size: int = 2):
        super().__init__(in_channels, 2 * in_channels * kernel_size**2, kernel_size)
        self.weight.requires_grad_(False)
        self.register_buffer("learned", torch.tensor(False))

    @torch.no_grad()
    def learn(self, images: Float[Tensor, "b c h w"]) -> None:
        """Sets the filters from training images, as the network gets them."""
        size = self.weight[0].numel()
        covariance, patches = torch.zeros(size, size, dtype=torch.float64), 0
        for part in images.cpu().split(500):
            found = F.unfold(part.float(), self.kernel_size).transpose(1, 2).reshape(-1, size).double()
            covariance += found.T @ found
            patches += len(found)
        variances, vectors = torch.linalg.eigh(covariance / patches)
        vectors = vectors.T
        vectors *= vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True)).sign()  # eigenvectors have any sign
        filters = vectors / torch.sqrt(variances + EPS)[:, None]
        self.weight.copy_(torch.cat((filters, -filters)).to(self.weight.dtype).view(self.weight.shape))
        self.learned.fill_(True)
