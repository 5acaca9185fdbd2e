"""Runs that end before the first step of training: `check`, `check --lr_find`, and the timing of `ablate`."""

import copy
import sys
from dataclasses import replace
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LambdaCallback

from lit_cnn import plots
from lit_cnn.checks import judgements, lr_range, text
from lit_cnn.checks.begun_fit import ALONE, state_kept
from lit_cnn.checks.cost import Length, length_of, memory_of
from lit_cnn.checks.overfit import images_to_learn, loss_of_one_answer, overfit
from lit_cnn.checks.trial import Steps, take_first_steps
from lit_cnn.cli.main import start_up
from lit_cnn.cli.misfits import refuse_misfit
from lit_cnn.cli.trainer import LitCLI, run_verb
from lit_cnn.errors import ConfigError
from lit_cnn.models.layer_table import layers_of
from lit_cnn.own_code import said_by
from lit_cnn.runs.folder import claim_folder, give_back
from lit_cnn.training import param_groups

LR_PICTURE = "lr_find.png"


class CheckCLI(LitCLI):
    """Begins `fit`, takes trial steps and prints the findings, and ends it before its first step."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the Trainer of the run, with one device and nothing that writes files.

        Before that it claims a folder and builds the Trainer as `fit` does, to get the same errors.
        """
        self.findings: list[judgements.Finding] = []
        refuse_misfit(self.model, self.datamodule)
        give_back(claim_folder(self.root, "version"))
        self.trainer_in(self.root, devices=1, num_nodes=1)
        self.compiled, self.model.hparams["compile"] = self.model.hparams["compile"], None
        callbacks = [*self.final_test, LambdaCallback(on_train_start=self.inspect)]
        return Trainer(**{**self.config_init.trainer, **ALONE, "callbacks": callbacks})

    def before(self) -> None:
        """Prints the layer table, from a copy of the network on the meta device; or why there is none."""
        shape = (self.datamodule.in_channels, *self.datamodule.image_size)
        title = f"{self.model.title} on {self.datamodule.dataset_name}: {text.by(shape)} pixels"
        print(f"{title}, {self.datamodule.num_classes} classes\n")
        try:
            layers = layers_of(copy.deepcopy(self.model.net).to("meta"), shape)
            print(text.layer_table(layers, self.model.net, shape[1:]))
        except Exception as error:  # value-dependent code
            print(f"no layer table, since the network does not run on torch's meta device\n({said_by(error, 100)})")
        if groups := param_groups.text(self.model):
            print(groups)
        if self.compiled:
            print("\nThe times are without `compile`.")
        for sentence in self.warnings:
            print(sentence)
        sys.stdout.flush()

    def inspect(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Runs all checks, before the Trainer's loop begins."""
        trainer.should_stop = True
        start = start_up()
        module, data = self.model, self.datamodule
        steps = Steps(trainer, module)
        first = take_first_steps(steps)
        print(f"\nfirst batch: {first.images} images on {module.device}, precision {trainer.precision}")
        memory = memory_of(module, steps.optimizer, data, first)
        if broken := judgements.judge_batch(first):  # training on it is useless
            self._note(broken)
            return
        trained = [p.requires_grad for p in module.parameters()]
        self._note(judgements.judge_first_loss(first, module.hparams["loss"], data.num_classes))
        self._note(judgements.judge_losses(first))
        self._note(judgements.judge_gradients(first.lacking, sum(trained), len(trained) - sum(trained)))
        batch = images_to_learn(data, module.device)
        attempts = overfit(steps, batch)
        self._note(judgements.judge_attempts(attempts, loss_of_one_answer(module.loss, batch[1], data.num_classes)))
        steps.start_afresh()
        print(f"\n{text.memory_table(memory)}\n")
        length = replace(length_of(trainer, module, data, first.seconds), start_up=start)
        print(text.time_table(length), flush=True)

    def _note(self, finding: judgements.Finding) -> None:
        self.findings.append(finding)
        print(text.item("FAILED" if finding.remedy else "ok", finding.subject, finding.text), flush=True)

    def after(self) -> None:
        """Prints the verdict."""
        if not self.findings:
            raise ConfigError(
                "There would be no training step. Raise `limit_train_batches`, `max_epochs` or `max_steps`."
            )
        wrong = [finding for finding in self.findings if finding.remedy]
        if wrong:
            more = f" ({len(wrong) - 1} more above)" if wrong[1:] else ""
            raise ConfigError(f"not sound. {wrong[0].subject}: {wrong[0].text}{more}.\n{wrong[0].remedy}")
        print("\nsound: you can train it with the same arguments, python -m lit_cnn fit ...")


class LrFindCLI(CheckCLI):
    """Begins `fit`, raises the learning rate from step to step, and prints and draws the loss."""

    def before(self) -> None:
        """Prints nothing."""

    def inspect(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the steps."""
        trainer.should_stop = True
        self.found = lr_range.take_range_test(Steps(trainer, self.model))

    def after(self) -> None:
        """Prints the curve and the suggestion, if the curve is clear, and writes the picture."""
        found, lr = self.found, self.model.hparams["lr"]
        print(lr_range.text(found, lr))
        marks = {"suggested": found.suggestion, "too high": found.lowest} if found.suggestion else {}
        title = f"{self.model.title} on {self.datamodule.dataset_name}, {self.model.hparams['optimizer']}"
        curve = (found.rates.tolist(), found.losses.tolist(), found.smoothed.tolist())
        plots.lr_range(*curve, marks | {"config": lr}, title).savefig(LR_PICTURE, dpi=110)
        print(f"picture    {LR_PICTURE}; no other file was written", flush=True)
        if found.suggestion is None:
            data = self.datamodule
            raise lr_range.unclear(found, data.batch_size, len(data.arrays("train")))


class TimingCLI(CheckCLI):
    """Begins `fit`, times a few steps and prints nothing; `length` is that of the run."""

    length = Length(0, 0, 0.0)

    def inspect(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Times the steps."""
        trainer.should_stop = True
        start = start_up()
        first = take_first_steps(Steps(trainer, self.model), seconds=0.7, silent=True)
        self.length = replace(length_of(trainer, self.model, self.datamodule, first.seconds), start_up=start)

    def before(self) -> None:
        """Prints nothing."""

    after = before


def timed(argv: list[str]) -> Length:
    """Returns the length of `fit` with these arguments, from a few steps."""
    with state_kept():
        length: Length = run_verb(["fit", *argv], TimingCLI).length
        return length


def check_run(argv: list[str], lr_find: bool = False) -> None:
    """Checks a run, or finds its learning rate, and prints what it finds; the arguments are those of `fit`."""
    with state_kept():
        run_verb(["fit", *argv], LrFindCLI if lr_find else CheckCLI)
