"""The parser of all verbs beside the Trainer's, and arguments that several of them take."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lit_cnn.errors import ConfigError, printable

if TYPE_CHECKING:
    from lit_cnn.training.classifier import LitClassifier

RUN = "a run's folder, the folder above it if there is but one run in it, or a checkpoint"
IMAGES = "image files, folders (taken with all folders below them), or patterns such as 'scans/*.png'"


class Parser(argparse.ArgumentParser):
    """The parser of a verb's arguments.

    Args:
        verb: The verb.
        description: What it does, in a sentence.
        epilog: What else its help says.
    """

    def __init__(self, verb: str, description: str | None, epilog: str | None = None):
        super().__init__(
            prog=f"python -m lit_cnn {verb}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.verb = verb

    def parse_before_settings(self, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
        """Returns the verb's own arguments, and all others, which are settings of `fit`."""
        self.usage = self.format_usage().removeprefix("usage: ").rstrip() + " [--KEY VALUE of fit ...]"
        return self.parse_known_args(argv)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{self.verb}: {message}. See python -m lit_cnn {self.verb} --help.")


def for_other_images(module: "LitClassifier") -> "LitClassifier":
    """Returns the network if it can be used on images from outside of its dataset.

    Raises:
        ConfigError: If a view of its training images depends on an image's index in the dataset.
    """
    assert module.preprocess is not None
    try:
        module.preprocess.check_others()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return module


def positive(text: str) -> int:
    """Parses a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def true_class(path: str, class_names: list[str]) -> str | None:
    """Returns the class named by an image's folder or the one above it; None if neither is a class."""
    folders = [printable(folder.name) for folder in list(Path(path).resolve().parents)[:2]]
    return next((name for name in folders if name in class_names), None)
