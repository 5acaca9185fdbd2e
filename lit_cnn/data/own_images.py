"""ImageFolderDataModule: your own images in several layouts on disk, split into parts."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from lit_cnn.data import copies, decoding, groups
from lit_cnn.data.arrays import Arrays, statistics_at
from lit_cnn.data.cache import default_folder
from lit_cnn.data.image_files import first_of
from lit_cnn.data.layouts import find_layout
from lit_cnn.data.layouts.layout import PARTS, Images, Options
from lit_cnn.data.module import ImageDataModule
from lit_cnn.data.splits import check_classes, check_size, number_held_out
from lit_cnn.errors import ConfigError, DataError, counted, printable
from lit_cnn.runs.folder import SPLIT
from lit_cnn.sizes import height_and_width
from lit_cnn.typed_arguments import PositiveInt


class ImageFolderDataModule(ImageDataModule):
    """Images of your own: folders of classes, tables, arrays or Parquet files (docs/your_images.md).

    The layout is found by itself: CLASS/*; train/CLASS/*, perhaps with val/ and test/; Tiny ImageNet; a CSV or Parquet
    table of paths and labels; .npy or .npz arrays; Parquet files of the Hugging Face hub. Missing parts are drawn with
    a seed and stratified by class: the test images from all images, the validation images from the rest. Copies of an
    image stay in one part. The run's split.csv has the part of each image.

    It reads all files with a suffix that Pillow knows; `prepare_data` prints which files are skipped. Images are
    decoded once, into a memory-mapped cache, which may be larger than memory. Later runs use it if the images are
    unchanged. They are normalised with the mean and standard deviation of all training images.

    Args:
        data_dir: The folder or file with the images.
        image_size: Resize the images to this height and width in pixels, one number for both. By default all images
            must have the size of the first training image.
        in_channels: 1 to read the images in greyscale, 3 in colour; by default like the first training image.
        test_size: Test images to draw if the data have none: a number of images, or a share below 1. split_seed
            decides them, so all runs have the same. 0 draws none.
        group_pattern: A regular expression of the images' names, such as 'patient(\\d+)'. Images for which it finds the
            same text (in its first parentheses, if any) stay in one part.
        split_file: The split.csv of an earlier run, to use the same split.
        class_depth: Depth of the class folders: 1 for cat/*, 2 for animal/cat/*.
        path_column: The column of a table with the paths of the images; by default path, file, image or similar.
        label_column: The column of a table with the classes; by default label, class, target or similar.
        split_column: The column of a table with the parts train, val and test; by default split, if there is one.
        image_dir: The folder where a table's paths start; by default the table's own folder.
        cache: Keep the decoded images in a memory-mapped file; if false, decode them into memory each time.
        cache_dir: Folder of the cache; by default `lit_cnn/` in $XDG_CACHE_HOME or ~/.cache.
        **kwargs: Arguments of ImageDataModule. val_size and split_seed are used if there are no validation images.

    Example:
        >>> data = ImageFolderDataModule(data_dir="pets", image_size=32)  # doctest: +SKIP
    """

    def __init__(
        self,
        data_dir: str = "data",
        image_size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None,
        in_channels: int | None = None,
        test_size: int | float = 0.1,
        group_pattern: str | None = None,
        split_file: str | None = None,
        class_depth: PositiveInt = 1,
        path_column: str | None = None,
        label_column: str | None = None,
        split_column: str | None = None,
        image_dir: str | None = None,
        cache: bool = True,
        cache_dir: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if in_channels not in (None, 1, 3):
            raise ConfigError(f"`in_channels` has to be 1 for greyscale or 3 for colour, but got {in_channels}.")
        size = None if image_size is None else height_and_width(image_size)
        check_size("test_size", test_size)
        self.data_dir = Path(data_dir).expanduser()
        self.cache_dir = (Path(cache_dir).expanduser() if cache_dir else default_folder()) if cache else None
        self.split_file = split_file
        self.group_pattern = groups.compiled(group_pattern)
        options = Options(class_depth, path_column, label_column, split_column, image_dir)
        self._layout = find_layout(self.data_dir, options)
        self.class_names = [printable(name) for name in self._layout.class_names]
        self.num_classes = len(self.class_names)
        self._listed: dict[str, Images] = {}  # the images of each part on disk
        self.shape = decoding.shape_of(self._images("train"), in_channels, size)
        self.in_channels = self.shape.in_channels
        self.image_size = self.shape.image_size
        self.has_val = "val" in self._layout.parts and self.val_size != 0
        self.test_size = 0 if "test" in self._layout.parts else test_size
        self.has_test = "test" in self._layout.parts or self.split.draws_test
        self._pixels: Arrays | None = None  # the training images, before any view
        self._prints: dict[str, copies.Fingerprints] = {}
        self._drawn: dict[str, Tensor] = {}  # positions of the drawn parts and of the remaining training images
        self._said: set[str] = set()
        self._compared: set[str] = set()  # parts that were searched for copies

    def prepare_data(self) -> None:
        """Prints once which files are skipped or not used."""
        said = self._layout.remarks()
        if self.fold and "test" in self._layout.parts:
            number, count = self.fold
            said.append(
                f"{printable(self.data_dir)}: with data.fold '{number} of {count}' a part of the training images is "
                "tested, and the given test images are not used."
            )
        for sentence in said:
            self._say(sentence)

    def setup(self, stage: str) -> None:
        """Reads the images for a stage, and prints once which images have copies in two parts or with two labels."""
        super().setup(stage)
        known = {part: self._part(part) for part in PARTS if part in self._arrays}
        if not known.keys() <= self._compared:
            self._compared |= known.keys()
            for sentence in copies.remarks(known, self.class_names):
                self._say(sentence)

    @rank_zero_only
    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            print(sentence, flush=True)
            self._said.add(sentence)

    def read(self, split: str) -> Arrays:
        images, class_names = self._images(split), self._layout.class_names
        found = decoding.read(self.data_dir, split, images, class_names, self.shape, self.cache_dir)
        self._prints[split] = found.prints
        if len(empty := copies.empty(found.prints, (*self.image_size, self.in_channels))):
            self._say(
                f"{printable(self.data_dir)}: {len(empty):,} of the {len(images):,} {split} images are black or white "
                f"all over, such as {printable(images.names[empty[0]])}. Transparent parts are read as white."
            )
        if split == "train":
            self._pixels, self.mean, self.std = found.arrays, found.mean, found.std
        return found.arrays

    def _images(self, part: str) -> Images:
        if part not in self._layout.parts:
            raise DataError(
                f"{printable(self.data_dir)} has no {part} images: none are given, and data.{part}_size is 0.\n"
                f"Add them, or train a run that draws them: without --data.{part}_size 0."
            )
        if part not in self._listed:
            self._listed[part] = self._layout.parts[part]()
        return self._listed[part]

    def _part(self, part: str) -> copies.Part:
        if part in self._drawn:
            return copies.Part(self._images("train"), self._prints["train"], self._drawn[part].numpy())
        images = self._images(part)
        return copies.Part(images, self._prints[part], np.arange(len(images)))

    def draw_parts(self, everything: Arrays) -> dict[str, Tensor]:
        pixels, names = self._pixels, self._images("train").names
        assert pixels is not None
        if self.split_file is not None:
            parts = self._parts_of_file(Path(self.split_file).expanduser(), names)
        else:
            draws = {"test": self.split.draws_test, "val": bool(self.split.val_size)}
            prints = self._prints["train"]
            together = groups.of_images(prints, names, self.group_pattern) if any(draws.values()) else None
            remedies = {
                "test": "no --data.fold" if self.fold else "--data.test_size 0 --test_after_fit false",
                "val": "--data.val_size 0",
            }
            check_classes(everything.labels, together, self.class_names, {p: remedies[p] for p in draws if draws[p]})
            parts = self.split.draw(everything.labels, together, at_least=1)
            self._say_what_is_drawn(len(names), parts)
        if "test" in parts:
            self.mean, self.std = statistics_at(pixels, torch.cat([parts["train"], parts["val"]]))
        self._drawn = {part: positions for part, positions in parts.items() if part != "val" or not self.has_val}
        self._pixels = None
        return parts

    def _say_what_is_drawn(self, images: int, parts: dict[str, Tensor]) -> None:
        """Says how many test images are drawn, and of which parts there are more than asked for: one of each class."""
        for part, size in (("test", 0 if self.fold else self.split.test_size), ("val", self.split.val_size)):
            asked, drawn = number_held_out(size, images, f"{part}_size"), len(parts.get(part, ()))
            more = 0 < asked < min(drawn, self.num_classes)
            if asked and (more or part == "test"):
                self._say(
                    f"{printable(self.data_dir)}: there are no {part} images. {drawn:,} of the {images:,} training "
                    f"images are held out{', one of each class' * more} (--data.{part}_size {size:g})."
                )
            images -= drawn

    def _parts_of_file(self, file: Path, names: Sequence[str]) -> dict[str, Tensor]:
        """Returns the positions of the images in each part of a split.csv."""
        try:
            rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8", "surrogateescape"), newline="")))
            part_of = {row["path"]: row["split"] for row in rows}
        except (OSError, UnicodeDecodeError, KeyError) as error:
            reason = getattr(error, "strerror", None) or "it needs the columns path and split"
            raise DataError(f"{printable(file)} is not a run's {SPLIT}: {reason}.") from error
        known = set(names)
        if missing := [name for name in part_of if name not in known]:
            raise DataError(
                f"{printable(file)} names {len(missing):,} of {len(part_of):,} images that are not in "
                f"{printable(self.data_dir)}: {first_of(missing)}.\n"
                "Put them back, or start a new run with a new split."
            )
        others = [name for name in names if name not in part_of]
        if others and self.train_size is None:  # train_size leaves images out on purpose
            number = counted(len(others), "image is", "images are")
            self._say(f"{number} not in {printable(file)} and skipped: {first_of(others)}.")
        found = [part_of.get(name) for name in names]
        parts = {part: [i for i, its in enumerate(found) if its == part] for part in PARTS}
        if not parts["test"] and self.has_test and "test" not in self._layout.parts:
            raise DataError(
                f"{printable(file)} has no test images, and there are none in {printable(self.data_dir)}.\n"
                "For a run without a test: --data.test_size 0 --test_after_fit false."
            )
        return {part: torch.tensor(p, dtype=torch.int64) for part, p in parts.items() if p or part != "test"}

    def image_names(self, split: str) -> list[str]:
        self.arrays(split)
        part = self._part(split)
        return [printable(part.listed.names[i]) for i in part.positions]

    def split_table(self) -> str | None:
        """Returns the text of split.csv, with path, label and part of each image; None if no parts were drawn."""
        if not any(len(positions) for part, positions in self._drawn.items() if part != "train"):
            return None
        part_of = {i: part for part, positions in self._drawn.items() for i in positions.tolist()}
        listed, text = self._images("train"), io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "label", "split"])
        for i, (name, label) in enumerate(zip(listed.names, listed.labels, strict=True)):
            if i in part_of:
                writer.writerow([name, self._layout.class_names[label], part_of[i]])
        return text.getvalue()
