"""Jobs for tests of several processes on the CPU: the results must not depend on the number of processes.

As a script, this is one of several processes, which torch's variables RANK, WORLD_SIZE, ... tell apart:
`python tests/devices.py FOLDER JOB ...`.
"""

import os
import socket
import subprocess
import sys
import warnings
from hashlib import sha256
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import ModelParallelStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.nn.functional import all_reduce
from torch.distributed.tensor import DTensor

import lit_cnn
from lit_cnn.callbacks.tensorboard.evaluation import Evaluation
from lit_cnn.cli.warning_filters import quiet

ROOT = Path(__file__).parents[1]
GLOBAL_BATCH = 12  # of all devices together; 1, 2 and 3 divide it
TRAIN_IMAGES = 211  # 17 batches, and a last one of 7 that neither 2 nor 3 devices divide
EPOCHS, STEPS = 3, 54


class Record(L.Callback):
    """Notes the images that this device saw, as hashes, and how many there were in each batch."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.sizes: list[int] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, *_: Any) -> None:
        self.seen += [sha256(image.contiguous().numpy().tobytes()).hexdigest() for image in batch[0]]
        self.sizes.append(len(batch[0]))

    on_test_batch_start = on_validation_batch_start = on_train_batch_start


def devices() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def trainer(folder: Path, **settings: Any) -> L.Trainer:
    return L.Trainer(
        **{"strategy": "ddp" if devices() > 1 else "auto", "enable_checkpointing": False, "logger": False} | settings,
        accelerator="cpu", devices=devices(), default_root_dir=folder, num_sanity_val_steps=0,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def data(**settings: Any) -> lit_cnn.SyntheticDataModule:
    shape = {"num_classes": 4, "in_channels": 3, "image_size": 12, "train_images": TRAIN_IMAGES, "val_size": 0}
    return lit_cnn.SyntheticDataModule(**shape | {"batch_size": GLOBAL_BATCH // devices(), "seed": 3} | settings)


class SyncedNorm(nn.BatchNorm2d):
    """Stands in for torch's SyncBatchNorm, which refuses the CPU: sums over all devices, forward and backward."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        n = torch.full((x.shape[1],), x.numel() / x.shape[1], dtype=x.dtype)
        sums = torch.stack([n, x.sum((0, 2, 3)), (x**2).sum((0, 2, 3))])
        n, total, squares = all_reduce(sums) if devices() > 1 else sums
        mean = total / n
        variance = squares / n - mean**2
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
        scale = self.weight / (variance + self.eps).sqrt()
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


def classifier(
    dropout: float = 0.0, norms: tuple[nn.Module, ...] = (), kind: type = lit_cnn.LitClassifier, **settings: Any
) -> lit_cnn.LitClassifier:
    L.seed_everything(0, verbose=False)
    drops = [nn.Dropout2d(dropout), nn.Dropout(dropout)] if dropout else []
    layers = [nn.Conv2d(3, 4, 3), *norms, nn.ReLU(), *drops[:1], nn.Flatten(), *drops[1:]]
    return kind(nn.Sequential(*layers, nn.Linear(4 * 10 * 10, 4)), num_classes=4, **settings)


class Sharded(lit_cnn.LitClassifier):
    """Splits its weights over the devices, as FSDP does."""

    def configure_model(self) -> None:
        if devices() > 1:
            fully_shard(self.net, mesh=self.device_mesh["data_parallel"])


def evaluated(folder: Path) -> dict[str, Any]:
    """Test and validation of an untrained network on 2,003 images each, the same for all."""
    result = {}
    for verb, images in (("test", 2_003), ("validate", 2_003), ("test", 2)):
        module, record, runner = classifier(), Record(), None
        runner = trainer(folder, callbacks=[record])
        split = {"test_images": images} if verb == "test" else {"train_images": images + 100, "val_size": images}
        (metrics,) = getattr(runner, verb)(module, data(**split, eval_batch_size=100), verbose=False)
        result[f"{verb} {images}"] = {"metrics": metrics, "seen": record.seen, "batches": len(record.sizes)}
    return result


class Told(Evaluation):
    """Keeps the data of the figures."""

    outcome: Any = None

    def _heard(self, *args: Any) -> Any:
        self.outcome = super()._heard(*args)
        return self.outcome


def drawn(folder: Path) -> dict[str, Any]:
    """The data of the figures for 1,003 and for 2 images, and their names."""
    result = {}
    for images in (1003, 2):
        told, board = Told(), TensorBoardLogger(folder, name=f"drawn_by_{devices()}", version=str(images))
        runner = trainer(folder, callbacks=[told], logger=board)
        runner.test(classifier(), data(test_images=images, eval_batch_size=100), verbose=False)
        board.finalize("success")
        tags = EventAccumulator(board.log_dir).Reload().Tags()["images"] if runner.is_global_zero else []
        result[str(images)] = {**told.outcome._asdict(), "ece": runner.callback_metrics["test/ece"], "figures": tags}
    return result


def trained(
    folder: Path,
    augment: bool = True,
    dropout: float = 0.3,
    norms: Any = (),
    kind: type = lit_cnn.LitClassifier,
    **settings: Any,
) -> dict[str, Any]:
    """The weights after 54 steps in float64: they differ only by the order of sums."""
    changes = [lit_cnn.RandomCrop(2), lit_cnn.RandomFlip(), lit_cnn.Mixup(0.4), lit_cnn.CutMix(1.0)]
    record, callbacks = Record(), settings.pop("callbacks", [])
    fused = kind is not Sharded  # torch's fused SGD does not take split weights
    optimizer = {"optimizer": "SGD", "optimizer_args": {"momentum": 0.9, "fused": fused}} | settings.pop("model", {})
    module = classifier(dropout, norms, kind, lr=0.01, **optimizer)
    ckpt_path = settings.pop("ckpt_path", None)
    given = {"max_epochs": EPOCHS, "precision": "64-true"} | settings
    fit = trainer(folder, callbacks=[record, *callbacks], **given)
    fit.fit(module, data(augment=changes if augment else None), ckpt_path=ckpt_path, weights_only=True)
    state = module.net.state_dict().items()
    weights = {name: value.full_tensor() if isinstance(value, DTensor) else value.clone() for name, value in state}
    metrics = {name: float(value) for name, value in fit.callback_metrics.items() if name.startswith("train/")}
    return {
        "weights": weights, "seen": record.seen, "sizes": record.sizes, "steps": fit.global_step, "metrics": metrics,
    }  # fmt: skip


def sharded(folder: Path) -> dict[str, Any]:
    """Like `trained`, with the weights split over the devices."""
    strategy = ModelParallelStrategy(data_parallel_size=devices(), tensor_parallel_size=1) if devices() > 1 else "auto"
    return trained(folder, kind=Sharded, strategy=strategy, precision="32-true")


def saved(folder: Path) -> dict:
    """Like `trained`, with checkpoints in the middle and at the end of epochs."""
    keep = [  # in float32, which is what a checkpoint is read as before it becomes float64 again
        ModelCheckpoint(folder / f"by_{devices()}", "{step}", every_n_train_steps=13, save_top_k=-1),
        ModelCheckpoint(folder / f"by_{devices()}", "end{epoch}", save_top_k=-1),
    ]
    return trained(folder, callbacks=keep, enable_checkpointing=True, precision="32-true")


def resumed(folder: Path) -> dict:
    """Resumes from each checkpoint of another number of devices, to the end."""
    (other,) = [path for path in folder.glob("by_*") if path.name != f"by_{devices()}"]
    return {path.name: trained(folder, ckpt_path=path, precision="32-true") for path in sorted(other.glob("*.ckpt"))}


JOBS = {
    "evaluated": evaluated,
    "drawn": drawn,
    "plain": lambda folder: trained(folder, augment=False, dropout=0.0),
    "augmented": trained,
    "float32": lambda folder: trained(folder, precision="32-true"),
    "accumulated": lambda folder: trained(folder, accumulate_grad_batches=2),
    "clipped": lambda folder: trained(folder, gradient_clip_val=0.5),
    "summed": lambda folder: trained(folder, model={"optimizer": "Muon", "optimizer_args": None, "sum_loss": True}),
    "normed": lambda folder: trained(folder, norms=(nn.BatchNorm2d(4),)),
    "synced": lambda folder: trained(folder, norms=(SyncedNorm(4),)),
    "sharded": sharded,
    "saved": saved,
    "resumed": resumed,
}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def run_on(n: int, folder: Path, *jobs: str) -> list[dict[str, Any]]:
    """Runs jobs on a number of processes, and returns the result of each."""
    if n == 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in a process of its own
            return [{job: JOBS[job](folder) for job in jobs}]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(n), "OMP_NUM_THREADS": "1"}
    shared |= {"PYTHONPATH": str(ROOT), "LOCAL_WORLD_SIZE": str(n), "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, folder, *jobs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(n)
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [p.returncode for p in processes] == [0] * n, "\n".join(outputs)
    return [torch.load(folder / f"{n}_{rank}.pt") for rank in range(n)]


def main() -> None:
    folder, jobs = Path(sys.argv[1]), sys.argv[2:]
    quiet()
    torch.save({job: JOBS[job](folder) for job in jobs}, folder / f"{os.environ['WORLD_SIZE']}_{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main()
