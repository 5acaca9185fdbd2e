"""The parser of all verbs that are not the Trainer's, and arguments that several of them have."""

import argparse
import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lit_cnn.errors import ConfigError, printable
from lit_cnn.runs.folder import find_run
from lit_cnn.runs.weights import weights_file

if TYPE_CHECKING:
    from lit_cnn.training.classifier import LitClassifier

RUN = "a run's folder, a checkpoint, or the name of weights in the package, such as cnn_mnist"


class Formatter(argparse.HelpFormatter):
    """Wraps the paragraphs of a help to the terminal, and leaves indented lines, such as commands, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = list[str]()
        for kept, group in groupby(text.splitlines(), lambda line: line[:1] in ("", " ")):
            part = list(group)
            lines += part if kept else textwrap.wrap(" ".join(part), width)
        return "\n".join(lines)


class Built(Exception):
    """A verb's parser with all its arguments, in place of a parse; the verb's `main` raises it for `ASK`."""

    ASK = ("--built",)

    def __init__(self, parser: "Parser"):
        super().__init__(parser.verb)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """The parser of a verb's arguments."""

    def __init__(self, verb: str, description: str | None, epilog: str | None = None):
        super().__init__(f"python -m lit_cnn {verb}", None, description, epilog, allow_abbrev=False)
        self.formatter_class = Formatter
        self.verb = verb
        self.takes_settings = False  # whether settings of `fit` may follow

    def add_run_and_images(self) -> None:
        """Adds the arguments of verbs that apply a run's network to image files."""
        self.add_argument("run", help=RUN)
        images = "image files, folders (with their subfolders), or patterns such as 'scans/*.png'"
        self.add_argument("images", nargs="+", help=images)

    def add_inverting(self) -> None:
        """Adds the argument that inverts images: light becomes dark."""
        self.add_argument("--invert", action="store_true", help="invert the images: light becomes dark")

    def parse_before_settings(self, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
        """Returns the verb's own arguments, and all others, which are settings of `fit`.

        One such as --seed, the singular of an argument of its own, is an error.
        """
        usage, indent = self.format_usage().removeprefix("usage: ").rstrip(), " " * len(f"usage: {self.prog} ")
        self.usage = f"{usage}\n{indent}[--KEY VALUE of fit ...]"
        self.takes_settings = True
        given, settings = self.parse_known_args(argv)
        for word in (setting.partition("=")[0] for setting in settings):
            if f"{word}s" in self._option_string_actions:
                self.error(f"unknown argument {word}. Did you mean {word}s?")
        return given, settings

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Returns the arguments and those left over; raises Built where they are `Built.ASK`."""
        if args is Built.ASK:
            raise Built(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{self.verb}: {message}. See python -m lit_cnn {self.verb} --help.")


def run_and_images(given: argparse.Namespace) -> tuple["LitClassifier", list[str]]:
    """Returns the run's network and the image files of `add_run_and_images`; says which files are no images."""
    from lit_cnn.data.image_files import find_images

    files = find_images(given.images)
    if unread := files.unread():
        print(unread, file=sys.stderr)
    refuse_missing(given.run)

    from lit_cnn.inference.load import load

    module = load(given.run)
    assert module.preprocess is not None
    module.preprocess.check_others()
    return module, files.images


def refuse_missing(*runs: str) -> None:
    """Raises the LitCNNError of `load` for runs and weights that are not there, before torch is imported."""
    for run in runs:
        if weights_file(run) is None:
            find_run(run)


def positive(text: str) -> int:
    """Parses a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def true_class(path: str, class_names: list[str]) -> str | None:
    """Returns the class that is the name of an image's folder or of the folder above it; None if neither is a class."""
    folders = [printable(folder.name) for folder in list(Path(path).resolve().parents)[:2]]
    return next((name for name in folders if name in class_names), None)
