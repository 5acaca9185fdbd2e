"""The Trainer's verbs (fit, validate, test, predict): from arguments to a run's folder."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_cnn.callbacks.checkpointing import arrange_checkpoints
from lit_cnn.callbacks.disk import DiskCheck
from lit_cnn.callbacks.final_test import FinalTestCheck, refuse_missing_test
from lit_cnn.callbacks.given import companions, refuse_doubles
from lit_cnn.callbacks.predictions import PredictionWriter
from lit_cnn.callbacks.results import Results
from lit_cnn.callbacks.selection import TestEachEpoch
from lit_cnn.callbacks.stop_on_signal import StopOnSignal
from lit_cnn.callbacks.tensorboard.epoch_axis import EpochAxis
from lit_cnn.cli import resume
from lit_cnn.cli.allowed_imports import allow_imports
from lit_cnn.cli.arguments import add_arguments
from lit_cnn.cli.command_line import config_paths, given_settings
from lit_cnn.cli.messages import explain
from lit_cnn.cli.misfits import refuse_misfit
from lit_cnn.cli.one_verb import OneVerbCLI
from lit_cnn.cli.parser import ParseError, Parser
from lit_cnn.cli.quick_check import check
from lit_cnn.cli.refusals import raised_in, refusal
from lit_cnn.cli.resume import RunSettings, loggers
from lit_cnn.cli.warning_filters import quiet
from lit_cnn.data import datasets  # noqa: F401
from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import CheckpointError, ConfigError, LitCNNError, printable
from lit_cnn.inference import load as checkpoints
from lit_cnn.runs.checkpoint_io import SafeCheckpointIO
from lit_cnn.runs.folder import alone, claim_folder, give_back, is_name, restore, snapshot
from lit_cnn.runs.settings import decisive_of_steps, hyperparameters
from lit_cnn.training import architectures, hardware, monitors, param_groups  # noqa: F401  (known by short names)
from lit_cnn.training.classifier import LitClassifier


class LitCLI(OneVerbCLI):
    """LightningCLI with links from data to model, a run's folder, and a test at the end of `fit`."""

    _claimed: Path | None = None
    _resumed: Path | None = None  # folder of the resumed run
    _resumed_from = ""
    _untouched: dict[Path, bytes | None]  # its files before the resume
    _first_step = _epochs_before = 0

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Adds the arguments of every verb in addition to model, data and trainer."""
        add_arguments(parser)

    def before_instantiate_classes(self) -> None:
        """Sets the run's name and the checkpoint before anything is built."""
        config = self.config[self.subcommand]
        if not isinstance(config.trainer.callbacks, list | None):  # Lightning accepts a single callback too
            config.trainer.callbacks = [config.trainer.callbacks]
        hardware.set_matmul_precision(config.matmul_precision)
        if config.name is None:
            paths = config_paths(self._argv)
            config.name = paths[0].stem if paths else config.model.class_path.rpartition(".")[2]
        elif not is_name(config.name):
            raise ConfigError(f"name: {printable(config.name)[:80]!r} is no name of a folder. Use letters and digits.")
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
            first = checkpoints.LAST if self.subcommand == "fit" else checkpoints.BEST
            config.ckpt_path = str(checkpoints.find(config.ckpt_path, first))
        elif self.subcommand != "fit":
            raise CheckpointError(
                f"`{self.subcommand}` needs a trained network: --ckpt_path CHECKPOINT, or the folder of a run."
            )
        if self.subcommand == "fit":
            monitors.settle(config, given_settings(self._argv))
        elif self.subcommand == "validate" and config.data.init_args.val_size == 0:
            raise ConfigError("data.val_size is 0, so that there are no images to validate on.")
        best = config.checkpoint
        if best.save_top_k not in (0, 1) and "{" not in (best.filename or ""):
            raise ConfigError(
                f"checkpoint.save_top_k is {best.save_top_k}, but all checkpoints would be called {best.filename!r}.\n"
                "Set --checkpoint.filename to something like 'epoch{epoch:03}' too."
            )

    def instantiate_classes(self) -> None:
        """Builds data, model and trainer; errors of their classes become ConfigErrors."""
        try:
            super().instantiate_classes()
        except (ValueError, MisconfigurationException, ModuleNotFoundError) as error:
            raise refusal(error, given_settings(self._argv)) from error
        except OSError:
            raise
        except Exception as error:
            if raised_in(error).startswith("lit_cnn."):
                raise
            raise refusal(error, given_settings(self._argv)) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the Trainer with the run's folder, loggers and callbacks."""
        config = self.config[self.subcommand]
        self.model.fast_loop = config.fast_loop
        refuse_misfit(self.model, self.datamodule)
        if config.ckpt_path:
            checkpoint = checkpoints.read(config.ckpt_path)
            if self.subcommand == "fit" and not config.allow_changes and RunSettings.KEY in checkpoint:
                now = decisive_of_steps(config.as_dict())
                resume.refuse_changes(config.ckpt_path, checkpoint[RunSettings.KEY], now)
            checkpoints.check_fits(config.ckpt_path, checkpoint, self.model)
            checkpoints.take_over_preprocessing(config.ckpt_path, checkpoint, self.datamodule)
            self._first_step, self._epochs_before = checkpoint["global_step"], resume.epochs_of(checkpoint)
        if self.subcommand == "predict":  # one table, in the order of the images
            kwargs |= alone()
        if config.trainer.fast_dev_run:
            return self.trainer_without_folder(**kwargs)
        if self._resumed:
            folder = self._resumed
            self._untouched = snapshot(folder)
            self.save_config_kwargs["overwrite"] = True
            config.resume = config.ckpt_path = None  # so that config.yaml repeats the run from the start
        else:
            kind = "version" if self.subcommand == "fit" else str(self.subcommand)
            folder = self._claimed = claim_folder(self._root, kind)
        kwargs["default_root_dir"] = folder
        if config.trainer.logger in (None, True):
            before = (self._first_step, self._epochs_before) if self._resumed else None
            kwargs["logger"] = loggers(folder, before, config.tensorboard_axis)
        self.results = Results(folder, hyperparameters(config), config.seed_everything, config.test_after_fit)
        try:
            return super().instantiate_trainer(**kwargs)
        except Exception:
            self._give_folder_back()
            raise

    def trainer_without_folder(self, **kwargs: Any) -> Trainer:
        """Builds the Trainer of a run that writes no files."""
        config = self.config[self.subcommand]
        self.results = Results(self._root, hyperparameters(config), config.seed_everything, config.test_after_fit)
        return super().instantiate_trainer(**kwargs)

    @property
    def _root(self) -> Path:
        config = self.config[self.subcommand]
        return Path(config.trainer.default_root_dir or "logs") / config.name

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        settings = self.config[self.subcommand]
        callbacks += [self.results, DiskCheck(), StopOnSignal(self._folder / "checkpoints" / checkpoints.LAST)]
        callbacks += [RunSettings(decisive_of_steps(settings.as_dict())), EpochAxis()]
        plugins = config["plugins"] or []
        config["plugins"] = plugins = list(plugins) if isinstance(plugins, (list, tuple)) else [plugins]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(SafeCheckpointIO())
        callbacks += [*self.final_test, *companions(config, self.model)]
        if self.subcommand == "fit" and settings.test_each_epoch:
            callbacks.append(TestEachEpoch())
        arrange_checkpoints(callbacks, config, settings.checkpoint_every)
        if self.subcommand == "predict":
            callbacks.append(PredictionWriter(self.results.folder))
        refuse_doubles(config, callbacks)
        return super()._instantiate_trainer(config, callbacks)

    def before_fit(self) -> None:
        """Prints what begins."""
        parameters = sum(p.numel() for p in self.model.parameters())
        network = f"{type(self.model).__name__} ({parameters:,} parameters)"
        _say(f"{network} on {self.datamodule.dataset_name}, run {self._folder}")
        if groups := param_groups.text(self.model):
            _say(groups)
        if self._resumed:
            _say(f"goes on from {self._resumed_from}, step {self._first_step}")

    @property
    def final_test(self) -> list[Callback]:
        """Returns the check of the test images before a training with a final test; refuses data without them."""
        config = self.config[self.subcommand]
        if self.subcommand != "fit" or not (config.test_after_fit or config.test_each_epoch):
            return []
        refuse_missing_test(self.datamodule)
        return [FinalTestCheck()]

    def after_fit(self) -> None:
        """Tests the best checkpoint once, and prints the summary."""
        if self.config.fit.trainer.fast_dev_run:
            _say("fast_dev_run: one batch each went through; nothing was kept.")
            return
        if self.trainer.global_step == self._first_step and not self._resumed:  # else only the test is missing
            raise ConfigError(
                f"No step was taken beyond step {self._first_step}: "
                "`limit_train_batches`, `max_epochs` or `max_steps` leaves no batch."
            )
        if self.config.fit.test_after_fit:
            kept = getattr(self.trainer.checkpoint_callback, "best_model_path", None) or None
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=kept, verbose=False)
        self._sum_up()
        _say(f"see    tensorboard --logdir {self._folder.parent.parent}")

    def after_test(self) -> None:
        """Prints the summary."""
        self._sum_up()

    after_validate = after_test

    def after_predict(self) -> None:
        """Prints where the predictions are."""
        _say(f"predictions  {self._folder / PredictionWriter.FILE}")

    @property
    def _folder(self) -> Path:
        return self.results.folder

    def _sum_up(self) -> None:
        _say(self.results.summary())

    def _parse_ckpt_path(self) -> None:
        """Does nothing: Lightning would silently replace the given settings by the checkpoint's.

        https://github.com/Lightning-AI/pytorch-lightning/issues/21455
        """

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            self._run_or_refuse(subcommand)
        except (LitCNNError, SystemExit, KeyboardInterrupt, ModuleNotFoundError) as end:
            if self.trainer.global_step in (0, self._first_step):  # no step was taken, so nothing to keep
                self._give_folder_back()
                if isinstance(end, (SystemExit, KeyboardInterrupt)) and subcommand == "fit":
                    _say("stopped before a step was taken: nothing of it is kept")
            elif not isinstance(end, LitCNNError):
                self._say_how_to_go_on()
            raise

    def _run_or_refuse(self, subcommand: str) -> None:
        """Runs a verb; errors of Lightning before the first step become ConfigErrors."""
        try:
            super()._run_subcommand(subcommand)
        except (ValueError, TypeError, MisconfigurationException) as error:
            if isinstance(error.__cause__, LitCNNError):  # the parser wraps values that it cannot write to config.yaml
                raise error.__cause__ from error
            begun = self.trainer.global_step != self._first_step
            if begun or not raised_in(error).startswith("lightning."):
                raise
            raise refusal(error, given_settings(self._argv)) from error

    def _say_how_to_go_on(self) -> None:
        verb = "fit" if self.trainer.state.fn == "fit" else "test"  # else interrupted in the test after the training
        if self.subcommand == "fit" and (self._folder / "checkpoints" / checkpoints.LAST).is_file():
            _say(f"stopped after step {self.trainer.global_step}; to go on:")
            way = str(self._folder) if verb == "test" else f"--resume {self._folder}"
            _say(f"python -m lit_cnn {verb} {way}")

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


def run_verb(argv: list[str], cli: type[LitCLI] = LitCLI) -> LitCLI:
    """Runs one of the Trainer's verbs with this class, and returns the class's instance.

    Raises:
        LitCNNError: If the user has to change something first.
    """
    allow_imports()
    argv = check(argv)
    quiet()
    hardware.keep_memory()
    hardware.forget_nvml()
    try:
        return cli(
            LitClassifier,
            ImageDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_class=Parser,
            parser_kwargs={"prog": "python -m lit_cnn"},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=argv,
        )
    except ParseError as error:
        raise ConfigError(explain(str(error), given_settings(argv))) from error
    except (MisconfigurationException, ModuleNotFoundError) as error:
        raise refusal(error, given_settings(argv)) from error
