"""Training: the LightningModule, its architectures, losses, metrics, optimizers, schedules and loops."""
