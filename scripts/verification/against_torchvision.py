"""Compares networks with torchvision's of the same name: state dict, logits, loss and gradients."""

from itertools import zip_longest
from typing import Any

import torch
import torchvision
from torch import Tensor
from torch.nn import functional as F

from lit_cnn import models
from lit_cnn.models import ARCHITECTURES
from scripts.verification.cells import Cell, of_tensors
from scripts.verification.sizes import on_meta

WITH_HEADS = ("googlenet", "inception_v3")
AUX_WEIGHT = 0.3


def compare_state_dicts(name: str) -> Cell:
    """Compares keys and shapes, with the ImageNet stem and a thousand classes."""
    settings = {"init_weights": False} if name in WITH_HEADS else {}
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, **settings)
    ours = on_meta(name, num_classes=1000, stem="imagenet")
    mine, others = ([(key, tuple(v.shape)) for key, v in net.state_dict().items()] for net in (ours, theirs))
    for one, other in zip_longest(mine, others, fillvalue="nothing"):
        if one != other:
            return Cell(one, other)
    return Cell(len(mine), len(others), shows_figure=False)


def compare_runs(name: str) -> dict[str, Cell]:
    """Builds both with the same seed, and compares a training batch and the evaluation after it, bit by bit."""
    height = ARCHITECTURES[name].stems["imagenet"]
    if name == "inception_v3":
        height = 299  # torchvision's auxiliary head takes no smaller maps in training
    settings = {"init_weights": True} if name in WITH_HEADS else {}
    torch.manual_seed(3)
    ours = models.create(name, stem="imagenet")
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name, num_classes=10, **settings)
    images, labels = torch.randn(2, 3, height, height + 8), torch.tensor([4, 9])
    forwards: Any = (ours.forward_with_aux if name in WITH_HEADS else ours, theirs)
    losses = []
    for forward in forwards:
        torch.manual_seed(4)  # the same dropout
        losses.append(_loss(forward(images), labels))
        losses[-1].backward()
    gradients = [torch.cat([_gradient(p) for p in net.parameters()]) for net in (ours, theirs)]
    found = {"loss": of_tensors(losses[0], losses[1]), "gradients": of_tensors(gradients[0], gradients[1])}
    with torch.no_grad():  # the running statistics have moved too
        return {"logits": of_tensors(ours.eval()(images), theirs.eval()(images))} | found


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad.flatten()


def _loss(outputs: Any, labels: Tensor) -> Tensor:
    if isinstance(outputs, Tensor):
        return F.cross_entropy(outputs, labels)
    logits, *aux = outputs
    heads = aux[0] if aux and isinstance(aux[0], list) else aux  # ours; torchvision's
    return F.cross_entropy(logits, labels) + AUX_WEIGHT * sum(F.cross_entropy(head, labels) for head in heads)
