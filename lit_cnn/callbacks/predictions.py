"""Predictions as a CSV table."""

import csv
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class PredictionWriter(Callback):
    """Writes the file, true class, predicted class and its probability for each image.

    Args:
        folder: Where the file goes.
    """

    FILE = "predictions.csv"

    def __init__(self, folder: Path):
        self.folder = folder
        self._rows: list[torch.Tensor] = []

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        confidence, preds = outputs.max(dim=1)
        self._rows.append(torch.stack([part.cpu().double() for part in (preds, batch[1], confidence)], dim=1))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        names, rows = data.class_names, torch.cat(self._rows).tolist()
        files_of = getattr(data, "image_names", lambda split: None)("test") or [""] * len(rows)
        with (self.folder / self.FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["index", "file", "label", "predicted", "probability", "right"])
            for index, (name, (pred, label, confidence)) in enumerate(zip(files_of, rows, strict=False)):
                classes = names[int(label)], names[int(pred)]
                writer.writerow([index, name, *classes, f"{confidence:.6f}", int(pred == label)])
