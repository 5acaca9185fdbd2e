"""The Trainer's verbs (fit, validate, test, predict): from arguments to a run's folder."""

from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_cnn.callbacks import averaging, lookahead  # noqa: F401  (known by short names)
from lit_cnn.callbacks.checkpointing import arrange_checkpoints, refuse_one_name
from lit_cnn.callbacks.disk import DiskCheck
from lit_cnn.callbacks.final_test import FinalTestCheck, refuse_missing_test
from lit_cnn.callbacks.given import companions, refuse_doubles
from lit_cnn.callbacks.predictions import PredictionWriter
from lit_cnn.callbacks.results import Results
from lit_cnn.callbacks.selection import TestEachEpoch
from lit_cnn.callbacks.stop_on_signal import StopOnSignal
from lit_cnn.callbacks.tensorboard.board import EpochAxis
from lit_cnn.callbacks.trackers import Trackers
from lit_cnn.checks import slow
from lit_cnn.checks.without_effect import without_effect
from lit_cnn.cli import resume, tuning
from lit_cnn.cli.allowed_imports import allow_imports
from lit_cnn.cli.arguments import complete, settle_name
from lit_cnn.cli.command_line import Setting, name_by_config
from lit_cnn.cli.known_settings import PARTS
from lit_cnn.cli.library_errors import as_ours, fault_in_run, raised_in
from lit_cnn.cli.messages import explain
from lit_cnn.cli.misfits import refuse_misfit
from lit_cnn.cli.parser import ParseError
from lit_cnn.cli.parsing import ParsingCLI
from lit_cnn.cli.quick_check import check
from lit_cnn.cli.warning_filters import quiet
from lit_cnn.data import datasets  # noqa: F401
from lit_cnn.errors import ConfigError, LitCNNError, is_out_of_memory, too_little_memory
from lit_cnn.inference import load as checkpoints
from lit_cnn.runs.checkpoint_io import SafeCheckpointIO
from lit_cnn.runs.folder import alone, claim_folder, give_back, restore, snapshot
from lit_cnn.runs.settings import hyperparameters
from lit_cnn.training import architectures, hardware, monitors, param_groups  # noqa: F401  (known by short names)


class LitCLI(ParsingCLI):
    """Parses and builds by LightningCLI, and runs one verb in a run's folder, with a test at the end of `fit`."""

    _claimed: Path | None = None
    _resumed: Path | None = None  # folder of the resumed run
    _resumed_from = ""
    _untouched: dict[Path, bytes | None]  # files of that folder before the resume
    _first_step = _epochs_before = 0

    def before_instantiate_classes(self) -> None:
        """Sets the run's name and the checkpoint before anything is built."""
        config = self.config
        complete(config)
        if not isinstance(config.trainer.callbacks, list | None):  # Lightning accepts a single callback too
            config.trainer.callbacks = [config.trainer.callbacks]
        settle_name(config, name_by_config(self._configs, self.given))
        if config.resume:
            self._resumed = Path(config.resume)
            resume.refuse_finished(self._resumed, config)
            config.name = self._resumed.parent.name
            newest, broken = resume.newest_checkpoint(self._resumed)
            for sentence in broken:
                _say(f"skipped: {sentence}")
            config.ckpt_path = self._resumed_from = str(newest)
        if config.ckpt_path:
            # A training resumes from its last checkpoint; everything else uses the best.
            first = checkpoints.LAST if self.verb == "fit" else checkpoints.BEST
            config.ckpt_path = str(checkpoints.find(config.ckpt_path, first))
        if self.verb == "fit":
            monitors.settle(config, self.given)
        elif self.verb == "validate" and config.data.init_args.val_size == 0:
            raise ConfigError("data.val_size is 0, so there are no validation images.")
        refuse_one_name(config.checkpoint)

    def instantiate_classes(self) -> None:
        """Builds data, model and trainer; errors of their classes become ConfigErrors."""
        config = self.config
        self.busy = hardware.leave_busy_cores() if config.threads is None else ""
        try:
            if self.verb == "fit" and config.tune_speed and not config.trainer.fast_dev_run:
                tuning.tune(self.parser, config, self.given, self._resumed)
                if config.threads is not None:  # measured
                    self.busy = ""
            hardware.set_matmul_precision(config.matmul_precision)
            hardware.set_threads(config.threads)
            super().instantiate_classes()
        except Exception as error:
            if is_out_of_memory(error):
                raise too_little_memory(error, "this network", "a smaller network") from error
            expected = isinstance(error, (ValueError, MisconfigurationException, ModuleNotFoundError))
            if not expected and (isinstance(error, OSError) or raised_in(error).startswith("lit_cnn.")):
                raise
            raise as_ours(error, self.given) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the Trainer with the run's folder, loggers and callbacks."""
        config = self.config
        self.model.fast_loop = config.fast_loop
        refuse_misfit(self.model, self.datamodule)
        if config.ckpt_path:
            checkpoint = checkpoints.read(config.ckpt_path)
            if self.verb == "fit":
                resume.go_on_with_settings(config, checkpoint)
            checkpoints.check_fits(config.ckpt_path, checkpoint, self.model)
            checkpoints.take_over_preprocessing(config.ckpt_path, checkpoint, self.datamodule, config.allow_changes)
            self._first_step, self._epochs_before = checkpoint["global_step"], resume.epochs_of(checkpoint)
        if self.verb == "predict":  # one table, in the order of the images
            kwargs |= alone()
        if config.trainer.fast_dev_run:
            return self.trainer_in(self.root, **kwargs, logger=config.trainer.logger is not False)
        if self._resumed:
            folder = self._resumed
            self._untouched = snapshot(folder)
            config.resume = config.ckpt_path = None  # so that config.yaml repeats the run from the start
        else:
            folder = self._claimed = claim_folder(self.root, "version" if self.verb == "fit" else self.verb)
        kwargs["default_root_dir"] = folder
        before = (self._first_step, self._epochs_before) if self._resumed else None
        kwargs["logger"] = resume.loggers(folder, before, config.tensorboard_axis, config.trainer.logger is not False)
        try:
            return self.trainer_in(folder, **kwargs)
        except Exception:
            self._give_folder_back()
            raise

    def trainer_in(self, folder: Path, **kwargs: Any) -> Trainer:
        """Builds the Trainer of a run in this folder, with its callbacks; nothing is written yet."""
        config = self.config
        layout = config.channels_last
        self.model.channels_last = self.model.channels_last if layout is None else layout
        self.results = Results(folder, hyperparameters(config), config.seed_everything, config.test_after_fit)
        arguments = {**self.config_init.trainer, **kwargs}
        plugins = arguments["plugins"] or []
        arguments["plugins"] = plugins = list(plugins) if isinstance(plugins, (list, tuple)) else [plugins]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(SafeCheckpointIO())
        callbacks: list[Callback] = [self.config_init[part] for part in PARTS]
        callbacks += [self.results, DiskCheck(), StopOnSignal(folder / "checkpoints" / checkpoints.LAST)]
        callbacks += [resume.RunSettings(config), EpochAxis(), *self.final_test]
        callbacks += companions(arguments, self.model)
        callbacks += [TestEachEpoch()] if self.verb == "fit" and config.test_each_epoch else []
        arrange_checkpoints(callbacks, arguments, config.checkpoint_every)
        callbacks += [PredictionWriter(folder)] if self.verb == "predict" else []
        refuse_doubles(arguments, callbacks)
        given = self.config_init.trainer.logger
        makers = [one for one in (given if isinstance(given, list | tuple) else [given]) if isinstance(one, partial)]
        settings = {**self.results.settings, "seed": config.seed_everything}
        self.trackers = Trackers(makers, folder, self.root.parent, settings, not config.allow_changes)
        arguments["callbacks"] = [self.trackers, *(arguments["callbacks"] or []), *callbacks]
        if not config.trainer.fast_dev_run:
            save = SaveConfigCallback(self.parser, self.config, overwrite=self._resumed is not None)
            arguments["callbacks"].append(save)
        trainer = Trainer(**arguments)
        config.threads = hardware.set_threads(config.threads, hardware.processes_of(trainer.strategy))
        return trainer

    @property
    def root(self) -> Path:
        """The folder of all runs of this name."""
        return Path(self.config.trainer.default_root_dir or "logs") / self.config.name

    @property
    def final_test(self) -> list[Callback]:
        """Returns the check of the test images before a training with a final test; refuses data without them."""
        if self.verb != "fit" or not (self.config.test_after_fit or self.config.test_each_epoch):
            return []
        refuse_missing_test(self.datamodule)
        return [FinalTestCheck()]

    @property
    def warnings(self) -> list[str]:
        """Sentences about settings that are slow on this machine or have no effect."""
        threads = self.config.threads
        slowly = slow.warnings_of(self.busy, self.trainer, self.model.net, self.datamodule, threads)
        return slowly + without_effect(self.config, self.model, self.datamodule)

    def run(self) -> None:
        """Runs the verb; errors of Lightning before the first step become ConfigErrors."""
        try:
            self.before()
            arguments = {name: self.config_init[name] for name in self._of_verb}
            getattr(self.trainer, self.verb)(self.model, datamodule=self.datamodule, **arguments)
            self.after()
            self.trackers.finish(failed=False)
        except BaseException as end:
            self.trackers.finish(failed=True)
            early = self.trainer.global_step == self._first_step
            fault = fault_in_run(end, self.given, early)
            if isinstance(fault, (LitCNNError, SystemExit, KeyboardInterrupt, ModuleNotFoundError)):
                self._clear_up(fault)
            if fault is end:
                raise
            raise fault from end

    def before(self) -> None:
        """Prints which training begins."""
        if self.verb == "fit":
            parameters = sum(p.numel() for p in self.model.parameters())
            where = f"{self.datamodule.dataset_name}, run {self.results.folder}{self.model.start}"
            _say(f"{self.model.title} ({parameters:,} parameters) on {where}{param_groups.text(self.model)}")
        for sentence in self.warnings:
            _say(sentence)
        if self._resumed:
            _say(f"resumes from {self._resumed_from}, step {self._first_step}")

    def after(self) -> None:
        """Prints the summary, after a training the best checkpoint's test."""
        if self.verb == "predict":
            _say(f"predictions  {self.results.folder / PredictionWriter.FILE}")
            return
        if self.verb == "fit":
            if self.config.trainer.fast_dev_run:
                _say("fast_dev_run: one batch of each part works. Nothing was saved.")
                return
            if self.trainer.global_step == self._first_step and not self._resumed:  # else only the test is missing
                cause = "`limit_train_batches`, `max_epochs` or `max_steps` leaves no batch"
                raise ConfigError(f"No step was taken beyond step {self._first_step}: {cause}.")
            if self.config.test_after_fit:
                kept = getattr(self.trainer.checkpoint_callback, "best_model_path", None) or None
                self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=kept, verbose=False)
        _say(self.results.summary())
        if self.verb == "fit":
            board = self.config.trainer.logger is not False
            own = f"tensorboard --logdir {self.root.parent}" if board else self.results.folder / "metrics.csv"
            for place in (own, *self.trackers.where()):
                _say(f"see    {place}")

    def _clear_up(self, end: BaseException) -> None:
        """After an error: gives back a folder with nothing to keep, else says how to resume."""
        stopped = self.verb == "fit" and not isinstance(end, (LitCNNError, ModuleNotFoundError))
        folder, step = self.results.folder, self.trainer.global_step
        if step in (0, self._first_step):
            self.trackers.discard()
            self._give_folder_back()
            if stopped:
                _say("stopped before the first step: nothing was saved")
        elif stopped and (folder / "checkpoints" / checkpoints.LAST).is_file():
            _say(f"stopped after step {step}; to resume:")
            in_test = self.trainer.state.fn != "fit"  # interrupted in the test after the training
            _say(f"python -m lit_cnn {f'test {folder}' if in_test else f'fit --resume {folder}'}")

    @rank_zero_only
    def _give_folder_back(self) -> None:
        """Restores a run's folder after a verb that took no step; removes a new one."""
        if self._claimed is not None:
            give_back(self._claimed)
        elif self._resumed is not None:
            restore(self._resumed, self._untouched)


@rank_zero_only
def _say(text: str) -> None:
    print(text, flush=True)


def run_verb(argv: list[str], kind: type[LitCLI] = LitCLI) -> Any:
    """Checks the arguments of one of the Trainer's verbs, runs it with this class, and returns the class's instance."""
    return run_checked(*check(argv), kind)


def run_checked(argv: list[str], given: list[Setting], kind: type[LitCLI] = LitCLI) -> Any:
    """Runs a verb with arguments and settings that `quick_check.check` has returned."""
    allow_imports()
    quiet()
    hardware.keep_memory()
    hardware.forget_nvml()
    try:
        cli = kind(argv, given)
        cli.run()
        return cli
    except ParseError as error:
        raise ConfigError(explain(str(error), given)) from error
    except (MisconfigurationException, ModuleNotFoundError) as error:
        raise as_ours(error, given) from error
