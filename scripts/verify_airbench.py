"""Trains airbench94 with lit_cnn and with its author's code, and prints both losses step by step.

    git clone https://github.com/KellerJordan/cifar10-airbench
    python scripts/verify_airbench.py cifar10-airbench --data_dir data --steps 4 --batch_size 256
    python scripts/verify_airbench.py cifar10-airbench --data_dir data --device cuda            # one epoch
    python scripts/verify_airbench.py cifar10-airbench --data_dir data --device cuda --runs 3   # whole runs
    python scripts/verify_airbench.py cifar10-airbench --data_dir data --runs 3 --mixed         # on a CPU with bfloat16

Steps are in float32 (float64 with `--double`), from the same weights, on the same images in the same order with the
same augmentation. Network, loss, optimizer and schedule are those of each side: ours from the config airbench94_cifar,
theirs from airbench94_muon.py in the checkout, which is read, not copied. `--runs` trains with both from the beginning
to the end, each with its own order and augmentation: theirs on the images of our data module, on a GPU in float16 and
compiled, on a CPU in float32 (`--mixed`: both mixed with bfloat16); ours by `fit`. Settings of `fit` may follow.
"""

import argparse
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import yaml
from torch import Tensor
from torch.nn import functional as F

import lit_cnn
from lit_cnn.training.optimizers import build
from lit_cnn.training.whitening import IMAGES
from lit_cnn.transforms import AlternatingFlip, RandomCrop
from lit_cnn.transforms.weighted_views import weighted_views
from scripts.verification.their_script import InPrecision, definitions
from scripts.verification.whole_runs import Theirs, print_runs

SCRIPT = "airbench94_muon.py"
CONFIG = Path(__file__).parents[1] / "configs" / "airbench94_cifar.yaml"
LAYERS = {"layers.1": "groups.0", "layers.2": "groups.1", "layers.3": "groups.2"}  # names of theirs and of ours


def same_weights(theirs: Any, ours: Any) -> None:
    """Copies their weights to our network."""
    state = {}
    for name, value in theirs.state_dict().items():
        start = next((key for key in LAYERS if name.startswith(key)), None)
        state[name.replace(start, LAYERS[start]) if start else name] = value.clone()
    ours.load_state_dict(state | {"whiten.learned": torch.tensor(True)})


def difference(ours: Any, theirs: Any) -> float:
    """Returns the largest difference of two tensors."""
    return float((ours - theirs).abs().max())


def print_whitening(theirs: Any, ours: Any, images: Tensor) -> None:
    """Prints how far the whitening filters of both lie apart, up to their signs, which are arbitrary."""
    theirs.init_whiten(images)
    ours.whiten.learn(images)
    one, other = (net.whiten.weight.detach()[: len(net.whiten.weight) // 2].flatten(1) for net in (theirs, ours))
    cosines = (F.normalize(one) * F.normalize(other)).sum(1).abs()
    lengths = one.norm(dim=1) / other.norm(dim=1)
    print(f"whitening filters: |cosine| from {float(cosines.min()):.6f}, ratio of lengths from "
          f"{float(lengths.min()):.6f} to {float(lengths.max()):.6f}")  # fmt: skip


def their_optimizers(theirs: Any, names: dict[str, Any], batch_size: int) -> list[Any]:
    """Returns their two optimizers with the settings of their recipe."""
    weight_decay = 2e-6 * batch_size
    groups = [
        {"params": params, "lr": lr, "weight_decay": weight_decay / lr}
        for params, lr in (
            ([theirs.whiten.bias], 0.053),
            ([p for name, p in theirs.named_parameters() if "norm" in name and p.requires_grad], 0.053),
            ([theirs.head.weight], 0.67),
        )
    ]
    filters = [p for p in theirs.parameters() if p.dim() == 4 and p.requires_grad]
    sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True)
    muon = names["Muon"](filters, lr=0.24, momentum=0.6, nesterov=True)
    for group in [*sgd.param_groups, *muon.param_groups]:
        group["initial_lr"] = group["lr"]
    return [sgd, muon]


def compare(given: argparse.Namespace, data: Any) -> float:
    """Takes steps with both, prints them, and returns the largest difference of the losses."""
    device = torch.device(given.device)
    dtype = torch.float64 if given.double else torch.float32
    change = InPrecision("double" if given.double else "float", also=device.type == "cpu")
    names = definitions(given.checkout / SCRIPT, change)
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    settings = config["model"]["init_args"]
    for group in settings["param_groups"]:
        if "weight_decay" in group:  # theirs is set by the batch
            group["weight_decay"] = 2e-6 * given.batch_size / group["lr"]
    torch.manual_seed(given.seed)
    theirs, module = names["CifarNet"]().to(device, dtype), lit_cnn.LitAirbench(**settings).to(device, dtype)
    vars(module)["loss_of"] = partial(exact_loss, module)
    theirs.reset()
    indices = torch.arange(min(IMAGES, len(data.arrays("train"))))
    print_whitening(theirs, module.net, data.batch_maker("train")(indices)[0].to(device, dtype))
    same_weights(theirs, module.net)

    per_epoch = len(data.train_dataloader())
    steps, bias_steps = config["trainer"]["max_epochs"] * per_epoch, 3 * per_epoch
    their_sgd, their_muon = their_optimizers(theirs, names, given.batch_size)
    built = build(module, module.hparams, steps, per_epoch=per_epoch)
    optimizer, scheduler = built["optimizer"], built["lr_scheduler"]["scheduler"]
    theirs.train()
    module.train()
    largest, step, times = 0.0, 0, []
    print(f"{per_epoch} steps an epoch, {steps} in the schedule\n\n step   theirs      ours        difference")
    while step < (given.steps or per_epoch):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(step // per_epoch)
        for images, labels in loader:
            images, labels = images.to(device, dtype), labels.to(device)
            clock = [now(device)]
            outputs = theirs(images, whiten_bias_grad=step < bias_steps)
            their_loss = F.cross_entropy(outputs, labels, label_smoothing=0.2, reduction="sum")
            theirs.zero_grad()
            their_loss.backward()
            their_sgd.param_groups[0]["lr"] = their_sgd.param_groups[0]["initial_lr"] * (1 - step / bias_steps)
            for group in [*their_sgd.param_groups[1:], *their_muon.param_groups]:
                group["lr"] = group["initial_lr"] * (1 - step / steps)
            their_sgd.step()
            their_muon.step()
            clock.append(now(device))

            optimizer.zero_grad()
            loss = module.training_step((images, labels), step)
            loss.backward()
            optimizer.step()
            scheduler.step()
            clock.append(now(device))

            times.append([end - start for start, end in pairwise(clock)])
            one, other = their_loss.item() / len(labels), loss.item() / len(labels)
            largest, step = max(largest, abs(one - other)), step + 1
            print(f"{step:5}   {one:.8f}  {other:.8f}  {other - one:+.1e}", flush=True)
            if step == (given.steps or per_epoch):
                break
    seconds = torch.tensor(times).median(0).values.tolist()
    print("seconds a step, median: theirs {:.4f}, ours {:.4f}".format(*seconds))
    print_evaluation(theirs, module, names, data, device)
    return largest


def exact_loss(module: Any, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Returns logits and loss in the network's precision; `loss_of` has the loss in float32."""
    logits = module(images)
    return logits, module.loss(logits, labels)


def now(device: torch.device) -> float:
    """Returns the time when the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@torch.no_grad()
def print_evaluation(theirs: Any, module: Any, names: dict[str, Any], data: Any, device: torch.device) -> None:
    """Prints how far the logits of test images lie apart, plain and with views, after the last step."""
    images = next(iter(data.test_dataloader()))[0].to(theirs.head.weight)
    loader = SimpleNamespace(normalize=lambda images: images, images=images)
    module.eval()
    views = sum(weight * module(view) for weight, view in weighted_views(images, "flip_translate"))
    for what, ours, level in (("plain", module(images), 0), ("with views", views, 2)):
        expected = names["infer"](theirs, loader, tta_level=level)
        same = (ours.argmax(1) == expected.argmax(1)).float().mean()
        apart, largest = difference(ours, expected), float(expected.abs().max())
        print(f"{len(images)} test images, {what}: logits up to {largest:.2f}, {apart:.1e} apart, "
              f"the same class in {100 * float(same):.2f} %")  # fmt: skip


def main() -> int:
    """Prints the comparison; returns 1 if a loss differs by more than the tolerance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("checkout", type=Path, help="folder of cifar10-airbench")
    parser.add_argument("--data", default="CIFAR10DataModule", help="data module, such as ImageFolderDataModule")
    parser.add_argument("--data_dir", help="where its images are")
    parser.add_argument("--batch_size", type=int, default=2000)
    parser.add_argument("--steps", type=int, help="by default those of one epoch")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--double", action="store_true", help="in float64, which tells rounding from a difference")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest difference of losses, nats per image")
    parser.add_argument("--runs", type=int, help="in place of steps: whole runs of both, with this many seeds")
    parser.add_argument("--widths", type=int, nargs=3, help="with --runs: other widths of the three groups, of both")
    parser.add_argument("--epochs", type=int, help="with --runs: another length of the trainings, of both")
    parser.add_argument("--mixed", action="store_true", help="with --runs on a CPU: both networks in bfloat16")
    parser.add_argument("--eager", action="store_true", help="with --runs: nothing compiled, as ours by default")
    given, fit = parser.parse_known_args()
    if fit and not given.runs:
        parser.error(f"{fit[0]} is a setting of `fit`, which needs --runs")
    if given.mixed and not (given.runs and given.device == "cpu"):
        parser.error("--mixed needs --runs and a CPU; on a GPU, give --trainer.precision bf16-mixed")
    settings = {"batch_size": given.batch_size, "eval_batch_size": 500, "val_size": 0, "seed": given.seed}
    settings |= {"augment": [RandomCrop(2, "reflect"), AlternatingFlip()]}
    if given.data_dir:
        settings["data_dir"] = given.data_dir
    data = getattr(lit_cnn, given.data)(**settings)
    data.prepare_data()
    data.setup("fit")
    if given.runs:
        fit = ["--data", given.data, *(["--data.data_dir", given.data_dir] if given.data_dir else []), *fit]
        fit += ["--trainer.max_epochs", str(given.epochs)] if given.epochs else []
        fit += ["--trainer.precision", "bf16-mixed"] if given.mixed else []
        theirs = Theirs(
            given.checkout / SCRIPT, data, given.device, given.widths, given.epochs, given.eager, given.mixed
        )
        print_runs(theirs, given.runs, given.widths, fit)
        return 0
    largest = compare(given, data)
    print(f"largest difference of losses: {largest:.1e} nats per image")
    return int(largest > given.tolerance)


if __name__ == "__main__":
    sys.exit(main())
