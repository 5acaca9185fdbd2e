"""Whole runs of airbench94: its author's script and our config in turn, with their accuracies and seconds."""

import ast
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from scipy import stats
from torch import Tensor, nn

from lit_cnn.runs.folder import read_results
from scripts.verification.their_script import InPrecision, Uncompiled, definitions

BLOCKS = ("block1", "block2", "block3")  # their names of the three widths


class Trained(NamedTuple):
    """A whole run: test accuracies without and with the six views, from 0 to 1, and the seconds of training."""

    plain: float
    views: float
    seconds: float


class Widths(ast.NodeTransformer):
    """Gives their network other widths."""

    def __init__(self, widths: Sequence[int]):
        self.widths = dict(zip(BLOCKS, widths, strict=True))

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """Replaces `block1=64` and so on."""
        if node.arg in self.widths:
            node.value = ast.Constant(self.widths[node.arg])
        return self.generic_visit(node)


class Epochs(ast.NodeTransformer):
    """Gives their training another length; the schedule ends with it."""

    def __init__(self, epochs: int):
        self.epochs = epochs

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Replaces the 8 of `total_train_steps = ceil(8 * len(train_loader))`."""
        if ast.unparse(node.targets[0]) == "total_train_steps":
            node.value = ast.parse(f"{self.epochs} * len(train_loader)", mode="eval").body
        return node


class OnCPU(InPrecision):
    """Moves their code to the CPU, in float32 and without compilation."""

    def __init__(self) -> None:
        super().__init__("float", also=True)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Replaces the name of the device."""
        return ast.Constant("cpu") if node.value == "cuda" else node


class Clock:
    """A CPU's replacement of torch.cuda.Event."""

    def __init__(self, enable_timing: bool):
        self.at = 0.0

    def record(self) -> None:
        """Notes the time."""
        self.at = time.perf_counter()

    def elapsed_time(self, end: "Clock") -> float:
        """Returns the milliseconds until another event."""
        return 1000 * (end.at - self.at)


@contextlib.contextmanager
def without_cuda() -> Iterator[None]:
    """Replaces what their script needs of a GPU."""
    with mock.patch("torch.cuda.Event", Clock), mock.patch("torch.cuda.synchronize"):
        yield


def autocast(net: nn.Module) -> None:
    """Runs a network in bfloat16 on the CPU, as `--trainer.precision bf16-mixed` does; its logits become float32."""
    forward = net.forward

    def forward_in_bfloat16(*inputs: Any, **named: Any) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = forward(*inputs, **named)
        return logits.float()

    vars(net)["forward"] = forward_in_bfloat16


class Theirs:
    """Their script, trained on the images of our data module.

    Args:
        script: Their script, airbench94_muon.py.
        data: Our data module, after `setup`.
        device: cpu, in float32 or mixed with bfloat16 and not compiled, or cuda, in float16 as it is.
        widths: Output channels of the three groups, or None for theirs.
        epochs: Length of the training, or None for theirs.
        eager: Whether nothing is compiled.
        mixed: Whether the network runs in bfloat16 on a CPU.
    """

    def __init__(
        self,
        script: Path,
        data: Any,
        device: str,
        widths: Sequence[int] | None,
        epochs: int | None,
        eager: bool,
        mixed: bool,
    ):
        changes: list[ast.NodeTransformer] = [Widths(widths)] if widths else []
        if epochs:
            changes.append(Epochs(epochs))
        if device == "cpu":
            changes.append(OnCPU())
        elif eager:
            changes.append(Uncompiled())
        self.names = definitions(script, *changes)
        self.device = device
        self.net = self.names["CifarNet"]().to(device, memory_format=torch.channels_last)
        if mixed:
            autocast(self.net)
        self.folder = tempfile.TemporaryDirectory()
        (Path(self.folder.name) / "cifar10").mkdir()
        for split in ("train", "test"):
            arrays = data.arrays(split)
            content = {"images": arrays.images.permute(0, 2, 3, 1).contiguous(), "labels": arrays.labels}
            torch.save(content | {"classes": data.class_names}, Path(self.folder.name) / "cifar10" / f"{split}.pt")
        if device != "cpu":
            torch.backends.cudnn.benchmark = True
            if not eager:
                self.net.compile(mode="max-autotune")
            self._main("warmup")

    def _main(self, run: int | str) -> dict[str, Any]:
        last: dict[str, Any] = {}

        def note(variables: dict[str, Any], is_final_entry: bool) -> None:
            last.update(variables)
            if not is_final_entry:  # the last entry's seconds include the test with six views
                last["seconds of training"] = variables["time_seconds"]

        self.names["print_training_details"] = note
        cuda = without_cuda() if self.device == "cpu" else contextlib.nullcontext()
        with contextlib.chdir(self.folder.name), cuda:  # their script looks for its images in ./cifar10
            self.names["main"](run, self.net)
        return last

    def train(self, seed: int) -> Trained:
        """Trains with their recipe from the beginning to the end."""
        torch.manual_seed(seed)
        last = self._main(seed)
        return Trained(last["val_acc"], last["tta_val_acc"], last["seconds of training"])


def train_ours(seed: int, widths: Sequence[int] | None, settings: Sequence[str]) -> Trained:
    """Trains the config airbench94_cifar by `fit`, in a process and a folder of its own."""
    command = [sys.executable, "-m", "lit_cnn", "fit", "--config", "airbench94_cifar", "--seed_everything", str(seed)]
    command += ["--pictures.enabled", "false", "--trainer.enable_progress_bar", "false", "--name", "ours", *settings]
    if widths:
        command += ["--model.widths", str(list(widths))]
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, check=True, stdout=sys.stderr)
        found = read_results(Path(folder) / "logs" / "ours" / "version_0")
    return Trained(found["test/acc"], found["test/acc_views"], found["fit_seconds"])


def print_runs(theirs: Theirs, runs: int, widths: Sequence[int] | None, settings: Sequence[str]) -> None:
    """Trains with both in turn, and prints each run, the means, and their difference with its interval."""
    print("seed      theirs: test acc  six views  seconds        ours: test acc  six views  seconds")
    both: list[tuple[Trained, Trained]] = []
    for seed in range(runs):
        both.append((theirs.train(seed), train_ours(seed, widths, settings)))
        print(f"{seed:4}" + "".join(map(_columns, both[-1])), flush=True)
    if runs < 2:
        return
    one, other = (torch.tensor(side, dtype=torch.float64) for side in zip(*both, strict=True))
    print("mean" + "".join(_columns(Trained(*side.mean(0).tolist())) for side in (one, other)))
    for column, what in enumerate(("test acc", "six views")):
        found = stats.ttest_ind(other[:, column], one[:, column], equal_var=False)  # Welch's
        interval, apart = found.confidence_interval(), float((other - one)[:, column].mean())
        print(f"{what}: ours - theirs {100 * apart:+.2f} points, 95 % interval {100 * interval.low:+.2f} to "
              f"{100 * interval.high:+.2f}")  # fmt: skip
    print(f"seconds: ours / theirs {float(other[:, 2].median() / one[:, 2].median()):.2f}, by medians")


def _columns(run: Trained) -> str:
    return f"{100 * run.plain:16.2f} % {100 * run.views:8.2f} % {run.seconds:8.1f}     "
