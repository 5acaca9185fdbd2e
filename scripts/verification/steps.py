"""Takes a training step: checks gradients, mixed precision, saving and loading."""

import tempfile
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from torch import nn

import lit_cnn
from lit_cnn.cli.known_settings import family_of
from lit_cnn.models import ARCHITECTURES
from lit_cnn.training.classifier import LitClassifier

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224)]


def settings_for(name: str, shape: tuple[int, int, int]) -> dict[str, Any] | None:
    """Returns the network's settings for images of this shape; None where it takes none of them."""
    entry = ARCHITECTURES[name]
    if shape[1] == 224:
        return {"stem": "imagenet"} if "imagenet" in entry.stems else None
    return {} if shape[1] >= entry.smallest else None


def lit_module(name: str, shape: tuple[int, int, int], **settings: Any) -> LitClassifier:
    """Returns a network in its Lit class."""
    found = family_of(name)
    assert found is not None, name
    family, named = found
    lit_class = getattr(lit_cnn, family)
    return lit_class(in_channels=shape[0], image_size=list(shape[1:]), optimizer="SGD", lr=1e-3, **named, **settings)


def has_idle_bias(net: nn.Module, key: str) -> bool:
    """Tells whether this is the bias of a convolution whose mean batch norm takes away again."""
    following = {key: module for (key, _), (_, module) in pairwise(net.named_modules())}
    return key.endswith(".bias") and isinstance(following.get(key.removesuffix(".bias")), nn.BatchNorm2d)


def step(name: str, shape: tuple[int, int, int], **settings: Any) -> list[str]:
    """Takes one step in float32 and one in bf16-mixed, and reads the result back; returns what was wrong."""
    torch.manual_seed(0)
    batch_size = 4 if shape[1] < 64 else 2
    data = lit_cnn.SyntheticDataModule(
        train_images=batch_size, test_images=1, image_size=shape[1], in_channels=shape[0], val_size=0,
        batch_size=batch_size,
    )  # fmt: skip
    module = lit_module(name, shape, **settings)
    reached: set[str] = set()

    def note(key: str) -> Any:
        return lambda p: reached.add(key) if p.grad.any() else None

    trained = {key: p for key, p in module.net.named_parameters() if p.requires_grad}
    handles = [p.register_post_accumulate_grad_hook(note(key)) for key, p in trained.items()]
    trainer = _fit(module, data, "32-true")
    for handle in handles:
        handle.remove()
    wrong = [] if trainer.global_step == 1 else [f"{trainer.global_step} steps"]
    wrong += [f"no gradient for {key}" for key in trained if key not in reached and not has_idle_bias(module.net, key)]
    wrong += _round_trip(module, trainer, torch.randn(1, *shape))
    trainer = _fit(module, data, "bf16-mixed")
    if not trainer.callback_metrics["train/loss"].isfinite():
        wrong.append("loss in bf16-mixed not finite")
    return wrong + [f"{key} not finite in bf16-mixed" for key, p in module.named_parameters() if not p.isfinite().all()]


def _fit(module: LitClassifier, data: Any, precision: Any) -> L.Trainer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = L.Trainer(
            max_epochs=1, accelerator="cpu", precision=precision, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
        )  # fmt: skip
        trainer.fit(module, datamodule=data)
    return trainer


def _round_trip(module: LitClassifier, trainer: L.Trainer, images: torch.Tensor) -> list[str]:
    """Writes checkpoint and state dict, builds the network from either, and compares weights and logits."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        trainer.save_checkpoint(Path(folder) / "step.ckpt")
        loaded = lit_cnn.load(Path(folder) / "step.ckpt")
        torch.save(module.state_dict(), Path(folder) / "state.pth")
        again = type(module)(**module.hparams)
        again.load_state_dict(torch.load(Path(folder) / "state.pth", weights_only=True))
        expected, wrong = module.eval()(images), []
        for what, other in {"checkpoint": loaded, "state dict": again.eval()}.items():
            theirs = other.state_dict()
            if [k for k, v in module.state_dict().items() if not torch.equal(v, theirs[k])]:
                wrong.append(f"{what} comes back with other weights")
            if not torch.equal(other(images), expected):
                wrong.append(f"{what} comes back with other logits")
    module.train()
    return wrong
