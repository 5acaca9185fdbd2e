"""Weights in safetensors files: those that come with the package, by name, and exported ones, by path."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from lit_cnn.errors import CheckpointError, ConfigError, nearest
from lit_cnn.runs.class_paths import present

FOLDER = Path(__file__).parents[1] / "weights"
INDEX = FOLDER / "weights.json"  # seed, test accuracy, images and digest of each file
SUFFIX = ".safetensors"
OF_PREPROCESS = ("mean", "std", "image_size", "permute_seed", "permute_kind", "permute_block", "views")


def shipped_weights() -> dict[str, Path]:
    """Returns the weights that come with the package, by the name of their config."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def about_weights(name: str) -> dict[str, Any]:
    """Returns the facts on weights that come with the package: seed, test accuracy, images, machine, digest."""
    index: dict[str, dict[str, Any]] = json.loads(INDEX.read_text("utf-8"))
    if name not in index:
        raise ConfigError(
            f"There are no weights {name}.{nearest(name, list(index))} The weights are {', '.join(index)}."
        )
    return index[name]


def weights_file(path: str | Path) -> Path | None:
    """Returns the safetensors file that a path or a name means, or None if it means a run or a checkpoint."""
    if str(path).endswith(SUFFIX):
        return Path(path)
    if Path(path).exists():
        return None
    known = shipped_weights()
    if str(path) not in known and (meant := nearest(str(path), list(known))):
        raise CheckpointError(f"There is no checkpoint, run or weights {path}.{meant}")
    return known.get(str(path))


def read_weights(path: Path) -> dict[str, Any]:
    """Reads a safetensors file of `export` in the form of a checkpoint; weights become float32.

    Raises:
        CheckpointError: If it cannot be read, is damaged, or is not from `export`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            # Cloned, since Windows does not rename a mapped file. `file` is not a dict, so it is read by keys().
            state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as a safetensors file: {error}") from error
    if path.parent == FOLDER and sha256(path.read_bytes()).hexdigest() != about_weights(path.stem)["sha256"]:
        raise CheckpointError(f"{path} is damaged. Install lit_cnn again.")
    if broken := [name for name, t in state.items() if t.is_floating_point() and not t.isfinite().all()]:
        raise CheckpointError(f"{path} has weights that are not finite, in {broken[0]}.")
    if "class_path" not in about:
        raise CheckpointError(f"{path} has no class path. Use a file written by `export --format safetensors`.")
    return {
        "class_path": present(about["class_path"]),
        "hyper_parameters": json.loads(about["hyper_parameters"]),
        "state_dict": {f"net.{name}": t.float() if t.is_floating_point() else t for name, t in state.items()},
        "data": {
            "preprocess": {name: json.loads(about[name]) for name in OF_PREPROCESS if name in about},
            "class_names": json.loads(about["class_names"]),
        },
    }
