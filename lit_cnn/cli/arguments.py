"""Arguments of the Trainer's verbs in addition to model, data and trainer."""

from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt, register_type

from lit_cnn.callbacks.checkpointing import Minutes
from lit_cnn.cli.known_settings import PARTS
from lit_cnn.errors import ConfigError, printable
from lit_cnn.inference import load as checkpoints
from lit_cnn.models.by_path import Recipe
from lit_cnn.runs.folder import is_name
from lit_cnn.runs.settings import LINKED
from lit_cnn.training import hardware, monitors

register_type(Recipe, dict, Recipe)


def of_the_run(
    name: str | None = None,
    test_after_fit: bool = True,
    test_each_epoch: bool = False,
    resume: str | None = None,
    allow_changes: bool = False,
    checkpoint_every: PositiveInt | Minutes | None = None,
    tune_speed: bool = False,
    threads: int | None = None,
    channels_last: bool | None = None,
    matmul_precision: hardware.Matmul = "highest",
    tensorboard_axis: Literal["step", "epoch"] = "step",
    fast_loop: bool = True,
) -> None:
    """Settings of a run as a whole, as the parser reads them from this signature.

    Args:
        name: Name of the run's folder; by default the name of the first config.
        test_after_fit: Test the best checkpoint once at the end of `fit`.
        test_each_epoch: Also test after each epoch; `report` then shows the bias of selecting on the test set.
        resume: Resume the newest run of this name, or the run in a folder, from its newest checkpoint.
        allow_changes: Resume a run with other settings than before, or test it with images of another size.
        checkpoint_every: Also write last.ckpt within epochs: after a number of steps, such as 500, or minutes, such as
            10min.
        tune_speed: Before `fit`, find the fastest settings on this machine by timing a few steps (threads, precision,
            channels_last, compile, and more on GPUs). Settings given as flags are not changed.
        threads: CPU threads of each process; by default torch's choice, or fewer if other programs use cores. The
            last digits of results depend on it, so config.yaml has the number.
        channels_last: Use channels_last memory for images, which is fastest for convolutions; by default only for
            networks of lit_cnn, since `view` does not work on it.
        matmul_precision: Precision of float32 products on GPUs: high and medium use TF32 and bfloat16, which are
            faster and less exact.
        tensorboard_axis: TensorBoard's x-axis for metrics that are logged once per epoch: optimizer steps, or epochs
            from 1 on.
        fast_loop: Skip Lightning's hooks on steps that do not need them; the results are the same.
    """


def add_arguments(parser: Any) -> None:
    """Adds the arguments, their defaults, and the links from the data to the model."""
    for name in LINKED:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")
    parser.add_function_arguments(of_the_run)
    for section, (module, name) in PARTS.items():
        parser.add_lightning_class_args(getattr(import_module(module), name), section)
    parser.set_defaults(
        {
            "trainer.enable_model_summary": False,  # replaced by one line at the start
            "checkpoint.filename": Path(checkpoints.BEST).stem,
            "checkpoint.monitor": monitors.DEFAULT,
            "checkpoint.mode": monitors.mode_of(monitors.DEFAULT),
            "checkpoint.auto_insert_metric_name": False,
            "checkpoint.enable_version_counter": False,
        }
    )
    try_whole_numbers_first(parser)


def complete(config: Any) -> None:
    """Adds `init_args` to a model or data module whose class has no arguments."""
    for part in (config.model, config.data):
        if "init_args" not in part:
            part.init_args = Namespace()


def settle_name(config: Any, by_config: str | None) -> None:
    """Sets the run's name: by default that of its config or its network; refuses names that no folder can have."""
    if config.name is None:
        net = config.model.init_args.get("net")
        config.name = by_config or getattr(net, "name", config.model.class_path.rpartition(".")[2])
    if not is_name(config.name):
        shown = f"name: {printable(config.name)[:80]!r} is not a valid folder name on every system."
        raise ConfigError(f"{shown} Use letters and digits.")


def try_whole_numbers_first(parser: Any) -> None:
    """Puts int before float in types that take both, so that `limit_val_batches 1` is one batch, not all of them.

    `typing` caches `Optional[Union[int, float]]` for the process, in the order of the first library that uses it.
    """
    for action in parser._actions:
        kinds = get_args(kind := getattr(action, "_typehint", None))
        if get_origin(kind) in (Union, UnionType) and int in kinds and float in kinds:
            action._typehint = Union[(int, *(other for other in kinds if other is not int))]
