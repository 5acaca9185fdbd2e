"""Predictions as a CSV table."""

import csv
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class PredictionWriter(Callback):
    """Writes the predicted class of each image, with its probability and the true class.

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
        names = trainer.datamodule.class_names  # type: ignore[attr-defined]
        with (self.folder / self.FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["index", "predicted", "probability", "label", "right"])
            for index, (pred, label, confidence) in enumerate(torch.cat(self._rows).tolist()):
                writer.writerow([index, names[int(pred)], f"{confidence:.6f}", names[int(label)], int(pred == label)])
