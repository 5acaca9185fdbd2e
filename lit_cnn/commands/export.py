"""Exports a trained network to a file for other programs, and checks the file."""

import os
import tempfile
from pathlib import Path

from lit_cnn.commands.arguments import RUN, Parser, refuse_missing
from lit_cnn.errors import ConfigError, LitCNNError

FORMATS = ("onnx", "pt2", "safetensors", "torchscript")
TOLERANCE = 1e-4  # between logits
BATCH_SIZES = (1, 5)

EPILOG = f"""formats:
  onnx         for onnxruntime and others; needs pip install -e '.[export]'
  pt2          torch.export, for torch.export.load and AOTInductor
  safetensors  only the weights, without code
  torchscript  torch.jit.trace, for old programs; torch has deprecated it

The input is a batch of preprocessed images; with --preprocessing true it is uint8 images [batch, channels, height,
width]. The batch size is dynamic. The output is logits. The metadata of the file hold the class names, the
normalisation, the seed of the permutation, and the network's class and settings.

The file is read again before it is kept: on batches of 1 and 5 images its logits must equal the network's to
{TOLERANCE:g}. Otherwise nothing is written, and the exit code is 1.

examples:
  python -m lit_cnn export cnn_mnist --format onnx --preprocessing true
  python -m lit_cnn export logs/quickstart/version_0 --format safetensors
"""


def main(argv: list[str]) -> None:
    """Writes the file and prints the largest difference."""
    parser = Parser("export", __doc__, EPILOG)
    parser.add_argument("run", help=RUN)
    parser.add_argument("--format", choices=FORMATS, required=True, help="format of the file")
    parser.add_argument("--output", type=Path, help="file to write (default: NETWORK.SUFFIX in this folder)")
    bools, whole = ("true", "false"), "take uint8 images, and preprocess them (default false)"
    parser.add_argument("--preprocessing", choices=bools, default="false", help=whole)
    given = parser.parse_args(argv)
    if given.format == "safetensors" and given.preprocessing == "true":
        raise ConfigError(
            "safetensors files contain only weights. Their metadata describe the preprocessing, which you apply.\n"
            "Remove --preprocessing, or use --format onnx or pt2."
        )
    path, difference = export(given.run, given.format, given.output, given.preprocessing == "true")
    print(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB")
    print(f"largest difference of a logit, in batches of 1 and 5 images: {difference:.1e}")


def export(run: str, form: str, output: Path | None, preprocessing: bool) -> tuple[Path, float]:
    """Exports a run's network; returns the file and the largest difference between its logits and the network's.

    Raises:
        LitCNNError: If a package is missing, the network cannot be exported, or the file's logits differ.
    """
    refuse_missing(run)
    from lit_cnn.inference import export as exporting
    from lit_cnn.inference.load import load
    from lit_cnn.models.by_path import Recipe

    exporting.check_packages(form)
    kind = exporting.FORMATS[form]
    module = load(run)
    if preprocessing and module.preprocess is not None and module.preprocess.views:
        names = ", ".join(type(view).__name__ for view in module.preprocess.views)
        raise ConfigError(
            f"{run} was trained on images seen through {names}, which cannot be exported.\n"
            "Remove --preprocessing, and prepare images with lit_cnn.load(...).preprocess.prepared."
        )
    network = (
        Recipe(module.hparams["net"]).name.rpartition("/")[2] if "net" in module.hparams else type(module).__name__
    )
    output = output or Path(network.lower() + kind.suffix)
    if output.suffix != kind.suffix:
        raise ConfigError(f"--output {output}: files of --format {form} have to end in {kind.suffix}.")
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
                f"more than {TOLERANCE:g}.\nNothing was written. Try another --format."
            )
        os.replace(written, output)
    return output, difference
