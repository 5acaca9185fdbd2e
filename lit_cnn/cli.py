"""The command line: from arguments to a trained, tested network and a run's folder."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_cnn import checkpoints
from lit_cnn.callbacks.pictures import Pictures
from lit_cnn.callbacks.predictions import PredictionWriter
from lit_cnn.callbacks.progress import Progress
from lit_cnn.callbacks.results import Results
from lit_cnn.classifiers import LitClassifier
from lit_cnn.data import modules  # noqa: F401  (makes the data modules known by their short names)
from lit_cnn.data.base import ImageDataModule
from lit_cnn.errors import CheckpointError, ConfigError, DataError, LitCNNError
from lit_cnn.parser import LINKED, Parser, config_paths, explain, find_configs, given_settings, refuse_linked
from lit_cnn.runs import claim_folder
from lit_cnn.transforms import Augmentation

EPILOG = """
A first run, which needs no dataset and no network:  python -m lit_cnn fit --config quickstart
All settings of a verb:                              python -m lit_cnn fit --help
The settings of one model or data module:            python -m lit_cnn fit --model.help LitVGG
"""


class LitCLI(LightningCLI):
    """LightningCLI with links from the data to the model, a run's folder, and a test at the end of `fit`."""

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Adds what every verb takes beside model, data and trainer."""
        for name in LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")
        parser.add_argument("--name", type=str | None, default=None, help="Name of the run's folder, by default that of the first config.")  # noqa: E501
        parser.add_argument("--test_after_fit", type=bool, default=True, help="End `fit` by testing the best checkpoint once.")  # noqa: E501
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": Path(checkpoints.BEST).stem,
                "checkpoint.monitor": "val/acc",
                "checkpoint.mode": "max",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_lightning_class_args(Pictures, "pictures")
        for base in (LitClassifier, ImageDataModule, Augmentation):
            parser.add_instantiator(_construct, base, subclasses=True)

    def before_instantiate_classes(self) -> None:
        """Settles the run's name and the checkpoint before anything is built."""
        config = self.config[self.subcommand]
        if config.name is None:
            paths = config_paths(self._argv)
            config.name = paths[0].stem if paths else config.model.class_path.rpartition(".")[2]
        if config.ckpt_path:
            config.ckpt_path = str(checkpoints.find(config.ckpt_path))
        elif self.subcommand != "fit":
            raise CheckpointError(
                f"`{self.subcommand}` needs a trained network: --ckpt_path CHECKPOINT, or the folder of a run."
            )
        if config.data.init_args.val_size == 0:
            config.checkpoint.monitor = None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the Trainer with the run's folder, loggers and callbacks."""
        config = self.config[self.subcommand]
        if config.ckpt_path:
            checkpoints.check_fits(config.ckpt_path, self.model)
        root = Path(config.trainer.default_root_dir or "logs") / config.name
        settings = self._flat_settings()
        if config.trainer.fast_dev_run:
            self.results = Results(root, settings, config.seed_everything)
            return super().instantiate_trainer(**kwargs)
        folder = claim_folder(root, "version" if self.subcommand == "fit" else self.subcommand)
        kwargs["default_root_dir"] = folder
        if config.trainer.logger in (None, True):
            kwargs["logger"] = [
                TensorBoardLogger(folder, name="", version="", default_hp_metric=False),
                CSVLogger(folder, name="", version=""),
            ]
        self.results = Results(folder, settings, config.seed_everything)
        return super().instantiate_trainer(**kwargs)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        best = next(c for c in callbacks if isinstance(c, ModelCheckpoint))
        callbacks.append(self.results)
        if config["enable_progress_bar"] is not False:
            callbacks.append(Progress())
        if config["enable_checkpointing"] is False:
            callbacks.remove(best)
        elif best.monitor is None:  # nothing to choose the best by: the last is all there is
            best.filename = Path(checkpoints.LAST).stem
        else:
            callbacks.append(ModelCheckpoint(filename=Path(checkpoints.LAST).stem, enable_version_counter=False))
        if self.subcommand == "predict":
            callbacks.append(PredictionWriter(self.results.folder))
        return super()._instantiate_trainer(config, callbacks)

    def _flat_settings(self) -> dict[str, Any]:
        """Returns the settings of model and data as columns of the hyperparameters tab."""
        config = self.config[self.subcommand]
        settings: dict[str, Any] = {"epochs": config.trainer.max_epochs, "precision": config.trainer.precision}
        for part in ("model", "data"):
            settings[part] = config[part].class_path.rpartition(".")[2]
            for key, value in config[part].init_args.as_dict().items():
                if key not in LINKED and value is not None:
                    settings[f"{part}/{key}"] = value if isinstance(value, (bool, int, float, str)) else str(value)
        return settings

    def before_fit(self) -> None:
        """Refuses a run that would end without its test, and says what begins."""
        if self.config.fit.test_after_fit and not self.datamodule.has_test:
            raise DataError(
                f"{self.datamodule.name} has no test images, so that `fit` could not end with a test.\n"
                "Bring them, or set --test_after_fit false."
            )
        parameters = sum(p.numel() for p in self.model.parameters())
        _say(f"{type(self.model).__name__} ({parameters:,} parameters) on {self.datamodule.name}, run {self._folder}")

    def after_fit(self) -> None:
        """Tests the best checkpoint once, and sums up."""
        if self.config.fit.trainer.fast_dev_run:
            _say("fast_dev_run: one batch each went through; nothing was kept.")
            return
        if self.config.fit.test_after_fit:
            kept = getattr(self.trainer.checkpoint_callback, "best_model_path", None) or None
            self.trainer.test(
                self.model, datamodule=self.datamodule, ckpt_path=kept, verbose=False
            )
        self._sum_up()
        _say(f"see    tensorboard --logdir {self._folder.parent.parent}")

    def after_validate(self) -> None:
        """Sums up."""
        self._sum_up()

    def after_test(self) -> None:
        """Sums up."""
        self._sum_up()

    def after_predict(self) -> None:
        """Says where the predictions are."""
        _say(f"predictions  {self._folder / PredictionWriter.FILE}")

    @property
    def _folder(self) -> Path:
        return self.results.folder

    def _sum_up(self) -> None:
        _say(self.results.summary())

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Notes the arguments, since the run is named for its first config."""
        self._argv = args
        self.config = parser.parse_args(args)


def _construct(cls: type, *args: Any, **kwargs: Any) -> Any:
    """Builds an object from the config; what its class refuses is an error of the config."""
    try:
        return cls(*args, **kwargs)
    except ValueError as error:
        raise ConfigError(f"{cls.__name__}: {error}") from error


@rank_zero_only
def _say(text: str) -> None:
    print(text, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        0 done; 2 config; 3 data; 4 checkpoint; 6 disk or permissions; 130 interrupted; 1 a bug of ours.
    """
    argv = sys.argv[1:] if argv is None else argv
    debug = os.environ.get("LIT_CNN_DEBUG") == "1"
    try:
        return _dispatch(argv or ["--help"])
    except LitCNNError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except MisconfigurationException as error:
        if debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return ConfigError.exit_code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except KeyboardInterrupt:
        return 130


def _dispatch(argv: list[str]) -> int:
    argv = find_configs(argv)
    settings = given_settings(argv)
    refuse_linked(settings)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its notes on devices it did not find, and tips
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning 2.6 with torch 2.15
    LitCLI(
        LitClassifier,
        ImageDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        parser_class=Parser,
        parser_kwargs={"prog": "python -m lit_cnn", "description": __import__("lit_cnn").__doc__, "epilog": EPILOG},
        seed_everything_default=0,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        args=argv,
    )
    return 0


def run() -> None:
    """Runs the process's command and exits with its code."""
    sys.exit(main())
