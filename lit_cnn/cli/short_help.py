"""The help of a Trainer's verb on two screens: the settings that most runs need, read quickly from source code.

`--help_all` shows all settings instead, as LightningCLI knows them, which takes seconds.
"""

import ast
import re
import shutil
import textwrap

from docstring_parser import DocstringStyle, parse

from lit_cnn.cli.known_settings import ARGUMENTS, BRANCHES, classes_of, names_in

ALL = "--help_all"
NARROWEST, WIDEST = 78, 100  # letters in a line
COLUMN = 27  # letters for the name of a setting
LONG = 90  # from this length of a sentence on, only the part before its semicolon is shown

# Settings that most runs leave as they are; the help of their class has them.
RARE = {
    *("net", "num_classes", "param_groups", "sum_loss", "decay_norms_and_biases", "norm_momentum", "test_time_flip"),
    *("test_views", "scheduler_interval", "split_seed", "permute_seed", "permute_kind", "permute_block", "seed"),
    *("eval_batch_size", "tensorboard_axis", "fast_loop", "matmul_precision", "compile", "body_lr", "frozen_epochs"),
    *("in_channels", "image_size", "train_size", "resident", "class_weights", "sampling", "threads"),
    "channels_last",
}
DATA_DIR = {"data_dir": "Folder of the dataset, or where to download it; for an image folder, its root."}
OF_THE_TRAINER = {  # Lightning's own texts fill pages
    "max_epochs": "Epochs of training.",
    "accelerator": "cpu, gpu, mps, or auto (the best available).",
    "devices": "Number of devices; batch_size is the batch size of each.",
    "precision": "32-true, or bf16-mixed (bfloat16, if the hardware has it).",
    "gradient_clip_val": "Largest norm of the gradients.",
    "accumulate_grad_batches": "Number of batches for one optimizer step.",
    "limit_train_batches": "Number of batches in an epoch, or a share of them.",
    "callbacks": "Callbacks of Lightning or lit_cnn, such as EarlyStopping or EMA.",
    "logger": "A tracker, such as WandbLogger; false turns off TensorBoard.",
    "default_root_dir": "Folder of all runs; by default logs.",
}
SEED = {"seed_everything": "Seed of the run, for all random numbers; by default 0."}
USES = {
    "fit": "Trains a network, then tests its best checkpoint once, and prints a summary.",
    "validate": "Evaluates a trained network on the validation images.",
    "test": "Evaluates a trained network on the test images.",
    "predict": "Writes a trained network's predictions for the test images to a table.",
}
OF_CONFIGS = (
    "CONFIG is a file, or the name of a config that comes with lit_cnn, such as quickstart. Several configs are merged "
    "from left to right. Flags override all of them."
)
OF_RUNS = (
    "RUN is the folder of a run, such as logs/quickstart/version_0, or a checkpoint. Settings come from the run's "
    "config.yaml. Flags override them."
)


def short_help(verb: str) -> str:
    """Returns the help of fit, validate, test or predict, for the width of the terminal, within limits."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    training = verb == "fit"
    lines = [
        f"usage: python -m lit_cnn {verb} {'[CONFIG ...]' if training else 'RUN'} [--KEY VALUE ...]",
        "",
        USES[verb],
    ]
    lines += textwrap.wrap(OF_CONFIGS if training else OF_RUNS, width)
    for branch, title, more in (("model", "the network", {}), ("data", "the data", DATA_DIR)):
        lines += ["", f"{title}: --{branch} CLASS, one of"]
        lines += textwrap.wrap(", ".join(classes_of(branch)), width, initial_indent="  ", subsequent_indent="  ")
        lines += ["  or your own: --model LitClassifier --model.net IMPORT_PATH"] * (branch == "model")
        home, base = BRANCHES[branch]
        lines += [f"settings (--{branch}.help CLASS shows all settings of one class):"]
        lines += _settings(f"{branch}.", more | described(home, base), width)
    lines += ["", "the training", *_settings("trainer.", OF_THE_TRAINER, width)]
    lines += ["", "the run", *_settings("", SEED | described(ARGUMENTS, "of_the_run"), width)]
    lines += ["", "more, each after python -m lit_cnn"]
    others = {
        f"{verb} {ALL}": "all settings and their types",
        f"{verb} --model.help LitVGG": "all settings of a network",
        f"{verb} --data.help MNISTDataModule": "all settings of a data module",
        f"{verb} quickstart --print_config": "all settings of a run, as a config",
        "models": "the networks: paper, size, smallest image",
    }
    lines += [f"  {command:{COLUMN + 9}} {text}" for command, text in others.items()]
    return "\n".join(lines)


def described(module: str, name: str) -> dict[str, str]:
    """Returns the text on each argument of a class or function."""
    node = names_in(module)[name]
    while isinstance(node, tuple):  # imported from another module
        node = names_in(node[0])[node[1]]
    docstring = ast.get_docstring(node) or ""
    parsed = parse(docstring, DocstringStyle.GOOGLE)
    return {p.arg_name: " ".join((p.description or "").split()) for p in parsed.params}


def _settings(prefix: str, texts: dict[str, str], width: int) -> list[str]:
    """Returns the lines of a section: each setting that is not rare, with the first sentence of its text."""
    lines = []
    for name, text in texts.items():
        if name not in RARE:
            sentence = re.split(r"(?<=\w)\.\s", text, maxsplit=1)[0].rstrip(".")
            sentence = sentence.partition(";")[0] if len(sentence) > LONG else sentence
            flag, indent = f"  --{prefix}{name}", " " * (COLUMN + 3)
            if len(flag) > COLUMN + 2:
                lines.append(flag)
                flag = ""
            lines += textwrap.wrap(sentence, width, initial_indent=f"{flag:{COLUMN + 3}}", subsequent_indent=indent)
    return lines
