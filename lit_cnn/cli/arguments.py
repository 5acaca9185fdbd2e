"""Arguments of the Trainer's verbs in addition to model, data and trainer."""

from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

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
        name: Name of the run's folder, by default that of the first config.
        test_after_fit: End `fit` by testing the best checkpoint once.
        test_each_epoch: Also test after each epoch, so that `report` shows the bias of selecting on the test set.
        resume: Resume the newest run of this name, or the run in a folder, from its newest checkpoint.
        allow_changes: Resume from a checkpoint although it was trained with other settings.
        checkpoint_every: Also write last.ckpt within epochs: every so many steps, such as 500, or minutes, such as
            10min.
        tune_speed: Before `fit` begins, time a few steps with each setting that may make them faster on this machine
            (threads, precision, channels_last, compile, and on GPUs more), and take the fastest. What is typed as a
            flag stays.
        threads: CPU threads of each process; by default as torch chooses, and fewer where other programs use cores. The
            last digits of results depend on it, so config.yaml keeps the number.
        channels_last: Give the network images in channels_last memory, the fastest for convolutions; by default only
            networks of lit_cnn, since `view` fails on it.
        matmul_precision: Precision of float32 products on GPUs: high and medium use TF32 and bfloat16, which is
            faster and less exact.
        tensorboard_axis: TensorBoard's x-axis for metrics logged once an epoch: the optimizer's steps, or epochs
            from 1 on.
        fast_loop: Skip Lightning's hooks on steps where none is used; the results are the same.
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


def settle_name(config: Any, by_config: str | None) -> None:
    """Sets the run's name, by default as its config says, else by its network; one that is no folder is refused."""
    if config.name is None:
        net = config.model.init_args.get("net")
        config.name = by_config or getattr(net, "name", config.model.class_path.rpartition(".")[2])
    if not is_name(config.name):
        shown = f"name: {printable(config.name)[:80]!r} is no name of a folder on every system."
        raise ConfigError(f"{shown} Use letters and digits.")


def try_whole_numbers_first(parser: Any) -> None:
    """Puts int before float in types that take both, so that `limit_val_batches 1` is one batch, not all of them.

    `typing` caches `Optional[Union[int, float]]` for the process, in the order of the first library that uses it.
    """
    for action in parser._actions:
        kinds = get_args(kind := getattr(action, "_typehint", None))
        if get_origin(kind) in (Union, UnionType) and int in kinds and float in kinds:
            action._typehint = Union[(int, *(other for other in kinds if other is not int))]
