"""LitClassifier, the LightningModule around any network: steps, loss, metrics, optimizer."""

import math
from typing import Any, Literal

from jaxtyping import Float, Int64
from lightning.pytorch import Callback, LightningModule
from torch import Tensor, nn

from lit_cnn.errors import ConfigError
from lit_cnn.models.by_path import Recipe, build_network
from lit_cnn.models.heads import body_of, heads_of
from lit_cnn.models.layers import set_norm_momentum
from lit_cnn.models.pretrained import start_from
from lit_cnn.sizes import ImageSize
from lit_cnn.training import finetuning, lightning_internals
from lit_cnn.training.buffered_metrics import BufferedMetrics
from lit_cnn.training.continuation import Continuation
from lit_cnn.training.contract import CheckedOptimizers, logits_of, losses_of
from lit_cnn.training.data_parallel import OneNetwork
from lit_cnn.training.fast_loop import FewerCalls
from lit_cnn.training.losses import ClassWeights, LossName, build_loss, weights_of
from lit_cnn.training.optimizers import build, refuse_unwritable, try_out
from lit_cnn.training.picture_predictions import PicturePredictions
from lit_cnn.training.step_losses import StepLosses
from lit_cnn.training.whitening import learn_whitening
from lit_cnn.transforms import Preprocess
from lit_cnn.transforms.weighted_views import TestViews, weighted_views
from lit_cnn.typed_arguments import NonNegativeInt, PositiveFloat, Share, TypedArguments, plain

Targets = Int64[Tensor, "b"] | Float[Tensor, "b k"]  # classes, or a share of each class
Batch = tuple[Float[Tensor, "b c h w"], Targets]


class LitClassifier(TypedArguments, CheckedOptimizers, PicturePredictions, LightningModule):
    """Trains any network from images to logits, and logs `train|val|test/{acc,nll}` and `val|test/{acc_macro,f1}`.

    Batches are pairs of images and labels, from any data module or DataLoader.

    Args:
        net: The network, from images `[b, c, h, w]` to logits `[b, num_classes]`. Give the import path of a class or
            function, such as torchvision.models.resnet18, or a dict of `class_path` and `init_args`; then checkpoints
            can build it again. On the command line use --model.net PATH, and --model.net.NAME for its arguments.
            Its num_classes, in_channels (in_chans) and image_size (img_size) come from the data, if it has them.
        num_classes: Number of classes.
        lr: Learning rate, above 0.
        optimizer: Name of a class in torch.optim, such as Adam or SGD; or Muon, for the filters of convolutions, with
            SGD for the rest.
        optimizer_args: Other arguments of the optimizer, such as {momentum: 0.9, weight_decay: 5e-4}.
        scheduler: Learning-rate schedule: a class in torch.optim.lr_scheduler, such as OneCycleLR, or in
            lit_cnn.training.lr_schedules: WarmupCosineLR, TriangularLR. None by default.
        scheduler_args: Arguments of the scheduler. By default total_steps and T_max are the length of the run, max_lr
            is lr, and ReduceLROnPlateau's monitor is val/nll.
        param_groups: Other settings of the optimizer for some parameters, such as [{pattern: head, lr: 0.1}]. The
            pattern is a regular expression of names; a parameter belongs to the first pattern that matches its name.
            A group may also have `epochs`: its schedule then ends after so many epochs, not at the end of the run.
        scheduler_interval: Step the scheduler after every epoch, or after every optimizer step. It is also the unit
            of the lengths among its arguments.
        loss: cross_entropy, nll (the same, from log-probabilities) or hinge (multi-class margin).
        label_smoothing: Label smoothing, from 0 to 1; cross_entropy only.
        class_weights: Weights of the classes in the loss: balanced, which gives rare classes more weight; a list of
            numbers; or numbers by class name. They change only the loss, not val/nll or test/nll.
        sum_loss: Minimise the sum of the loss over a batch instead of the mean; the log still shows the mean.
        decay_norms_and_biases: Apply weight_decay to norms and biases too; if false, only to the weights of
            convolutions and linear layers.
        norm_momentum: Share of a new batch in the running statistics of batch norm, from 0 to 1; by default the
            network's own.
        test_time_flip: Test-time augmentation: evaluate and predict with the mean logits of image and mirror image.
        test_views: Test-time augmentation with a second result, `test/acc_views`, in addition to `test/acc`: flip uses
            image and mirror image; flip_translate also shifts both by one pixel to two corners, with half the weight.
        weights: Weights to start from: a file, a run, or the name of weights in the package. If the classes are
            different, the last layer is initialised again; for grey images colour kernels are summed.
        body_lr: Learning rate of the backbone: all layers except the last; by default lr.
        frozen_epochs: Number of first epochs in which only the last layer is trained; on one device only.
        compile: Compile the network for training with torch.compile: default; reduce-overhead, with CUDA graphs;
            max-autotune. Checkpoints do not change.
        in_channels: Channels of the images, for a network given by its path.
        image_size: Height and width of the images, in pixels, for a network given by its path.

    Raises:
        ValueError: If a setting is out of range, or an argument of the optimizer or scheduler is wrong.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> module = LitClassifier(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), num_classes=10, lr=0.1)
        >>> module(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    unsaved: tuple[str, ...] = ("net", "weights")  # arguments left out of the hyperparameters: checkpoints have weights
    fast_loop = True  # whether the fast loop may skip Lightning's calls around a step that nothing watches

    def __init__(
        self,
        net: Recipe | dict[str, Any] | str | nn.Module,
        num_classes: int,
        lr: PositiveFloat = 1e-3,
        optimizer: str = "Adam",
        optimizer_args: dict[str, Any] | None = None,
        scheduler: str | None = None,
        scheduler_args: dict[str, Any] | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        param_groups: list[dict[str, Any]] | None = None,
        loss: LossName = "cross_entropy",
        label_smoothing: Share = 0.0,
        class_weights: ClassWeights | None = None,
        sum_loss: bool = False,
        decay_norms_and_biases: bool = True,
        norm_momentum: Share | None = None,
        test_time_flip: bool = False,
        test_views: TestViews | None = None,
        weights: str | None = None,
        body_lr: PositiveFloat | None = None,
        frozen_epochs: NonNegativeInt = 0,
        compile: Literal["default", "reduce-overhead", "max-autotune"] | None = None,
        in_channels: int | None = None,
        image_size: ImageSize | None = None,
    ):
        super().__init__()
        refuse_unwritable(optimizer_args=optimizer_args, scheduler_args=scheduler_args)
        self.save_hyperparameters(ignore=list(self.unsaved))
        self.save_hyperparameters({name: plain(value) for name, value in self.hparams.items()})
        if not isinstance(net, nn.Module):
            recipe = Recipe(net)
            net = build_network(recipe, num_classes, in_channels, image_size)
            self.save_hyperparameters({"net": plain(recipe.for_checkpoints())})
        if weights is not None:
            start_from(net, type(net).__name__, weights)
        finetuning.check(net, body_lr, frozen_epochs)
        self.net = net
        self.__dict__["backbone"] = body_of(net) if heads_of(net) else None  # for BackboneFinetuning
        self.channels_last = all(c.__module__.startswith("lit_cnn.") for c in {type(self), type(net)} - {LitClassifier})
        self.loss = build_loss(loss, label_smoothing)
        if norm_momentum is not None:
            set_norm_momentum(net, norm_momentum)
        self.metrics = BufferedMetrics(num_classes)
        self.step_losses = StepLosses()
        self.one_network: OneNetwork | None = None  # until there is a Trainer
        self.preprocess: Preprocess | None = None
        self.class_names: list[str] = []
        try_out(self.hparams)  # refuses wrong settings here, before the training

    @property
    def title(self) -> str:
        """The name of the class, with the network if that was given by path."""
        of = f" of {Recipe(self.hparams['net'])}" if "net" in self.hparams else ""
        return f"{type(self).__name__}{of}"

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups, including the one of `body_lr`."""
        return finetuning.groups_of(self.net, self.hparams)

    @property
    def start(self) -> str:
        """A line about the initial weights, after a line break; empty if they are random."""
        adapted = getattr(self.net, "adapted", "")
        return f"\nstarts from {adapted}" if adapted else ""

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits."""
        return self.net(images if self.channels_last else images.contiguous())

    def evaluate(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns the logits for evaluation and prediction."""
        logits = logits_of(self, images)
        return (logits + logits_of(self, images.flip(-1))) / 2 if self.hparams["test_time_flip"] else logits

    def loss_of(self, images: Float[Tensor, "b c h w"], labels: Targets) -> tuple[Tensor, Tensor]:
        """Returns logits and loss of a training batch; override it to add other losses."""
        logits = logits_of(self, images)
        return logits, self.loss(logits, labels)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss of one batch, and records it for the log."""
        images, labels = batch
        weight = self.one_network.begin_step(batch_idx, len(images)) if self.one_network else 1
        if self.hparams["sum_loss"]:
            weight *= self.one_network.share.total if self.one_network else len(images)
        logits, loss = losses_of(self, images, labels)
        self.count(logits, labels, "train")
        if self.one_network:
            self.step_losses.note(self.trainer, loss, batch_idx)
        return loss if weight == 1 else loss * weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts one batch of the validation images."""
        self.count(self.evaluate(batch[0]), batch[1], "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts one batch of the test images."""
        self.count(self.evaluate(batch[0]), batch[1], "test")
        if self.hparams["test_views"]:
            views = weighted_views(batch[0], self.hparams["test_views"])
            self.count(sum(weight * self(view).float() for weight, view in views), batch[1], "test_views")

    def predict_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, "b k"]:
        """Returns the probability of each class for each image."""
        return self.evaluate(batch[0]).softmax(dim=1)

    def count(self, logits: Tensor, labels: Targets, stage: str) -> None:
        """Counts a batch for `train|val|test/{acc,nll}`; call it with the logits in a step of your own."""
        logits = logits.detach()
        self.metrics.add(stage, logits.clone() if self.hparams["compile"] == "reduce-overhead" else logits, labels)

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's accuracy and NLL over the training images, measured during the steps."""
        self.step_losses.check(self.trainer)
        self.metrics.log(self, "train")

    def on_validation_epoch_end(self) -> None:
        """Logs accuracy and NLL over all validation images."""
        self.metrics.log(self, "val")

    def on_test_epoch_end(self) -> None:
        """Logs accuracy and NLL over all test images, and the accuracy of each class."""
        self.metrics.log(self, "test")
        if self.hparams["test_views"]:
            self.metrics.log(self, "test_views")
        names = getattr(self._datamodule, "class_names", None) or range(self.hparams["num_classes"])
        self.exact, self.by_class = self.metrics.log_each_class(self, names)

    def configure_optimizers(self) -> Any:
        """Builds the optimizer and the learning-rate schedule."""
        length, validate_every, per_epoch = 1.0, None, 1
        if self.hparams["scheduler"]:
            per_step = self.hparams["scheduler_interval"] == "step"
            length = self.trainer.estimated_stepping_batches if per_step else self.trainer.max_epochs or -1
            validate_every = self.trainer.check_val_every_n_epoch
            if per_step and any("epochs" in group for group in self.groups):
                if self.trainer.num_training_batches == math.inf:  # not known yet
                    self.trainer.fit_loop.setup_data()
                per_epoch = math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)
        if not 0 < length < math.inf:
            raise ConfigError(f"`scheduler` {self.hparams['scheduler']} needs the length of the run: set max_epochs.")
        try:
            return build(self, {**self.hparams, "param_groups": self.groups}, int(length), validate_every, per_epoch)
        except ValueError as error:  # the run's length does not suit the scheduler
            raise ConfigError(str(error)) from error

    def setup(self, stage: str) -> None:
        """Begins a run, and compiles the network if asked to; in place, so that names in checkpoints stay."""
        self.metrics.clear()
        self.step_losses.clear()
        self.one_network = OneNetwork(self, self.trainer)
        if stage == "fit":
            learn_whitening(self.net, self._datamodule)
            if self.hparams["class_weights"] is not None:
                self.loss.weights = self._weights_of_classes()
        if stage == "fit" and self.hparams["compile"]:
            self.net.compile(mode=self.hparams["compile"])

    def _weights_of_classes(self) -> Tensor:
        data, given = self._datamodule, self.hparams["class_weights"]
        if hasattr(data, "arrays"):
            return weights_of(given, data.arrays("train").labels, data.class_names)
        if not isinstance(given, list):
            raise ConfigError("`class_weights` has to be a list of numbers, since these data do not count the classes.")
        return weights_of(given, Tensor(), range(self.hparams["num_classes"]))  # type: ignore[arg-type]

    def configure_callbacks(self) -> list[Callback]:
        """Adds the callbacks for exact resume and the fast loop to any Trainer that lacks them."""
        callbacks: list[Callback] = [Continuation()]
        if epochs := self.hparams["frozen_epochs"]:
            callbacks.append(finetuning.HeadFirst(self.net, epochs))
        if lightning_internals.is_tested():
            callbacks.append(FewerCalls(LitClassifier))
        known = {type(callback) for callback in self.trainer.callbacks}  # type: ignore[attr-defined]
        return [callback for callback in callbacks if type(callback) not in known]

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Logs the recorded steps."""
        self.step_losses.write(self.trainer)

    def on_validation_start(self) -> None:
        """Checks that the training has not diverged."""
        self.step_losses.check(self.trainer)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds class and preprocessing for `load`.

        Raises:
            DivergedError: If a loss or a weight is not finite.
        """
        self.step_losses.check(self.trainer)
        self.step_losses.check_weights(self.trainer, checkpoint["state_dict"])
        self.step_losses.write(self.trainer)
        checkpoint["class_path"] = f"{type(self).__module__}.{type(self).__qualname__}"
        if hasattr(self._datamodule, "checkpoint_settings"):
            checkpoint["data"] = self._datamodule.checkpoint_settings()

    @property
    def _datamodule(self) -> Any:
        return getattr(self.trainer, "datamodule", None)
