"""Looks at a run before it is trained: its layers, whether its network can learn, memory and time."""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn
from tqdm import tqdm

from lit_cnn.checks import judgements, text
from lit_cnn.checks.cost import length_of, memory_of
from lit_cnn.checks.judgements import Finding
from lit_cnn.checks.memorise import images_to_learn, loss_of_one_answer, memorise
from lit_cnn.checks.trial import Steps, first_line, take_first_steps
from lit_cnn.cli.trainer import LitCLI, run_verb
from lit_cnn.commands.arguments import Parser
from lit_cnn.errors import ConfigError
from lit_cnn.models.layer_table import layers_of
from lit_cnn.training import param_groups

EPILOG = """It takes the arguments of fit, leaves nothing behind, and prints

  a layer table   output size, parameters, multiply-adds; what one value sees of the image (the receptive field's
                  size in pixels, the distance in pixels between neighbours, the share of the image that it covers)
  findings        of the first training steps, with the run's precision, loss and optimizer: whether the first loss
                  is near that of equal logits, ln(classes) for cross-entropy; whether every trained parameter gets
                  a gradient; whether 16 images can be learned by heart, by the run's optimizer or by Adam
  estimates       memory, and time from timed steps; on one device, and without the test at the end
  a verdict       "sound" and exit code 0, or what is wrong, what to change, and exit code 2

examples:
  python -m lit_cnn check --config quickstart
  python -m lit_cnn check --config configs/resnet18_cifar.yaml --data.data_dir data
  python -m lit_cnn check --model my_package.LitMine --data CIFAR10DataModule

All settings are those of fit: python -m lit_cnn fit --help
"""

# Settings of the Trainer for a check, in place of the config's.
ALONE: dict[str, Any] = {
    **{"devices": 1, "num_nodes": 1, "strategy": "auto", "fast_dev_run": False, "min_epochs": None, "min_steps": None},
    **{"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0},
}


def main(argv: list[str]) -> None:
    """Checks a run, given by arguments of `fit`.

    Raises:
        LitCNNError: If it is not sound, or a setting is wrong.
    """
    Parser("check", __doc__, EPILOG).parse_before_settings(argv)
    with state_kept():
        run_verb(["fit", *argv], CheckCLI)


@contextmanager
def state_kept() -> Iterator[None]:
    """Restores random generators, environment and matmul precision afterwards."""
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    environment = dict(os.environ)
    try:
        with isolate_rng():
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32


class CheckCLI(LitCLI):
    """Begins `fit`, and ends it before its first step."""

    def new_inspection(self) -> "Inspection":
        """Returns the callback that inspects the run."""
        return Inspection()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the Trainer of the run, with one device and nothing that writes files.

        Before that it builds the Trainer of `fit`, to get the same errors.
        """
        self.inspection = self.new_inspection()
        given = self._get(self.config_init, "trainer", default={})
        self.trainer_without_folder(devices=1, num_nodes=1)
        self.compiled, self.model.hparams["compile"] = self.model.hparams["compile"], None
        return Trainer(**{**given, **ALONE, "callbacks": [*self.final_test, self.inspection]})

    def before_fit(self) -> None:
        """Prints the layer table."""
        data = self.datamodule
        print(f"{type(self.model).__name__} on {data.dataset_name}: ", end="")
        print(f"{text.by((data.in_channels, *data.image_size))} pixels, {data.num_classes} classes\n")
        print(layers_text(self.model.net, (data.in_channels, *data.image_size)), flush=True)
        if groups := param_groups.text(self.model):
            print(f"\n{groups}")
        if self.compiled:
            print("\n`compile` is left out, so that times are those without it.")

    def after_fit(self) -> None:
        """Prints the verdict.

        Raises:
            ConfigError: If the run is not sound.
        """
        findings = self.inspection.findings
        if not findings:
            raise ConfigError("No step would be taken: `limit_train_batches`, `max_epochs` or `max_steps` leaves none.")
        wrong = [f for f in findings if not f.sound]
        if wrong:
            more = f" ({len(wrong) - 1} more above)" if wrong[1:] else ""
            raise ConfigError(f"not sound. {wrong[0].subject}: {wrong[0].text}{more}.\n{wrong[0].remedy}")
        print("\nsound: train it with the same arguments, python -m lit_cnn fit ...")


def layers_text(net: nn.Module, shape: tuple[int, int, int]) -> str:
    """Returns the layer table, from a copy of the network on the meta device; or why there is none."""
    try:
        layers = layers_of(copy.deepcopy(net).to("meta"), shape)
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:  # value-dependent code
        return f"no layer table: the network does not run on torch's device meta\n({first_line(error)})"
    return text.layer_table(layers, net, shape[1:])


class Inspection(Callback):
    """Callback that takes trial steps instead of `fit`, prints the findings, and ends it.

    Attributes:
        findings: The findings.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Runs all checks, before the Trainer's loop begins.

        Raises:
            ConfigError: If the network fails on the first batch.
        """
        trainer.should_stop = True
        module: Any = pl_module
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        loader: Any = trainer.train_dataloader
        steps = Steps(trainer, module)
        first = take_first_steps(steps, tqdm(chain(loader, loader), "first steps", leave=False, disable=None))
        print(f"\nfirst batch: {first.images} images on {module.device}, precision {trainer.precision}")
        memory = memory_of(module, steps.optimizer, data, first)
        if broken := judgements.judge_batch(first, data.num_classes):  # training on it is useless
            self._note(broken)
            return
        self._note(judgements.judge_first_loss(first, module.hparams["loss"], data.num_classes))
        self._note(judgements.judge_losses(first))
        trained = [p.requires_grad for p in module.parameters()]
        self._note(judgements.judge_gradients(first.lacking, sum(trained), len(trained) - sum(trained)))
        batch = images_to_learn(data, module.device)
        with tqdm(desc="one batch, by heart", unit=" steps", leave=False, disable=None) as bar:
            attempts = memorise(steps, batch, bar.update)
        self._note(judgements.judge_attempts(attempts, loss_of_one_answer(module.loss, batch[1], data.num_classes)))
        steps.start_afresh()
        print(f"\n{text.memory_table(memory)}\n")
        print(text.time_table(length_of(trainer, module, data, first.seconds)), flush=True)

    def _note(self, finding: Finding) -> None:
        self.findings.append(finding)
        print(text.item("ok" if finding.sound else "FAILED", finding.subject, finding.text), flush=True)
