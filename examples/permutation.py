"""The permutation experiment in 40 lines: how much accuracy do two networks lose if all pixels are permuted?

python examples/permutation.py

Each seed has its own initial weights, order of the images and permutation. Several seeds are needed, since networks of
6,400 weights differ by several points from seed to seed.
"""

import logging
import warnings

import lightning.pytorch as L
import torch

import lit_cnn

SEEDS = range(6)

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def accuracy(network: type[lit_cnn.LitClassifier], permute: bool, seed: int) -> float:
    """Trains on 4,000 digits, and returns the accuracy on 1,000 others, in %."""
    L.seed_everything(seed, verbose=False)
    data = lit_cnn.SampleDataModule(batch_size=64, val_size=0, permute=permute, permute_seed=seed)
    module = network(lr=0.01, scheduler="OneCycleLR", scheduler_interval="step")
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)
    (found,) = trainer.test(module, datamodule=data, verbose=False)
    return 100 * found["test/acc"]


for network in (lit_cnn.LitMLP, lit_cnn.LitCNN):
    plain, permuted = (torch.tensor([accuracy(network, permute, s) for s in SEEDS]) for permute in (False, True))
    for name, values in (("as-is", plain), ("permuted", permuted), ("lost", plain - permuted)):
        unit = "points" if name == "lost" else "%"
        print(f"{network.__name__}  {name:8}  {values.mean():5.1f} +- {values.std():.1f} {unit}, {len(SEEDS)} seeds")
