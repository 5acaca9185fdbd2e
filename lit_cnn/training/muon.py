"""Muon: steps of orthogonal matrices for the filters of convolutions, and SGD with momentum for everything else."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a quintic, steep at 0, that brings singular values near 1
EPS = 1e-7


class Muon(Optimizer):
    """Muon for the filters of convolutions, SGD with momentum for the other parameters, as one optimizer.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. The filters of a layer are one matrix `[filters,
    weights of each]`. Its gradient, after momentum, is replaced by the nearest orthogonal matrix, approximately, so
    that a step moves all directions equally far. On 2-D parameters its steps are those of torch.optim.Muon.

    Args:
        params: Parameters, or groups of them. A group that has both kinds is split in two.
        lr: Learning rate.
        momentum: Momentum.
        nesterov: Nesterov momentum.
        weight_decay: Weight decay: of filters decoupled (times lr), of the others added to the gradient, as in SGD.
        ns_steps: Newton-Schulz iterations: more come closer to an orthogonal matrix.
        normalise: Before each step scale the filters of a layer, so that they have norm 1 on average.
        matrices: Use the weights of linear layers as matrices too.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        ns_steps: int = 5,
        normalise: bool = False,
        matrices: bool = False,
    ):
        numbers = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "ns_steps": ns_steps}
        for name, value in numbers.items():
            if not value >= (least := int(name == "ns_steps")):
                raise ValueError(f"{name} has to be at least {least}, but got {value}")
        if not momentum < 1:
            raise ValueError(f"momentum has to be below 1, but got {momentum}")
        super().__init__(params, numbers | {"nesterov": nesterov, "normalise": normalise, "matrices": matrices})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters, or two if it has both kinds."""
        given = param_group["params"]
        given = [given] if isinstance(given, Tensor) else list(given)
        least = 2 if param_group.get("matrices", self.defaults["matrices"]) else 3
        for orthogonal in (True, False):
            if part := [p for p in given if (p.dim() >= least) == orthogonal]:
                super().add_param_group(param_group | {"params": part, "orthogonal": orthogonal})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes a step; returns the closure's result."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                (self._orthogonal_step if group["orthogonal"] else self._sgd_step)(parameters, group)
        return loss

    def _sgd_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients: Any = [p.grad for p in parameters]
        if group["weight_decay"]:
            gradients = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
        torch._foreach_add_(parameters, self._with_momentum(parameters, gradients, group), alpha=-group["lr"])

    def _orthogonal_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        lr = group["lr"]
        if group["normalise"]:
            norms = torch._foreach_norm(parameters)
            scales = [len(p) ** 0.5 / norm for p, norm in zip(parameters, norms, strict=True)]
            torch._foreach_mul_(parameters, scales)
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
        moved = self._with_momentum(parameters, [p.grad for p in parameters], group)
        for parameter, gradient in zip(parameters, moved, strict=True):
            matrix = gradient.flatten(1)
            update = orthogonalised(matrix, group["ns_steps"]).to(parameter.dtype).view(parameter.shape)
            parameter.add_(update, alpha=-lr * max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5)

    def _with_momentum(self, parameters: list[Tensor], gradients: Any, group: dict[str, Any]) -> Any:
        momentum = group["momentum"]
        if not momentum:
            return gradients
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return torch._foreach_add(gradients, buffers, alpha=momentum) if group["nesterov"] else buffers


def orthogonalised(matrix: Tensor, steps: int) -> Tensor:
    """Returns roughly the nearest matrix with singular values of 1, by Newton-Schulz iterations.

    They need only matrix products: in bfloat16 on a GPU, in float32 on a CPU, since many CPUs have no bfloat16. The
    singular values end between 0.7 and 1.2, which is exact enough for training.
    """
    a, b, c = COEFFICIENTS
    on_cpu = torch.promote_types(matrix.dtype, torch.float32)
    x = matrix.to(on_cpu if matrix.device.type == "cpu" else torch.bfloat16)
    x = x / x.norm().clamp(min=EPS)
    upright = x.shape[0] > x.shape[1]
    x = x.T if upright else x  # the smaller product
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if upright else x
