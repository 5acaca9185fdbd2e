"""Loading a checkpoint as a network that classifies images, without a config."""

import inspect
from pathlib import Path
from typing import Any

import torch

from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import CheckpointError, ConfigError
from lit_cnn.runs import checkpoint_io
from lit_cnn.runs.class_paths import ALLOW, find_class, path_of, present
from lit_cnn.runs.folder import SPLIT, find_run
from lit_cnn.runs.weights import read_weights, weights_file
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms import Preprocess
from lit_cnn.transforms.permutation import effective
from lit_cnn.transforms.views import completed

BEST, LAST = "best.ckpt", "last.ckpt"
NO_OTHER = "There is no valid checkpoint in this folder. Use one of another run, or train again."


def find(path: str | Path, first: str = BEST) -> Path:
    """Returns the checkpoint for a path: the file itself, or a run's checkpoint `first`, or else its other one."""
    path = find_run(path)
    second = LAST if first == BEST else BEST
    for file in (path, path / "checkpoints" / first, path / "checkpoints" / second):
        if file.is_file():
            return file
    raise CheckpointError(f"There is no checkpoint in {path}: checkpoints/{first} and {second} are missing.")


def read(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint's content, or raises a CheckpointError if there is none or it is not from lit_cnn."""
    if weights := weights_file(path):
        return read_weights(weights)
    file = find(path)
    try:
        checkpoint = checkpoint_io.load(file)
        if not isinstance(checkpoint, dict) or "class_path" not in checkpoint or "state_dict" not in checkpoint:
            plain = isinstance(checkpoint, dict) and checkpoint and all(map(torch.is_tensor, checkpoint.values()))
            what = "it is a plain state dict" if plain else "it has no class path"
            raise CheckpointError(f"{file} is not a checkpoint of lit_cnn: {what}.")
    except CheckpointError as error:
        newest, _ = checkpoint_io.newest_valid(file.parent, "class_path")
        remedy = f"Use the newest valid checkpoint in this folder: {newest}" if newest else NO_OTHER
        raise CheckpointError(f"{error}\n{remedy}") from error
    return checkpoint | {"class_path": present(str(checkpoint["class_path"]))}


def load(path: str | Path) -> LitClassifier:
    """Loads a trained network in evaluation mode, ready to `predict` and `classify` images.

    Args:
        path: A checkpoint; or the folder of a run, for its best checkpoint; or a file of `export --format safetensors`;
            or the name of weights that come with the package, such as "cnn_mnist".

    Raises:
        CheckpointError: If there is no checkpoint, or it cannot be loaded.
        ConfigError: If there are several runs in that folder.

    Example:
        >>> import tempfile, torch
        >>> import lightning.pytorch as L
        >>> from lit_cnn import LitMLP, SyntheticDataModule
        >>> quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
        >>> trainer = L.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet)
        >>> trainer.fit(LitMLP(), SyntheticDataModule(in_channels=1, image_size=28, train_images=100))
        >>> trainer.save_checkpoint(file := tempfile.mkdtemp() + "/mlp.ckpt")
        >>> load(file).predict(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    checkpoint = read(path)
    if "data" not in checkpoint:
        raise CheckpointError(
            f"{path} was trained on data of another project, so its preprocessing is not known.\n"
            f"Use {checkpoint['class_path']}.load_from_checkpoint instead."
        )
    if checkpoint["class_path"] == path_of(LitClassifier) and "net" not in checkpoint["hyper_parameters"]:
        raise CheckpointError(
            f"{path} contains a network that was given as an object, so it cannot be built from the checkpoint.\n"
            "Use LitClassifier.load_from_checkpoint(path, net=...), or train with net='my_module.MyNet'."
        )
    cls = find_class(checkpoint["class_path"], LitClassifier)
    if cls is None:
        module_name, _, class_name = checkpoint["class_path"].rpartition(".")
        raise CheckpointError(
            f"{path} contains the class {class_name}. Import {module_name} first.\n"
            f"From a shell, if you trust it: {ALLOW}={module_name} python -m lit_cnn ..."
        )
    try:
        module = build(cls, checkpoint["hyper_parameters"])
    except ConfigError as error:  # a network by its path, of a package that is missing or not allowed
        raise CheckpointError(f"{path}: {error}") from error
    check_fits(path, checkpoint, module)
    module.load_state_dict(checkpoint["state_dict"])
    data = checkpoint["data"]
    module.preprocess = Preprocess(**data["preprocess"])
    module.class_names = data["class_names"]
    return module.eval()


def build(cls: Any, settings: dict[str, Any]) -> Any:
    """Builds a module from its hyperparameters, without those that its class passes to its base class."""
    parameters = inspect.signature(cls).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return cls(**{name: value for name, value in settings.items() if takes_all or name in parameters})


def check_fits(path: str | Path, checkpoint: dict[str, Any], module: LitClassifier) -> None:
    """Raises a CheckpointError with the first difference if the content of a checkpoint does not fit a network."""
    theirs, ours = checkpoint["state_dict"], module.state_dict()
    for name in [*ours, *theirs]:
        shapes = [list(state[name].shape) if name in state else "nothing" for state in (theirs, ours)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{path} does not fit the config's {type(module).__name__}: "
                f"{name} is {shapes[0]} in the checkpoint and {shapes[1]} in the network.\n"
                "Use the config.yaml of the checkpoint's run."
            )


def take_over_preprocessing(
    path: str | Path, checkpoint: dict[str, Any], data: ImageDataModule, resize: bool = False
) -> None:
    """Gives the data module the preprocessing of a checkpoint, or raises a CheckpointError if its images are others.

    With `resize`, they may have another size.
    """
    settings = checkpoint.get("data")
    if settings is None:
        return
    preprocess = settings["preprocess"]
    kind = preprocess.get("permute_kind", "pixels"), preprocess.get("permute_block", 1)  # earlier checkpoints lack them
    permutation = effective(preprocess["permute_seed"], *kind)
    for what, theirs, ours in (
        ("other classes", list(settings["class_names"]), list(data.class_names)),
        ("another permutation", _in_words(permutation), _in_words(data.permutation)),
        ("other views", [completed(view) for view in preprocess.get("views", [])], data.view_settings),
    ):
        if theirs != ours:
            raise CheckpointError(
                f"{path} was trained with {what}: {theirs}, but the config has {ours}.\n"
                "Use the config.yaml of the checkpoint's run, or start a new run; --allow_changes does not allow it."
            )
    before, now = list(preprocess["image_size"]), list(data.image_size)
    if before != now and not resize:
        was, is_now = (" x ".join(map(str, size)) for size in (before, now))
        raise CheckpointError(
            f"{path} was trained on images of {was} pixels, but the config has {is_now}.\n"
            "Use the config.yaml of the checkpoint's run, or allow it with --allow_changes true."
        )
    data.preprocess = Preprocess(**{**preprocess, "image_size": now})
    take_over_split(Path(path).absolute().parent.parent, data)


def _in_words(permutation: tuple[int | None, str, int]) -> str:
    seed, kind, block = permutation
    return "none" if seed is None else f"permute_seed {seed}, permute_kind {kind}, permute_block {block}"


def take_over_split(run: Path, data: ImageDataModule) -> None:
    """Gives a data module that draws its parts those of a run, unless it has been given a split already."""
    if (run / SPLIT).is_file() and getattr(data, "split_file", "") is None:
        data.split_file = str(run / SPLIT)  # type: ignore[attr-defined]
