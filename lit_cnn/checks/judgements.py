"""Verdicts of `check` on the first steps: pure functions from measurements to messages."""

import math
from typing import NamedTuple

from lit_cnn.checks.overfit import Attempt
from lit_cnn.checks.trial import FirstSteps

# First loss relative to the expected one: what counts as near, and what is allowed. Here ResNet-110 has 1.8, and
# Inception v3 2.2, because of torchvision's large weights in its last layer.
NEAR, HIGH = 2.0, 4.0

# A network that ignores the images gives the same logits for all, and cannot get below the best loss of equal logits.
# Other networks get well below it in a few dozen steps, even weak ones such as 1 x 1 convolutions with global average
# pooling.
LEARNS = 0.95

WHY = {
    "none": "is not used for the logits: use it in `forward`, remove it, or freeze it (`requires_grad_(False)`)",
    "zero": "has a gradient of 0 at every step: look for weights that are all 0, and for ReLUs that are never active",
    "not finite": "has a gradient that is NaN: look for logarithms, roots and divisions with 0",
}


class Finding(NamedTuple):
    """The result of one check: the subject, the finding, and the remedy, which is empty if the check passed."""

    subject: str
    text: str
    remedy: str = ""


def equal_logits(loss: str, classes: int, value: float) -> str:
    """Returns the loss of equal logits as text, with its formula."""
    if loss == "hinge":  # each wrong class misses the margin by 1; the sum is divided by the classes
        return f"({classes} - 1) / {classes} = {value:.3f}"
    return f"ln({classes}) = {value:.3f}" if math.isclose(value, math.log(classes), rel_tol=1e-3) else f"{value:.3f}"


def judge_batch(found: FirstSteps) -> Finding | None:
    """Checks the images of the first batch; None if they are right."""
    if not found.finite:
        text = "the first batch has pixels that are NaN"
        return Finding("images", text, "Look at the data module's `mean`, `std` and `transform`.")
    return None


def judge_first_loss(found: FirstSteps, loss: str, classes: int) -> Finding:
    """Compares the loss of the untrained network with the loss of equal logits."""
    text = f"{found.first:.3f}; equal logits give {equal_logits(loss, classes, found.expected)}"
    ratio = found.first / found.expected
    if not ratio <= HIGH:
        text += f"; more than {HIGH:g} times that is too high" if math.isfinite(ratio) else ""
        remedy = "Look at the initial weights, first of the last layer, and at the scale of the images."
        return Finding("first loss", text, remedy)
    if ratio < 1 / NEAR:
        return Finding("first loss", f"{text}: far below, so the weights were probably trained before")
    if ratio > NEAR:
        return Finding("first loss", f"{text}: {ratio:.1f} times as high, which is acceptable")
    return Finding("first loss", f"{text}; up to {NEAR:g} times that is normal")


def judge_losses(found: FirstSteps) -> Finding:
    """Checks that the loss stays finite at the run's learning rate."""
    for n, loss in enumerate(found.losses, 1):
        if not math.isfinite(loss):
            return Finding("first steps", f"the loss is NaN at step {n}", "Lower `lr`, or raise it by a warm-up.")
    return Finding("first steps", f"{len(found.losses)} taken, the last has a loss of {found.losses[-1]:.3f}")


def judge_gradients(lacking: dict[str, str], trained: int, frozen: int) -> Finding:
    """Checks that every trained parameter got a gradient; `lacking` has the others, with the reason (see WHY)."""
    if not lacking:
        kept = f"; {frozen} are frozen" if frozen else ""
        return Finding("gradients", f"all {trained} trained parameters get a gradient{kept}")
    names = [name.removeprefix("net.") for name in lacking]  # as in the layer table
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    text = f"{len(names)} of {trained} trained parameters get no gradient: {shown}"
    return Finding("gradients", text, f"{names[0]} {WHY[next(iter(lacking.values()))]}.")


def judge_attempts(attempts: list[Attempt], one_answer: float) -> Finding:
    """Judges whether the network could overfit one batch, or get below the loss of one answer for all images."""
    last, own = attempts[-1], attempts[0]
    if last.succeeded:
        others = "" if last.own else f" ({own.optimizer}: {own.right} after {own.steps})"
        learned = f"{last.right} of {last.images} images learned after {last.steps} steps of {last.optimizer}"
        return Finding("one batch", learned + others)
    best = min(attempts, key=lambda attempt: attempt.loss)
    text = f"{best.images} images reach a loss of {best.loss:.3f} in {best.steps} steps of {best.optimizer}; "
    text += f"the same answer for all images gives {one_answer:.3f}"
    if best.loss < LEARNS * one_answer:
        return Finding("one batch", f"{text}, so it learns, but slowly")
    return Finding("one batch", text, "The images do not reach the logits: look at the network's `forward`.")
