"""Exports a trained network for other programs, then reads the file again and compares its logits."""

import os
import tempfile
from pathlib import Path

from lit_cnn.commands.arguments import RUN, Parser
from lit_cnn.errors import ConfigError, LitCNNError

FORMATS = ("onnx", "pt2", "safetensors", "torchscript")
TOLERANCE = 1e-4  # between logits
BATCH_SIZES = (1, 5)

EPILOG = f"""formats:
  onnx         for onnxruntime and others; needs pip install -e '.[export]'
  pt2          torch.export, for torch.export.load and AOTInductor
  safetensors  only the weights, without code; needs pip install -e '.[export]'
  torchscript  torch.jit.trace, for programs that load nothing else; deprecated by torch

The batch size is dynamic. A file's metadata hold the class names, the normalisation, the permutation's seed, and the
network's class and settings. With --preprocessing true its input is uint8 images [batch, channels, height, width], else
the preprocessed images; its output is logits.

It is only written if its logits on batches of 1 and 5 images equal the network's to {TOLERANCE:g}, else the exit code
is 1.

examples:
  python -m lit_cnn export logs/quickstart/version_0 --format onnx --preprocessing true
  python -m lit_cnn export logs/quickstart/version_0 --format safetensors --output weights.safetensors
"""


def main(argv: list[str]) -> None:
    """Writes the file and prints the largest difference."""
    parser = Parser("export", __doc__, EPILOG)
    parser.add_argument("run", help=RUN)
    parser.add_argument("--format", choices=FORMATS, required=True, help="the kind of file")
    parser.add_argument("--output", type=Path, help="the file to write; by default NETWORK.SUFFIX in this folder")
    bools = ("true", "false")
    parser.add_argument("--preprocessing", choices=bools, default="false", help="take uint8 images (default false)")
    given = parser.parse_args(argv)
    if given.format == "safetensors" and given.preprocessing == "true":
        raise ConfigError(
            "safetensors holds only weights: the preprocessing stands in its metadata, for you to apply.\n"
            "Leave --preprocessing out, or take --format onnx or pt2."
        )
    path, difference = export(given.run, given.format, given.output, given.preprocessing == "true")
    print(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB")
    print(f"largest difference of a logit, in batches of 1 and 5 images: {difference:.1e}")


def export(run: str, form: str, output: Path | None, preprocessing: bool) -> tuple[Path, float]:
    """Exports a run's network; returns the file and the largest difference between its logits and the network's.

    Raises:
        LitCNNError: If a package is missing, the network cannot be exported, or the file's logits differ.
    """
    from lit_cnn.inference import export as exporting
    from lit_cnn.inference.load import load
    from lit_cnn.models.by_path import Recipe

    exporting.check_packages(form)
    kind = exporting.FORMATS[form]
    module = load(run)
    if preprocessing and module.preprocess is not None and module.preprocess.views:
        names = ", ".join(type(view).__name__ for view in module.preprocess.views)
        raise ConfigError(
            f"{run} was trained on images seen through {names}, which files cannot hold.\n"
            "Leave --preprocessing out, and prepare images by lit_cnn.load(...).preprocess.prepared."
        )
    network = (
        Recipe(module.hparams["net"]).name.rpartition("/")[2] if "net" in module.hparams else type(module).__name__
    )
    output = output or Path(network.lower() + kind.suffix)
    if output.suffix != kind.suffix:
        raise ConfigError(f"--output {output}: the file of --format {form} ends in {kind.suffix}.")
    deployed = exporting.Deployed(module, preprocessing).eval()
    example = exporting.example(module, preprocessing)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        written = Path(folder) / output.name
        kind.write(deployed, example, exporting.metadata_of(module, preprocessing), written)
        difference = exporting.largest_difference(kind.read(written, module), module, preprocessing, BATCH_SIZES)
        if not difference <= TOLERANCE:
            raise LitCNNError(
                f"{form}: the file's logits differ from the network's by up to {difference:.1e}, "
                f"more than {TOLERANCE:g}.\nNothing was written. Take another --format."
            )
        os.replace(written, output)
    return output, difference
