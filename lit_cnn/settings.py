"""The settings of a run as flat tables: those that are worth a column, and those that decide its steps."""

from typing import Any

from lit_cnn.known_settings import LINKED

# Settings that change no figure, and would be in the way in a table of runs.
WITHOUT_EFFECT = ("data_dir", "eval_batch_size")

# Settings of the Trainer that are part of what a step computes. Those that say how long, where and how watched a
# training is may change on the way.
MATHEMATICS = (
    *("precision", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "overfit_batches"),
    *("limit_train_batches", "sync_batchnorm"),
)
LENGTH = ("max_epochs", "max_steps")  # part of it where a schedule goes by them
ELSEWHERE = (
    "data_dir",
    "eval_batch_size",
    "resident",
    "compile",
    "weights",
)  # changes no step, or did its work already


def hyperparameters(config: Any) -> dict[str, Any]:
    """Returns the settings of model and data in a config as columns of TensorBoard's hyperparameters tab."""
    settings: dict[str, Any] = {"epochs": config.trainer.max_epochs, "precision": config.trainer.precision}
    for part in ("model", "data"):
        settings[part] = config[part].class_path.rpartition(".")[2]
        for key, value in config[part].init_args.as_dict().items():
            if key not in (*LINKED, *WITHOUT_EFFECT) and value is not None:
                settings[f"{part}/{key}"] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return settings


def decisive(config: Any) -> dict[str, Any]:
    """Returns the settings of a `fit` that decide which steps it takes, in plain values by their keys."""
    trainer, model, data = (config[part].as_dict() for part in ("trainer", "model", "data"))
    settings = {"seed_everything": config.seed_everything, "model": model["class_path"], "data": data["class_path"]}
    names = MATHEMATICS + (LENGTH if model["init_args"].get("scheduler") else ())
    settings |= {f"trainer.{name}": trainer.get(name) for name in names}
    for part, arguments in (("model", model["init_args"]), ("data", data["init_args"])):
        settings |= {f"{part}.{name}": value for name, value in arguments.items() if name not in ELSEWHERE}
    return {key: _plain(value) for key, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
