"""Export of trained networks for other programs, and reading them again to compare the logits."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from lit_cnn.errors import not_installed
from lit_cnn.inference.load import build
from lit_cnn.keyed_random import Draws
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms import Preprocess

Run = Callable[[Tensor], Tensor]


class Deployed(nn.Module):
    """The exported module: a trained network, with or without its preprocessing.

    Args:
        module: From `lit_cnn.load`.
        preprocessing: Take uint8 images; if false, preprocessed ones.
    """

    def __init__(self, module: LitClassifier, preprocessing: bool):
        super().__init__()
        assert module.preprocess is not None
        self.net = module.net
        self.flip: bool = module.hparams["test_time_flip"]
        self.prepare = Normalise(module.preprocess) if preprocessing else nn.Identity()

    def forward(self, images: Shaped[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits."""
        inputs = self.prepare(images)
        logits = self.net(inputs)
        return (logits + self.net(inputs.flip(-1))) / 2 if self.flip else logits


class Normalise(nn.Module):
    """`Preprocess` in basic operations that all formats support.

    Args:
        preprocess: The original.
    """

    scale: Tensor
    bias: Tensor
    order: Tensor | None

    def __init__(self, preprocess: Preprocess):
        super().__init__()
        for name in ("scale", "bias"):
            self.register_buffer(name, getattr(preprocess, name)[0, 0][:, None, None].clone())
        self.register_buffer("order", preprocess.permute.order.clone() if preprocess.permute else None)

    def forward(self, images: Shaped[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the network's inputs."""
        inputs = images.float() * self.scale + self.bias
        return inputs if self.order is None else inputs.flatten(2)[:, :, self.order].reshape(inputs.shape)


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        suffix: Suffix of its files.
        needs: Extra packages.
        write: Writes network, example batch and metadata.
        read: Returns the file's content as a function from images to logits; it may need the module's structure.
    """

    suffix: str
    needs: tuple[str, ...]
    write: Callable[[Deployed, Tensor, dict[str, str], Path], None]
    read: Callable[[Path, LitClassifier], Run]


def metadata_of(module: LitClassifier, preprocessing: bool) -> dict[str, str]:
    """Returns the metadata for other programs: classes, input, normalisation, each as text or JSON."""
    assert module.preprocess is not None
    channels, height, width = module.preprocess.image_shape
    shape = f"[batch, {channels}, {height}, {width}]"
    return {
        "class_names": json.dumps(module.class_names),
        "input": f"uint8 {shape}, 0 to 255" if preprocessing else f"float32 {shape}, normalised and permuted as below",
        "output": f"float32 [batch, {len(module.class_names)}], logits",
        "preprocessing_included": json.dumps(preprocessing),
        **{key: json.dumps(value) for key, value in module.preprocess.settings.items()},
        "class_path": f"{type(module).__module__}.{type(module).__qualname__}",
        "hyper_parameters": json.dumps(dict(module.hparams)),
    }


def check_packages(form: str) -> None:
    """Checks that a format's packages are installed.

    Raises:
        ConfigError: If one is missing.
    """
    for name in FORMATS[form].needs:
        try:
            import_module(name)
        except ImportError as error:
            raise not_installed(f"--format {form}", name, "export") from error


def made_up_images(module: LitClassifier, n: int) -> UInt8[Tensor, "n c h w"]:
    """Returns images of random bytes in the network's shape, always the same."""
    return (
        Draws(0, 0, torch.arange(n), "export").bytes("images", prod(module.input_shape)).reshape(n, *module.input_shape)
    )


def example(module: LitClassifier, preprocessing: bool) -> Shaped[Tensor, "2 c h w"]:
    """Returns a batch of inputs for a file."""
    assert module.preprocess is not None
    images = made_up_images(module, 2)
    return images if preprocessing else module.preprocess(images).contiguous()


def largest_difference(run: Run, module: LitClassifier, preprocessing: bool, batch_sizes: tuple[int, ...]) -> float:
    """Returns the largest difference between the logits of a file and of the network, over random images.

    Args:
        run: The file's content.
        module: The network, with its own preprocessing.
        preprocessing: Whether the file takes uint8 images.
        batch_sizes: Batch sizes to try.
    """
    assert module.preprocess is not None
    found = 0.0
    for size in batch_sizes:
        images = made_up_images(module, size)
        with torch.no_grad():
            inputs = module.preprocess(images)
            differences = run(images if preprocessing else inputs.contiguous()) - module.evaluate(inputs)
        found = max(found, float(differences.abs().max()))
    return found


def _write_onnx(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the exporter about itself
        program: Any = torch.onnx.export(
            net,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        )
    program.model.metadata_props.update(metadata)
    program.save(str(path), external_data=False)


def _read_onnx(path: Path, module: LitClassifier) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def _write_pt2(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    program = torch.export.export(net, (example,), dynamic_shapes={"images": {0: torch.export.Dim("batch")}})
    torch.export.save(program, path, extra_files=metadata)


def _read_pt2(path: Path, module: LitClassifier) -> Run:
    return torch.export.load(path).module()


def _write_torchscript(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated from torch 2.10 on, which the help says
        torch.jit.trace(net, example).save(str(path), _extra_files=metadata)


def _read_torchscript(path: Path, module: LitClassifier) -> Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(str(path))


def _write_safetensors(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in net.net.state_dict().items()}, path, metadata)


def _read_safetensors(path: Path, module: LitClassifier) -> Run:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
        fresh = build(type(module), json.loads(file.metadata()["hyper_parameters"]))
    fresh.net.load_state_dict(weights)
    return fresh.eval().evaluate


FORMATS = {
    "onnx": Format(".onnx", ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _read_onnx),
    "pt2": Format(".pt2", (), _write_pt2, _read_pt2),
    "safetensors": Format(".safetensors", ("safetensors",), _write_safetensors, _read_safetensors),
    "torchscript": Format(".pt", (), _write_torchscript, _read_torchscript),
}
