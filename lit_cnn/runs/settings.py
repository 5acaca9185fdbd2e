"""Settings of a run as flat tables: the decisive settings, which determine its result, and the hyperparameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from lit_cnn.runs.class_paths import at_home, with_defaults

# Arguments of the model that are set by the data.
LINKED = ("num_classes", "in_channels", "image_size")

# Parts of a config that decide a run's result, in addition to `model` and `data`.
DECISIVE = ("seed_everything", "threads", "channels_last", "test_after_fit", "matmul_precision", "trainer")
DECISIVE_OF_CHECKPOINT = ("monitor", "mode", "every_n_epochs", "every_n_train_steps")  # these select the tested epoch

# Arguments that do not change the result.
WITHOUT_EFFECT = {
    "model": (),
    "data": ("data_dir", "eval_batch_size", "resident"),
    "trainer": ("default_root_dir", "enable_progress_bar", "enable_model_summary", "logger"),
}
OWN_FILES = "ImageFolderDataModule"  # its images depend on the folder

# Settings of the Trainer that change what a step computes. The others, on length, device and logging, may change when a
# run is resumed.
STEPS = (
    *("precision", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "overfit_batches"),
    *("limit_train_batches", "sync_batchnorm"),
)
LENGTH = ("max_epochs", "max_steps")  # these count if there is a learning-rate schedule
CHANGED_ON_RESUME = ("data.data_dir", "model.compile", "model.weights")  # moved files; weights are loaded once


def hyperparameters(config: Any) -> dict[str, Any]:
    """Returns the settings of model and data for TensorBoard's hyperparameters tab."""
    settings: dict[str, Any] = {"epochs": config.trainer.max_epochs, "precision": config.trainer.precision}
    for part in ("model", "data"):
        settings[part] = config[part].class_path.rpartition(".")[2]
        for key, value in config[part].init_args.as_dict().items():
            if key not in (*LINKED, "data_dir", "eval_batch_size") and value is not None:
                settings[f"{part}/{key}"] = value if isinstance(value, (bool, int, float, str)) else _in_short(value)
    return settings


def _in_short(value: Any) -> str:
    """Returns a list or an object of a config as short text, such as RandomCrop(padding=2), RandomFlip(p=0.5)."""
    if isinstance(value, Mapping) and "class_path" in value:
        arguments = (value.get("init_args") or {}).items()
        name = str(value["class_path"]).rpartition(".")[2]
        return f"{name}({', '.join(f'{key}={_in_short(argument)}' for key, argument in arguments)})"
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_short, value)) if any(isinstance(one, Mapping) for one in value) else str(value)
    return str(value)


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a `fit`'s config.yaml that decide its result, as plain values by dotted keys.

    Two runs with the same decisive settings have the same result. `ablate` reuses such a run, and `report` groups runs
    by them, but not by the number of threads, which changes only the last digits.
    """
    settings: dict[str, Any] = {}
    for part in DECISIVE:
        _add(settings, part, config.get(part), WITHOUT_EFFECT.get(part, ()))
    for part in ("model", "data"):
        given = config.get(part) or {}
        settings[part] = given.get("class_path")
        own_files = str(settings[part]).endswith(OWN_FILES)
        without = [name for name in WITHOUT_EFFECT[part] if not (own_files and name == "data_dir")]
        _add(settings, part, given.get("init_args") or {}, without)
    checkpoint = config.get("checkpoint") or {}
    _add(settings, "checkpoint", {name: checkpoint.get(name) for name in DECISIVE_OF_CHECKPOINT}, ())
    return with_defaults(at_home({key: _plain(value) for key, value in settings.items()}))


def decisive_of_steps(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the decisive settings that may not change when a run is resumed."""
    settings = decisive(config)
    trainer = [f"trainer.{name}" for name in (*STEPS, *(LENGTH if settings.get("model.scheduler") else ()))]
    return {
        key: value
        for key, value in settings.items()
        if key in ("seed_everything", "threads", "model", "data", *trainer)
        or (key.startswith(("model.", "data.")) and key not in CHANGED_ON_RESUME)
    }


def _add(settings: dict[str, Any], part: str, values: Any, without: Sequence[str]) -> None:
    if isinstance(values, Mapping):
        settings |= {f"{part}.{name}": value for name, value in values.items() if name not in without}
    else:
        settings[part] = values


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
