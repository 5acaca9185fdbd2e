"""Test accuracy after each epoch, to show the bias of selecting the epoch on the test set."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_cnn.callbacks import log_everywhere
from lit_cnn.callbacks.tensorboard.figures import evaluating


class TestEachEpoch(Callback):
    """Logs the test accuracy after each epoch, as `each_epoch/test_acc`.

    Nothing is selected by it: the best checkpoint is still chosen on the validation images. `report` shows the best
    of these accuracies and the honest one (on reused test sets see Recht et al. 2019,
    https://arxiv.org/abs/1902.10811). With weight averaging it tests the present weights, not the average.
    """

    __test__ = False  # pytest would collect it by its name
    FIGURE = "each_epoch/test_acc"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module: Any = pl_module
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.setup("test")
        counts = torch.zeros(2, dtype=torch.int64, device=module.device)
        with evaluating(module), trainer.precision_plugin.forward_context():
            for images, labels in data.test_dataloader():
                right = module.evaluate(images.to(module.device)).argmax(dim=1) == labels.to(module.device)
                counts += torch.stack([right.sum(), torch.tensor(len(right), device=module.device)])
        right, n = trainer.strategy.reduce(counts, reduce_op="sum").tolist()
        log_everywhere(trainer, {self.FIGURE: right / n, "epoch": trainer.current_epoch})
