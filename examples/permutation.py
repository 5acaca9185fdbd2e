"""The permutation experiment in 30 lines: what do two networks of equal size lose when all pixels change places?

python examples/permutation.py
"""

import logging
import warnings

import lightning.pytorch as L

import lit_cnn

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

for network in (lit_cnn.LitMLP, lit_cnn.LitCNN):
    for permute in (False, True):
        L.seed_everything(0, verbose=False)
        data = lit_cnn.SampleDataModule(batch_size=32, permute=permute)  # 4,000 digits; permute_seed says how
        module = network(lr=3e-3)
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
        print(f"{network.__name__:7} {'permuted' if permute else 'as-is':9} {found['test/acc']:.1%} of 1,000 digits")
