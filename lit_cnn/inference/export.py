"""Export of trained networks for other programs, and reading them again to compare the logits."""

import json
import warnings
from collections.abc import Callable
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from lit_cnn.errors import not_installed
from lit_cnn.inference.load import build
from lit_cnn.keyed_random import Draws
from lit_cnn.runs.class_paths import path_of
from lit_cnn.runs.weights import read_weights
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms import Preprocess

Run = Callable[[Tensor], Tensor]
ANY_BATCH = {"images": {0: torch.export.Dim("batch")}}


class Deployed(nn.Module):
    """The exported module: a network from `lit_cnn.load`; with its preprocessing, it takes uint8 images."""

    def __init__(self, module: LitClassifier, preprocessing: bool):
        super().__init__()
        assert module.preprocess is not None
        self.net = module.net
        self.flip: bool = module.hparams["test_time_flip"]
        self.prepare = Normalise(module.preprocess) if preprocessing else nn.Identity()

    def forward(self, images: Shaped[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        inputs = self.prepare(images)
        logits = self.net(inputs)
        return (logits + self.net(inputs.flip(-1))) / 2 if self.flip else logits


class Normalise(nn.Module):
    """`Preprocess` in basic operations that all formats support."""

    scale: Tensor
    bias: Tensor
    order: Tensor | None

    def __init__(self, preprocess: Preprocess):
        super().__init__()
        for name in ("scale", "bias"):
            self.register_buffer(name, getattr(preprocess, name)[0, 0][:, None, None].clone())
        self.register_buffer("order", preprocess.permute.order.clone() if preprocess.permute else None)

    def forward(self, images: Shaped[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        inputs = images.float() * self.scale + self.bias
        return inputs if self.order is None else inputs.flatten(2)[:, :, self.order].reshape(inputs.shape)


class Format(NamedTuple):
    """An export format, with the suffix of its files and the packages that it needs."""

    suffix: str
    needs: tuple[str, ...]
    write: Callable[[Deployed, Tensor, dict[str, str], Path], None]  # network, example batch, metadata, file
    read: Callable[[Path, LitClassifier], Run]  # from images to logits; it may need the module's structure


def metadata_of(module: LitClassifier, preprocessing: bool) -> dict[str, str]:
    """Returns the metadata for other programs, as text or JSON."""
    assert module.preprocess is not None
    channels, height, width = module.preprocess.image_shape
    shape = f"[batch, {channels}, {height}, {width}]"
    return {
        "class_names": json.dumps(module.class_names),
        "input": f"uint8 {shape}, 0 to 255" if preprocessing else f"float32 {shape}, normalised and permuted as below",
        "output": f"float32 [batch, {len(module.class_names)}], logits",
        "preprocessing_included": json.dumps(preprocessing),
        **{key: json.dumps(value) for key, value in module.preprocess.settings.items()},
        "class_path": path_of(type(module)),
        "hyper_parameters": json.dumps(dict(module.hparams)),
    }


def check_packages(form: str) -> None:
    """Raises a ConfigError if a package is missing that a format needs."""
    for name in FORMATS[form].needs:
        try:
            import_module(name)
        except ImportError as error:
            raise not_installed(f"--format {form}", name, "export") from error


def made_up_images(module: LitClassifier, n: int) -> UInt8[Tensor, "n c h w"]:
    """Returns images of random bytes in the network's shape, always the same."""
    shape = module.input_shape
    return Draws(0, 0, torch.arange(n), "export").bytes("images", prod(shape)).reshape(n, *shape)


def example(module: LitClassifier, preprocessing: bool, n: int = 2) -> Shaped[Tensor, "n c h w"]:
    """Returns a batch of inputs for a file: made-up images, or what the network's preprocessing makes of them."""
    assert module.preprocess is not None
    images = made_up_images(module, n)
    return images if preprocessing else module.preprocess(images).contiguous()


def largest_difference(run: Run, module: LitClassifier, preprocessing: bool, batch_sizes: tuple[int, ...]) -> float:
    """Returns the largest difference between the logits of a file and of the network, over batches of these sizes."""
    with torch.no_grad():
        pairs = [
            (run(example(module, preprocessing, n)), module.evaluate(example(module, False, n))) for n in batch_sizes
        ]
    return max(float((found - logits).abs().max()) for found, logits in pairs)


def _write_onnx(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"], "dynamic_shapes": ANY_BATCH}
    with warnings.catch_warnings(action="ignore"):  # exporters warn that they are deprecated
        program: Any = torch.onnx.export(net, (example,), dynamo=True, verbose=False, **names)
        program.model.metadata_props.update(metadata)
        program.save(str(path), external_data=False)


def _read_onnx(path: Path, module: LitClassifier) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def _write_pt2(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=ANY_BATCH), path, extra_files=metadata)


def _write_torchscript(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.jit.trace(net, example).save(str(path), _extra_files=metadata)


def _read_torchscript(path: Path, module: LitClassifier) -> Run:
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.load(str(path))


def _write_safetensors(net: Deployed, example: Tensor, metadata: dict[str, str], path: Path) -> None:
    write_safetensors(net.net.state_dict(), path, metadata)


def write_safetensors(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Writes tensors and metadata to a safetensors file. The same content always gives the same bytes.

    The library writes metadata in random order, so they are sorted here.
    """
    from safetensors.torch import save

    content = save({name: value.contiguous() for name, value in state.items()}, metadata)
    end = 8 + int.from_bytes(content[:8], "little")  # of the header, after 8 bytes with its length
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    length = -(-len(text) // 8) * 8  # the tensors begin at a multiple of 8 bytes
    path.write_bytes(length.to_bytes(8, "little") + text.ljust(length) + content[end:])


def _read_safetensors(path: Path, module: LitClassifier) -> Run:
    content = read_weights(path)
    fresh = build(type(module), content["hyper_parameters"])
    fresh.load_state_dict(content["state_dict"])
    return fresh.eval().evaluate


FORMATS = {
    "onnx": Format(".onnx", ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _read_onnx),
    "pt2": Format(".pt2", (), _write_pt2, lambda path, _: torch.export.load(path).module()),
    "safetensors": Format(".safetensors", (), _write_safetensors, _read_safetensors),
    "torchscript": Format(".pt", (), _write_torchscript, _read_torchscript),
}
