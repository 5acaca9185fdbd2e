"""What a choice of the epoch by the test images would have claimed."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_cnn.callbacks.tensorboard.figures import evaluating


class TestEachEpoch(Callback):
    """Logs the accuracy over the test images after each epoch, as `each_epoch/test_acc`.

    Nothing is chosen by it: the best checkpoint stays that of the validation images. `report` shows beside its
    figure what the best of these would have claimed (Recht et al. 2019, https://arxiv.org/abs/1902.10811, on test
    sets that many eyes have seen). Of averaged weights it sees those that are averaged, not the average.
    """

    __test__ = False  # pytest takes it for one by its name
    FIGURE = "each_epoch/test_acc"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts and logs."""
        module: Any = pl_module
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.setup("test")
        counts = torch.zeros(2, dtype=torch.int64, device=module.device)
        with evaluating(module), trainer.precision_plugin.forward_context():
            for images, labels in data.test_dataloader():
                right = module.evaluate(images.to(module.device)).argmax(dim=1) == labels.to(module.device)
                counts += torch.stack([right.sum(), torch.tensor(len(right), device=module.device)])
        right, n = trainer.strategy.reduce(counts, reduce_op="sum").tolist()
        for logger in trainer.loggers:
            figures = {self.FIGURE: right / n, "epoch": trainer.current_epoch}
            logger.log_metrics(figures, trainer.global_step - 1)
