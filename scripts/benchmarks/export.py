"""Exported files: images per second of onnxruntime over PyTorch's, and how far the logits are apart."""

import tempfile
from pathlib import Path
from typing import Any

import lightning.pytorch as L

import lit_cnn
from lit_cnn.commands.export import export
from lit_cnn.inference import export as exporting
from scripts.benchmarks.timing import seconds, spread

BATCH = 64
NETS: dict[str, Any] = {
    "LitMLP 784-8-8-10": (lit_cnn.LitMLP, 1, 28),
    "LitLeNet": (lit_cnn.LitLeNet, 3, 32),
    "LitVGG": (lit_cnn.LitVGG, 3, 32),
    "LitResNet resnet18": (lit_cnn.LitResNet, 3, 32),
}
QUIET: dict[str, Any] = {
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def measure(repetitions: int) -> dict[str, Any]:
    """Returns onnxruntime's speed over PyTorch's for each network, preprocessing included, and the difference."""
    found: dict[str, Any] = {}
    for name, (cls, channels, side) in NETS.items():
        with tempfile.TemporaryDirectory() as folder:
            data = lit_cnn.SyntheticDataModule(in_channels=channels, image_size=side, train_images=40, batch_size=16)
            trainer = L.Trainer(max_steps=1, accelerator="cpu", **QUIET)
            trainer.fit(cls(in_channels=channels, image_size=side), data)
            trainer.save_checkpoint(Path(folder) / "x.ckpt")
            path, difference = export(f"{folder}/x.ckpt", "onnx", Path(folder) / "x.onnx", True)
            module = lit_cnn.load(f"{folder}/x.ckpt")
            run = exporting.FORMATS["onnx"].read(path, module)
        images = exporting.made_up_images(module, BATCH).contiguous()
        module.predict(images), run(images)
        times = [(seconds(module.predict, images), seconds(run, images)) for _ in range(4 * repetitions)]
        best = [BATCH / min(t) for t in zip(*times, strict=True)]
        found[name] = spread([theirs / ours for theirs, ours in times]) | {
            "PyTorch images/s": round(best[0]),
            "onnxruntime images/s": round(best[1]),
            "largest difference": f"{difference:.1e}",
        }
    return found
