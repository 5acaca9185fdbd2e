"""Arguments of the Trainer's verbs in addition to model, data and trainer."""

from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse.typing import PositiveInt
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_cnn.callbacks.checkpointing import Minutes
from lit_cnn.callbacks.tensorboard.evaluation import Evaluation
from lit_cnn.callbacks.tensorboard.features import Features
from lit_cnn.callbacks.tensorboard.graph import Graph
from lit_cnn.callbacks.tensorboard.health import Health
from lit_cnn.callbacks.tensorboard.pictures import Pictures
from lit_cnn.inference import load as checkpoints
from lit_cnn.runs.settings import LINKED
from lit_cnn.training import hardware, monitors

# Sections with the arguments of one class.
PARTS = {
    "checkpoint": ModelCheckpoint,
    "pictures": Pictures,
    "evaluation": Evaluation,
    "features": Features,
    "health": Health,
    "graph": Graph,
}


def add_arguments(parser: Any) -> None:
    """Adds the arguments, their defaults, and the links from the data to the model."""
    for name in LINKED:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")
    name = "Name of the run's folder, by default that of the first config."
    parser.add_argument("--name", type=str | None, default=None, help=name)
    test = "End `fit` by testing the best checkpoint once."
    parser.add_argument("--test_after_fit", type=bool, default=True, help=test)
    each = (
        "Test after each epoch too, so that `report` shows what the best epoch by the test images would have claimed."
    )
    parser.add_argument("--test_each_epoch", type=bool, default=False, help=each)
    go_on = "Go on with the newest run of this name, or with the run of a folder, from its newest checkpoint."
    parser.add_argument("--resume", type=str | None, default=None, help=go_on)
    changes = "Go on from a checkpoint although it was trained with other settings."
    parser.add_argument("--allow_changes", type=bool, default=False, help=changes)
    every = "Write last.ckpt within epochs too: after so many steps, such as 500, or minutes, such as 10min."
    parser.add_argument("--checkpoint_every", type=PositiveInt | Minutes | None, default=None, help=every)
    precisions = "Precision of float32 products on GPUs: high and medium use TF32 and bfloat16, faster, less exact."
    parser.add_argument("--matmul_precision", type=hardware.Matmul, default="highest", help=precisions)
    axis = "TensorBoard's x-axis for all that comes once an epoch: the optimizer's steps, or epochs from 1 on."
    parser.add_argument("--tensorboard_axis", type=Literal["step", "epoch"], default="step", help=axis)
    fast = "Take steps that nobody watches without Lightning's calls around each: same results, in less time."
    parser.add_argument("--fast_loop", type=bool, default=True, help=fast)
    for section, cls in PARTS.items():
        parser.add_lightning_class_args(cls, section)
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


def try_whole_numbers_first(parser: Any) -> None:
    """Puts int before float in types that take both, so that `limit_val_batches 1` is one batch, not all of them.

    The source has this order, but `typing` caches `Optional[Union[int, float]]` for the whole process, in the order of
    the first library that uses it.
    """
    for action in parser._actions:
        kinds = get_args(kind := getattr(action, "_typehint", None))
        if get_origin(kind) in (Union, UnionType) and int in kinds and float in kinds:
            action._typehint = Union[(int, *(other for other in kinds if other is not int))]
