"""ImageDataModule, the LightningDataModule that all datasets share."""

import os
from abc import abstractmethod
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.batches import BatchMaker
from lit_cnn.data.contract import refuse_incomplete, refuse_wrong
from lit_cnn.data.loader import ArrayLoader
from lit_cnn.data.order import BatchOrder
from lit_cnn.data.splits import Split, check_size, fold_of
from lit_cnn.data.unneeded import refuse
from lit_cnn.errors import ConfigError
from lit_cnn.transforms import Augmentation, Preprocess
from lit_cnn.transforms.augment import check_levels
from lit_cnn.transforms.permutation import PermutationKind, effective, refuse_unused_block
from lit_cnn.transforms.views import View, seen, settings_of
from lit_cnn.typed_arguments import NonNegativeFloat, NonNegativeInt, PositiveInt, TypedArguments


class ImageDataModule(TypedArguments, LightningDataModule):
    """Data module that serves a dataset of small images from memory, in whole batches.

    Args:
        batch_size: Images in a training batch of one device.
        eval_batch_size: Images in a batch of validation, test or prediction. It does not change results.
        val_size: Training images held out for validation: a number of images, or a share below 1. The split is
            stratified by class. Only `test` uses the test images.
        train_size: Number of training images to use, with the same share of each class; by default all.
        split_seed: Seed of the validation split and of `train_size`, independent of the run's seed.
        fold: Cross-validation, such as "2 of 5": the second of five equal parts of the training images is tested, the
            other parts are for training and validation; the test images are not used. split_seed decides the parts.
        permute: Permute the pixels of all images with one fixed permutation.
        permute_seed: Seed of the permutation, independent of the run's seed, so all runs have the same permutation; or
            the word seed, so each seed of the run has another one.
        permute_kind: What is permuted: pixels; blocks (on average one stays in place); deranged_blocks (no block stays
            in place); within_blocks, the pixels inside each block; rows; or columns.
        permute_block: Height and width of a block, in pixels, for the kinds with blocks. With deranged_blocks it sets
            how much locality is left, from none at 1 to all at the image's size.
        views: Fixed changes of all images when they are read, before everything else: LowPass, HighPass,
            PhaseScramble, ShuffleChannels, ShufflePixels, Translate (docs/locality.md).
        augment: Random augmentations of the training images, such as RandomCrop and RandomFlip. Always in the order
            geometry, policies, colours, erasing, mixing (docs/augmentations.md lists all).
        sampling: shuffle uses each training image once in an epoch; balanced uses all classes equally often, so images
            of rare classes come several times, each time with another augmentation.
        seed: Seed of the shuffling and the augmentations; by default the run's seed, from `seed_everything`.
        resident: Keep all images in GPU memory, if there is a GPU; an error if they do not fit.

    Raises:
        ConfigError: If a setting does not fit the dataset.
        DataError: If the dataset is missing or broken.

    Example:
        >>> import torch
        >>> from lit_cnn.data.arrays import Arrays
        >>> class Noise(ImageDataModule):  # a dataset of your own, in memory
        ...     num_classes, in_channels, image_size, class_names = 2, 1, (8, 8), ["a", "b"]
        ...     mean, std = [0.5], [0.3]
        ...
        ...     def read(self, split):
        ...         return Arrays(torch.randint(0, 256, (100, 1, 8, 8), dtype=torch.uint8), torch.arange(100) % 2)
        >>> data = Noise(batch_size=10)
    """

    num_classes: int
    in_channels: int
    image_size: tuple[int, int]
    class_names: list[str]
    mean: list[float]  # of each channel, on a scale from 0 to 1; computed if a subclass has none
    std: list[float]
    has_test: bool = True  # whether there are test images, or some are drawn
    has_val: bool = False  # whether `read` has "val" images, so that none are held out
    test_size: int | float = 0  # test images to draw from the training images, if the dataset has none
    __str__ = object.__repr__  # Lightning's reads attributes that only loaders of torch have

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        eval_batch_size: PositiveInt = 500,
        val_size: NonNegativeInt | NonNegativeFloat = 0.1,
        train_size: PositiveInt | None = None,
        split_seed: int = 0,
        fold: str | None = None,
        permute: bool = False,
        permute_seed: int | Literal["seed"] = 0,
        permute_kind: PermutationKind = "pixels",
        permute_block: PositiveInt = 1,
        views: list[View] | None = None,
        augment: list[Augmentation] | None = None,
        sampling: Literal["shuffle", "balanced"] = "shuffle",
        seed: int | None = None,
        resident: bool = False,
        **unknown: Any,
    ):
        refuse(type(self), unknown)
        super().__init__()
        check_size("val_size", val_size)
        if permute:
            refuse_unused_block(permute_kind, permute_block)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.val_size = val_size
        self.train_size = train_size
        self.split_seed = split_seed
        self.fold = None if fold is None else fold_of(fold)
        self.permute = permute
        self.permute_seed = permute_seed
        self.permute_kind = permute_kind
        self.permute_block = permute_block
        self.views = views or []
        self.augment = sorted(augment or [], key=lambda a: a.stage)
        self.sampling = sampling
        self.seed = seed
        self.resident = resident
        self.preprocess: Preprocess | None = None
        self._arrays: dict[str, Arrays] = {}

    @abstractmethod
    def read(self, split: str) -> Arrays:
        """Reads the "train" or "test" images into memory, or the "val" images if it has them."""

    def setup(self, stage: str) -> None:
        """Reads the images for a stage, and checks that the settings fit them."""
        changes: list[View | Augmentation] = [*self.views, *self.augment]
        try:
            for change in changes:
                change.check(self.image_size, self.in_channels)
            check_levels(self.views, self.augment)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if stage in ("fit", "validate"):
            self._read_train()
            if self.batch_size > len(self._arrays["train"]):
                raise ConfigError(
                    f"`batch_size` is {self.batch_size}, but there are only {len(self._arrays['train'])} training "
                    f"images ({len(self._arrays['val'])} more are held out for validation). Use a smaller one."
                )
        if stage in ("test", "predict") and "test" not in self._arrays:
            if self.split.draws_test:
                self._read_train()
            else:
                self._arrays["test"] = self._checked("test")
        if self.preprocess is None:
            if not hasattr(self, "mean"):
                self._checked("train")  # finds mean and standard deviation
            try:
                settings = (self.image_size, *self.permutation, self.view_settings)
                self.preprocess = Preprocess(self.mean, self.std, *settings)
            except ValueError as error:
                raise ConfigError(str(error)) from error

    @property
    def permutation(self) -> tuple[int | None, PermutationKind, int]:
        """Seed, kind and block of the pixel permutation; the seed is None without one."""
        seed = self.run_seed if self.permute_seed == "seed" else self.permute_seed
        return effective(seed if self.permute else None, self.permute_kind, self.permute_block)

    @property
    def view_settings(self) -> list[dict[str, Any]]:
        """The settings of the views, for checkpoints."""
        return [settings_of(view) for view in self.views]

    @property
    def split(self) -> Split:
        """Sizes of the parts that are drawn from the training images."""
        val_size = 0 if self.has_val else self.val_size
        return Split(val_size, self.test_size, self.train_size, self.fold, self.split_seed)

    def draw_parts(self, everything: Arrays) -> dict[str, Tensor]:
        """Returns the positions of the training, validation and perhaps test images within the training images."""
        return self.split.draw(everything.labels)

    def _read_train(self) -> None:
        if "train" in self._arrays:
            return
        everything = self._checked("train")
        parts = self.draw_parts(everything)
        to_learn_from = everything.part(torch.cat([parts["train"], parts["val"]])) if "test" in parts else everything
        for augmentation in self.augment:
            augmentation.learn(to_learn_from.images)
        of_parts = {part: everything.part(positions) for part, positions in parts.items()}
        self._arrays |= of_parts if len(parts["train"]) < len(everything) else of_parts | {"train": everything}
        if self.has_val:
            self._arrays["val"] = self._checked("val")

    def _checked(self, split: str) -> Arrays:
        arrays = self.read(split)
        refuse_incomplete(self)
        refuse_wrong(self, split, arrays)
        if split == "train" and not hasattr(self, "mean"):
            self.mean, self.std = channel_statistics(arrays.images)
        return Arrays(seen(arrays.images, self.views, split), arrays.labels) if self.views else arrays

    @property
    def dataset_name(self) -> str:
        """Name of the dataset in messages and pictures."""
        return type(self).__name__.removesuffix("DataModule")

    def arrays(self, split: str) -> Arrays:
        """Returns the "train", "val" or "test" images; reads them now if `setup` has not."""
        if split not in self._arrays:
            self.prepare_data()
            self.setup("test" if split == "test" else "fit")
        return self._arrays[split]

    def image_names(self, split: str) -> list[str] | None:
        """Returns the file of each "train", "val" or "test" image, in order; None if the images are no files."""
        return None

    def evaluation_loader(self, split: str) -> ArrayLoader:
        """Returns a loader of a split's images in order, without augmentation."""
        arrays = self.arrays(split)
        order = BatchOrder(len(arrays), self.eval_batch_size, False, self.run_seed)
        return ArrayLoader(self.batch_maker(split, torch.device("cpu")), order)

    def train_dataloader(self) -> ArrayLoader:
        return self._loader("train", self.batch_size)

    def val_dataloader(self) -> ArrayLoader | list[ArrayLoader]:
        return self._loader("val", self.eval_batch_size) if len(self.arrays("val")) else []

    def test_dataloader(self) -> ArrayLoader:
        return self._loader("test", self.eval_batch_size)

    def predict_dataloader(self) -> ArrayLoader:
        return self.test_dataloader()

    def _loader(self, split: str, batch_size: int) -> ArrayLoader:
        trainer, arrays = self.trainer, self.arrays(split)
        rank, devices = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        frozen = bool(trainer and trainer.overfit_batches)  # type: ignore[attr-defined]
        labels = arrays.labels.cpu() if split == "train" and self.sampling == "balanced" else None
        order = BatchOrder(len(arrays), batch_size, split == "train", self.run_seed, rank, devices, frozen, labels)
        device = trainer.strategy.root_device if trainer else torch.device("cpu")
        self._bring_to(device, split)
        loader = ArrayLoader(self.batch_maker(split, device), order, keep=split == "val")  # test images are used once
        # Networks from elsewhere may use `view` on images, which needs contiguous memory.
        running = trainer.lightning_module if trainer and trainer.state.status == "running" else None
        loader.contiguous = not getattr(running, "channels_last", False)
        return loader

    def batch_maker(self, split: str, device: torch.device | None = None) -> BatchMaker:
        """Returns the BatchMaker of a split; by default it makes batches on the device of the images."""
        arrays, preprocess = self.arrays(split), self.preprocess
        assert preprocess is not None
        place, copies = device or arrays.device, split == "train" and self.sampling == "balanced"
        return BatchMaker(arrays, preprocess, self.augment, self.num_classes, self.run_seed, place, copies)

    def _bring_to(self, device: torch.device, split: str) -> None:
        arrays = self._arrays[split]
        if not self.resident or device.type != "cuda" or arrays.device == device:
            return
        free, needed = torch.cuda.mem_get_info(device)[0], arrays.stored_images.nbytes
        if needed > free // 2:  # the network needs some too
            raise ConfigError(
                f"`resident`: the images take {needed / 1e9:.3g} GB, but {device} has {free / 1e9:.3g} GB free.\n"
                "Remove `resident`: each batch is then moved when it is needed."
            )
        stored, images, labels = arrays.stored_images, arrays.stored_images.to(device), arrays.stored_labels.to(device)
        for name, other in self._arrays.items():  # training and validation images share their memory
            if other.stored_images is stored:
                positions = None if other.positions is None else other.positions.to(device)
                self._arrays[name] = Arrays(images, labels, positions)

    @property
    def run_seed(self) -> int:
        """The seed of the shuffling and the augmentations."""
        return self.seed if self.seed is not None else int(os.environ.get("PL_GLOBAL_SEED", 0))

    def checkpoint_settings(self) -> dict[str, Any]:
        """Returns the settings that a checkpoint needs to preprocess other images in the same way."""
        assert self.preprocess is not None, "call `setup` first"
        return {
            "dataset": self.dataset_name,
            "class_names": list(self.class_names),
            "preprocess": self.preprocess.settings,
        }
